"""Every test begins with nothing cached, no host, no notes and an empty ledger."""

from __future__ import annotations

from collections.abc import Iterator

import baskets
import caching
import database
import pytest

import tenure
from tenure import _native


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    before = _native.get_host()
    _native.set_host(None)
    tenure.cache_resource.clear()
    caching.notes.clear()
    baskets.ledger.__init__()  # type: ignore[misc]
    yield
    tenure.cache_resource.clear()
    _native.set_host(before)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[database.Server]:
    yield from database.running()
