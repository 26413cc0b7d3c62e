"""L5: with `drain`, a release waits until nobody uses the resource any more, for so long at most."""

from __future__ import annotations

import gc
import logging
import threading

import pytest

import tenure
import tenure.testing
from tenure import _native
from tenure.testing import Clock
from world import Job, Ledger, TestHost, Thing, releases, settled, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def drained(ledger: Ledger, drain: str | None = "10s", **settings: object) -> object:
    @tenure.cache_resource(drain=drain, on_release=release_by_name(ledger), **settings)
    def thing(key: int = 0) -> object:
        return ledger_build(ledger, key)

    return thing


class Part:
    """A resource that the ledger of the test does not hold: it keeps a note of it."""

    def __init__(self, note: Thing) -> None:
        self.note = note


def ledger_build(ledger: Ledger, key: object) -> Part:
    return Part(ledger.build(key))


def release_by_name(ledger: Ledger) -> object:
    return lambda part: ledger.release(part.note)


def test_l5_without_drain_a_release_is_at_once(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger, drain=None)
    held = thing()
    thing.clear()
    assert ledger.names() == [0]
    assert not held.note.is_open


def test_l5_a_release_waits_for_the_last_reference(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger)
    held, also = thing(), [thing()]
    thing.clear()
    clock.advance("1s")
    assert held.note.is_open
    assert thing.info().draining == 1
    del held
    clock.advance("1s")
    assert also[0].note.is_open
    also.clear()
    clock.advance("1s")
    assert ledger.names() == [0]
    assert releases(thing) == {"cleared": 1}
    assert settled(thing)


def test_l5_what_nobody_uses_is_released_at_once(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger)
    thing()
    thing.clear()
    assert ledger.names() == [0]


def test_l5_what_drains_is_not_handed_out_again(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger)
    held = thing()
    thing.clear()
    assert thing() is not held
    assert thing().note.number == 1
    assert held.note.is_open


