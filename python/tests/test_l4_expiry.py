"""L4: what has expired is released with nobody calling, and is never handed out."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import Ledger, TestHost, releases, together, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


@pytest.mark.parametrize("ttl", [60, 60.0, timedelta(minutes=1), "1m", "60s", "1 minute"])
def test_l4_an_entry_lives_as_long_as_its_ttl_and_no_longer(
    clock: Clock, ledger: Ledger, ttl: float | timedelta | str
) -> None:
    @tenure.cache_resource(ttl=ttl, on_release=ledger.release)
    def thing() -> object:
        return ledger.build()

    first = thing()
    clock.advance("59.9s")
    assert thing() is first
    assert ledger.released == []
    clock.advance("0.1s")
    assert ledger.released == [first]
    assert thing() is not first


def test_l4_use_does_not_prolong_a_life(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(ttl="1m")(lambda: ledger.build())
    first = thing()
    for _ in range(5):
        clock.advance("10s")
        assert thing() is first
    clock.advance("10s")
    assert thing() is not first


def test_l4_each_entry_has_its_own_deadline(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(ttl="1m", on_release=ledger.release)(lambda key: ledger.build(key))
    for key in range(4):
        thing(key)
        clock.advance("10s")
    for key in range(4):
        clock.advance("20s" if key == 0 else "10s")
        assert ledger.names() == list(range(key + 1))
    assert releases(thing) == {"expired": 4}


def test_l4_entries_of_a_session_expire_too(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(ttl="1m", scope="session", on_release=ledger.release)(lambda: ledger.build())
    with host.serving("ada"):
        thing()
    clock.advance("1m")
    assert len(ledger.released) == 1
    assert releases(thing) == {"expired": 1}
    _native.end_session("ada")
    assert len(ledger.released) == 1


def test_l4_on_the_system_clock_a_thread_of_its_own_releases(ledger: Ledger) -> None:
    here, there = threading.current_thread().name, []

    def release(it: object) -> None:
        there.append(threading.current_thread().name)
        ledger.release(it)

    thing = tenure.cache_resource(ttl=0.02, on_release=release)(lambda key: ledger.build(key))
    for key in range(3):
        thing(key)
    ledger.await_releases(3)
    assert here not in there
    assert thing.info().entries == 0
    assert releases(thing) == {"expired": 3}


def test_l4_an_expiry_follows_another(ledger: Ledger) -> None:
    """The thread that waits goes on waiting, also for what is built while it releases."""
    done = threading.Event()

    def release(it: object) -> None:
        ledger.release(it)
        if it.number < 5:
            thing(it.number + 1)
        else:
            done.set()

    thing = tenure.cache_resource(ttl=0.01, on_release=release)(lambda key: ledger.build(key))
    thing(0)
    wait(done)
    assert ledger.names() == list(range(6))


def test_l4_no_caller_gets_what_has_expired(clock: Clock, ledger: Ledger) -> None:
    """Threads call while others move the time past the deadline."""
    thing = tenure.cache_resource(ttl="1s", on_release=ledger.release)(lambda: ledger.build())
    passed = []

    def work(number: int) -> None:
        for _ in range(100):
            if number == 0:
                thing()
                clock.advance("1s")
                passed.append(len(ledger.built))
            else:
                fewest = passed[-1] if passed else 0
                # What is handed out now was built after the last time that a second had passed.
                assert thing().number >= fewest

    together(4, work)


def test_l4_a_function_without_ttl_arms_nothing(clock: Clock) -> None:
    tenure.cache_resource(lambda: object())()
    assert _native._inspect()["jobs"] == 0


def test_l4_one_job_is_armed_however_many_entries_wait(clock: Clock) -> None:
    thing = tenure.cache_resource(ttl="1h")(lambda key: object())
    for key in range(100):
        thing(key)
    assert _native._inspect()["jobs"] == 1
    thing.clear()
    assert _native._inspect()["jobs"] == 0
