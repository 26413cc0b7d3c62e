"""Every test of async functions has a clock driven by hand, and leaves nothing behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

import tenure
import tenure.testing
from tenure import _carriers, _native, _threads


@pytest.fixture(autouse=True)
def nothing_is_left(clock: tenure.testing.Clock) -> Iterator[None]:
    yield
    tenure.cache_resource.clear()
    gc.collect()
    clock.advance("1d")
    _carriers.sweep()
    # This thread goes on, and its scope with it.
    _threads.end()
    counts = _native._inspect()
    assert {name: counts[name] for name in ("flights", "waits", "drains", "sessions", "releasing")} == {
        "flights": 0,
        "waits": 0,
        "drains": 0,
        "sessions": 0,
        "releasing": 0,
    }
    homes, carried = list(_carriers.homes.values()), list(_carriers.carried)
    # What one test leaves is not the next one's fault.
    _carriers.homes.clear()
    _carriers.carried.clear()
    assert not homes
    assert not carried