def test_l5_at_the_latest_after_the_time_and_with_a_warning(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    thing = drained(ledger)
    held = thing()
    thing.clear()
    clock.advance("9.9s")
    assert held.note.is_open
    with caplog.at_level(logging.WARNING, "tenure"):
        clock.advance("0.1s")
    assert not held.note.is_open
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "drained.<locals>.thing" in record.getMessage()
    assert "still in use" in record.getMessage()


@pytest.mark.parametrize("cause", ["evicted", "expired", "cleared", "invalid", "session_ended"])
def test_l5_whatever_the_cause(clock: Clock, host: TestHost, ledger: Ledger, cause: str) -> None:
    bad = set()
    thing = drained(
        ledger,
        max_entries=1,
        ttl="1m",
        scope="session",
        validate=lambda part: part.note.number not in bad,
    )
    with host.serving("ada"):
        held = thing(1)
        match cause:
            case "evicted":
                thing(2)
            case "expired":
                clock.advance("1m")
            case "cleared":
                thing.clear(1)
            case "invalid":
                bad.add(0)
                thing(1)
    if cause == "session_ended":
        _native.end_session("ada")
    clock.advance("1s")
    assert held.note.is_open
    assert thing.info().draining == 1
    del held
    clock.advance("1s")
    assert 0 in [it.number for it in ledger.released]
    assert releases(thing)[cause] == 1


def test_l5_the_end_of_the_process_does_not_wait(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger, drain="1h")
    held, draining = thing(1), thing(2)
    thing.clear(2)
    assert _native.shutdown()
    assert ledger.names() == [2, 1]
    assert not held.note.is_open
    assert not draining.note.is_open


def test_l5_configure_sets_it_for_all_and_a_function_for_itself(clock: Clock, ledger: Ledger) -> None:
    tenure.configure(drain="10s")
    as_configured, its_own = drained(ledger, drain=None), drained(ledger, drain="1m")
    held = [as_configured(1), its_own(2)]
    as_configured.clear()
    its_own.clear()
    clock.advance("10s")
    assert ledger.names() == [1]
    clock.advance("50s")
    assert ledger.names() == [1, 2]
    tenure.configure()
    held.append(as_configured(3))
    as_configured.clear()
    assert ledger.names() == [1, 2, 3]


def test_l5_references_from_before_do_not_count(clock: Clock, ledger: Ledger) -> None:
    """A resource that keeps itself in a list of its own, as many clients do, is not in use for that."""
    everyone = []

    def thing() -> Part:
        part = ledger_build(ledger, 0)
        everyone.append(part)
        return part

    thing = tenure.cache_resource(thing, drain="10s", on_release=release_by_name(ledger))
    held = thing()
    thing.clear()
    clock.advance("1s")
    assert held.note.is_open
    del held
    clock.advance("1s")
    assert not everyone[0].note.is_open


def test_l5_what_refers_to_the_resource_holds_it(clock: Clock, ledger: Ledger) -> None:
    """A cursor that knows its connection, a bound method, an iterator."""
    thing = drained(ledger)

    class Cursor:
        def __init__(self, part: Part) -> None:
            self.part = part

    cursor = Cursor(thing())
    thing.clear()
    clock.advance("1s")
    assert cursor.part.note.is_open
    del cursor
    clock.advance("1s")
    assert ledger.names() == [0]


def test_l5_a_weak_reference_does_not_hold_it(clock: Clock, ledger: Ledger) -> None:
    import weakref

    thing = drained(ledger)
    reference = weakref.ref(thing())
    thing.clear()
    assert ledger.names() == [0]
    assert reference() is None


def test_l5_shared_constants_are_in_nobodys_use(clock: Clock, ledger: Ledger) -> None:
    released = []
    for value in (None, True, 7, "text", b"bytes", 1.5):
        thing = tenure.cache_resource(drain="1h", on_release=released.append)(lambda value=value: value)
        held = thing()
        thing.clear()
        assert released.pop() is held


def test_l5_a_caller_on_another_thread_holds_it(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger)
    has_it, go_on = threading.Event(), threading.Event()

    def use() -> bool:
        part = thing()
        has_it.set()
        wait(go_on)
        return part.note.is_open

    job = Job(use)
    wait(has_it)
    thing.clear()
    clock.advance("5s")
    go_on.set()
    assert job.result() is True
    clock.advance("1s")
    assert ledger.names() == [0]


def test_l5_a_lease_holds_the_resource_for_its_block(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger)
    with thing.lease(1) as part:
        note = part.note
        del part
        thing.clear()
        clock.advance("5s")
        assert note.is_open
        assert thing.info().draining == 1
    clock.advance("1s")
    assert not note.is_open


def test_l5_a_lease_holds_it_without_a_drain_too(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger, drain=None)
    with thing.lease(1) as part:
        note = part.note
        thing.clear()
        clock.advance("1d")
        assert note.is_open
        assert thing.lease(1).__enter__() is not part
    # References do not count without a drain, leases do.
    clock.advance("1s")
    assert not note.is_open
    assert part.note is note


@pytest.mark.parametrize("drain", [None, "10s"])
def test_l5_what_waits_for_a_lease_is_released_with_the_end_of_its_block(ledger: Ledger, drain: str | None) -> None:
    """L5: by the thread that ends it, on any clock, and under whichever engine it was lent."""
    thing = drained(ledger, drain)
    with thing.lease(1):
        thing.clear()
        assert thing.info().draining == 1
    assert (thing.info().draining, ledger.names()) == (0, [1])
    lease = thing.lease(2)
    lease.__enter__()
    thing.clear()
    with tenure.testing.isolated():
        lease.__exit__(None, None, None)
        assert ledger.names() == [1, 2]


def test_l5_a_drain_bounds_a_lease(clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    thing = drained(ledger)
    with thing.lease(1) as part, caplog.at_level(logging.WARNING, "tenure"):
        thing.clear()
        clock.advance("10s")
        assert not part.note.is_open
    assert len(caplog.records) == 1
    assert releases(thing) == {"cleared": 1}


def test_l5_the_end_of_the_process_does_not_wait_for_leases(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger, drain=None)
    with thing.lease(1), thing.lease(2):
        thing.clear(2)
        assert _native.shutdown()
        assert ledger.names() == [2, 1]


def test_l5_one_lease_of_several_is_enough(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger)
    lease = thing.lease(1)
    with lease as part:
        note = part.note
        with lease as again, thing.lease(key=1) as other:
            assert part is again is other
            del part, again, other
            thing.clear()
        clock.advance("5s")
        assert note.is_open
    clock.advance("1s")
    assert not note.is_open


def test_l5_a_lease_ends_with_an_exception(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger)
    with pytest.raises(OSError, match="in the block"), thing.lease(1):
        raise OSError("in the block")
    thing.clear()
    gc.collect()
    clock.advance("1s")
    assert ledger.names() == [1]


def test_l5_a_lease_whose_block_was_never_left_ends_with_its_object(clock: Clock, ledger: Ledger) -> None:
    thing = drained(ledger, drain=None)
    lease = thing.lease(1)
    lease.__enter__()
    thing.clear()
    clock.advance("1h")
    assert ledger.released == []
    del lease
    clock.advance("1s")
    assert ledger.names() == [1]


def test_l5_a_method_can_be_leased(clock: Clock, ledger: Ledger) -> None:
    class Shop:
        @tenure.cache_resource(drain="10s", on_release=release_by_name(ledger))
        def till(_self, number: int) -> Part:
            return ledger_build(ledger, number)

    shop = Shop()
    with shop.till.lease(3) as till:
        assert till is shop.till(3)
        shop.till.clear(3)
        clock.advance("1s")
        assert till.note.is_open


def test_l5_on_the_system_clock_a_drain_ends_by_itself(ledger: Ledger) -> None:
    thing = drained(ledger, drain="1h")
    held = thing()
    thing.clear()
    assert held.note.is_open
    del held
    ledger.await_releases(1)


def test_l5_on_the_system_clock_a_drain_is_bounded(ledger: Ledger) -> None:
    thing = drained(ledger, drain=0.02)
    held = thing()
    thing.clear()
    ledger.await_releases(1)
    assert not held.note.is_open
