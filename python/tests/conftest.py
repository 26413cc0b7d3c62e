"""What holds for every test: generated cases are never judged by time, and a failure prints what replays it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tenure.testing
from tenure import _native
from world import Ledger, TestHost

settings.register_profile("short", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("short"), max_examples=20)
settings.register_profile("long", settings.get_profile("short"), max_examples=20_000)
settings.load_profile(os.environ.get("TENURE_TESTS", "short"))

# A shell starts what it runs in the background with interrupts ignored, and whatever that starts has it so too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def drawn() -> None:
    """The first test that draws has Hypothesis ask the collector who holds its random numbers: nobody who is frozen."""
    given(st.none())(lambda _: None)()


@pytest.fixture(scope="module", autouse=True)
def earlier_objects_frozen(drawn: None) -> None:
    """Collections pass over all that is there before a file's tests: the packages that earlier ones have imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def clock() -> Iterator[tenure.testing.Clock]:
    """Time that stands still until the test moves it, and caches that begin empty."""
    with tenure.testing.clock() as clock:
        yield clock


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    before = _native.get_host()
    _native.set_host(host)
    yield host
    _native.set_host(before)
