"""L1: every resource that was built is released exactly once, whatever the cause."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import Ledger, TestHost, releases, settled, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def evicted(clock: Clock, ledger: Ledger) -> object:
    thing = tenure.cache_resource(max_entries=1, on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    thing(2)
    return thing


def expired(clock: Clock, ledger: Ledger) -> object:
    thing = tenure.cache_resource(ttl="1m", on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    clock.advance("1m")
    return thing


def expired_and_met_first_by_a_call(clock: Clock, ledger: Ledger) -> object:
    """Two threads may find the same expired entry; here the timer and a call do."""
    thing = tenure.cache_resource(ttl="1m", on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    clock.advance("1m")
    assert thing(1).number == 1
    clock.advance(0)
    return thing


def cleared(clock: Clock, ledger: Ledger) -> object:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    thing.clear(1)
    return thing


def cleared_with_all_of_its_function(clock: Clock, ledger: Ledger) -> object:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    thing.clear()
    return thing


def cleared_with_everything(clock: Clock, ledger: Ledger) -> object:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    tenure.cache_resource.clear()
    return thing


def invalid(clock: Clock, ledger: Ledger) -> object:
    thing = tenure.cache_resource(validate=lambda it: it.number > 0, on_release=ledger.release)(
        lambda key: ledger.build(key)
    )
    thing(1)
    thing(1)
    return thing


def shutdown(clock: Clock, ledger: Ledger) -> object:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    assert _native.shutdown()
    return thing


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (evicted, "evicted"),
        (expired, "expired"),
        (expired_and_met_first_by_a_call, "expired"),
        (cleared, "cleared"),
        (cleared_with_all_of_its_function, "cleared"),
        (cleared_with_everything, "cleared"),
        (invalid, "invalid"),
        (shutdown, "shutdown"),
    ],
)
def test_l1_each_cause_releases_once(
    clock: Clock, ledger: Ledger, end: Callable[[Clock, Ledger], object], cause: str
) -> None:
    thing = end(clock, ledger)
    assert releases(thing) == {cause: 1}
    assert settled(thing)
    # Nothing is left that could release it again; the ledger refuses a second time.
    tenure.cache_resource.clear()
    clock.advance("1d")
    _native.shutdown()
    assert len(ledger.released) == len(ledger.built)


def test_l1_the_end_of_a_session_releases_once(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    @tenure.cache_resource(scope="session", on_release=ledger.release)
    def thing(key: int) -> object:
        return ledger.build(key)

    with host.serving("ada"):
        thing(1)
        thing(2)
    with host.serving("bob"):
        kept = thing(1)
    _native.end_session("ada")
    _native.end_session("ada")
    assert releases(thing) == {"session_ended": 2}
    assert kept.is_open
    assert settled(thing)


def test_l1_without_a_callback_the_last_reference_goes(clock: Clock) -> None:
    gone = []

    class Closes:
        def __del__(self) -> None:
            gone.append(1)

    thing = tenure.cache_resource(Closes)
    thing()
    thing.clear()
    assert gone == [1]


def test_l1_a_failed_build_leaves_nothing_to_release(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(on_release=ledger.release)
    def thing() -> object:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        thing()
    thing.clear()
    assert ledger.released == []
    assert thing.info().failures == 1
    assert thing.info().builds == 0


def test_l1_a_host_that_fails_at_the_end_of_a_build_loses_no_resource(
    clock: Clock, host: TestHost, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the recording is lost")

    monkeypatch.setattr("world.Build.end", broken)

    @tenure.cache_resource(on_release=ledger.release)
    def thing() -> object:
        return ledger.build()

    assert thing() is thing()
    thing.clear()
    assert len(ledger.released) == 1


def test_l1_under_threads_everything_is_released_once(clock: Clock, ledger: Ledger) -> None:
    broken: set[int] = set()

    def build(key: int) -> object:
        return ledger.build(key)

    thing = tenure.cache_resource(
        max_entries=3, ttl="1m", validate=lambda it: it.number not in broken, on_release=ledger.release
    )(build)

    def work(number: int) -> None:
        dice = random.Random(number)
        for _ in range(300):
            key = dice.randrange(6)
            match dice.randrange(12):
                case 0:
                    thing.clear(key)
                case 1:
                    thing.clear()
                case 2:
                    broken.add(thing(key).number)
                case 3:
                    clock.advance("20s")
                case _:
                    thing(key)

    together(8, work)
    assert settled(thing)
    assert len(ledger.built) == len(ledger.released) + thing.info().entries
    thing.clear()
    assert len(ledger.built) == len(ledger.released)
    assert sum(thing.info().releases.values()) == len(ledger.released)
