"""C1 and C2: one build per key, however many ask, and one failure for all who waited."""

from __future__ import annotations

import threading
import traceback

import pytest

import tenure
from tenure.testing import Clock
from world import Job, Ledger, await_waiting, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


@pytest.mark.parametrize("threads", [2, 16])
def test_c1_one_build_however_many_ask(clock: Clock, ledger: Ledger, threads: int) -> None:
    @tenure.cache_resource
    def thing(key: int) -> object:
        await_waiting(thing, threads - 1)
        return ledger.build(key)

    things = together(threads, lambda _: thing(1))
    assert len(ledger.built) == 1
    assert all(it is things[0] for it in things)
    info = thing.info()
    assert (info.builds, info.entries, info.waiting) == (1, 1, 0)
    assert info.hits + info.misses == threads


def test_c1_builds_of_other_keys_go_on(clock: Clock, ledger: Ledger) -> None:
    """Three builds are under way at once, each needing the others to have begun."""
    all_began = threading.Barrier(3)

    @tenure.cache_resource
    def thing(key: int) -> object:
        all_began.wait(60)
        return ledger.build(key)

    assert [it.name for it in together(3, lambda key: thing(key))] == [0, 1, 2]


def test_c1_rounds_of_clearing_and_asking(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(lambda: ledger.build())
    for round in range(30):
        things = together(8, lambda _: thing())
        assert len(set(map(id, things))) == 1
        assert len(ledger.built) == round + 1
        thing.clear()


def test_c2_a_failure_is_for_all_who_waited_and_the_next_call_builds(clock: Clock, ledger: Ledger) -> None:
    runs = []

    @tenure.cache_resource
    def thing() -> object:
        runs.append(None)
        if len(runs) > 1:
            return ledger.build()
        await_waiting(thing, 5)
        raise OSError("the server is down")

    jobs = [Job(thing) for _ in range(6)]
    errors = [job.error() for job in jobs]
    assert len(runs) == 1
    assert [str(error) for error in errors] == ["the server is down"] * 6
    # The very exception, as the function raised it.
    assert len(set(map(id, errors))) == 1
    assert thing().number == 0
    info = thing.info()
    assert (info.failures, info.builds) == (1, 1)


def test_c2_each_raise_shows_the_way_into_the_build(clock: Clock) -> None:
    def breaks_down() -> None:
        raise OSError("here")

    @tenure.cache_resource
    def thing() -> object:
        breaks_down()
        return None

    for _ in range(3):
        with pytest.raises(OSError, match="here") as raised:
            thing()
        frames = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
        assert frames == ["test_c2_each_raise_shows_the_way_into_the_build", "thing", "breaks_down"]


def test_c2_a_shared_failure_does_not_gather_tracebacks(clock: Clock) -> None:
    @tenure.cache_resource
    def thing() -> object:
        await_waiting(thing, 3)
        raise OSError("once")

    def call() -> int:
        try:
            thing()
        except OSError as error:
            return len(traceback.extract_tb(error.__traceback__))
        raise AssertionError("it did not fail")

    assert all(frames <= 3 for frames in (job.result() for job in [Job(call) for _ in range(4)]))


def test_c2_failures_are_not_kept(clock: Clock) -> None:
    import gc
    import weakref

    class Fails(Exception):
        pass

    @tenure.cache_resource
    def thing() -> object:
        raise Fails

    def seen() -> weakref.ref[Fails]:
        try:
            thing()
        except Fails as error:
            return weakref.ref(error)
        raise AssertionError("it did not fail")

    reference = seen()
    gc.collect()
    assert reference() is None
