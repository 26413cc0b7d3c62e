"""L8: a build whose entry is gone before it ends gives its resource to those who waited, and no one else."""

from __future__ import annotations

import threading

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import Job, Ledger, TestHost, await_waiting, releases, settled, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Slow:
    """A cached function whose builds wait until they are told to go on, each by its number."""

    def __init__(self, ledger: Ledger, **settings: object) -> None:
        self.ledger = ledger
        self.began = [threading.Event() for _ in range(4)]
        self.go_on = [threading.Event() for _ in range(4)]
        self._numbers = iter(range(4))
        self.thing = tenure.cache_resource(self._thing, on_release=self._release, **settings)

    def _thing(self) -> list[object]:
        number = next(self._numbers)
        self.began[number].set()
        wait(self.go_on[number])
        return [self.ledger.build(number)]

    def _release(self, resource: list[object]) -> None:
        self.ledger.release(resource[0])


def test_l8_who_waited_gets_it_and_the_newer_one_stands(clock: Clock, ledger: Ledger) -> None:
    slow = Slow(ledger)
    thing = slow.thing
    old = Job(thing)
    wait(slow.began[0])
    waiter = Job(thing)
    await_waiting(thing, 1)
    thing.clear()

    # The next call does not wait for the orphan: it builds anew, and ends first.
    new = Job(thing)
    wait(slow.began[1])
    slow.go_on[1].set()
    newer = new.result()
    slow.go_on[0].set()
    first = old.result()
    assert waiter.result() is first
    assert first is not newer
    assert thing() is newer
    assert thing.info().entries == 1

    # Both still hold it.
    clock.advance("1h")
    assert ledger.names() == []
    assert first[0].is_open
    del first, old, waiter
    clock.advance("1s")
    assert ledger.names() == [0]
    assert releases(thing) == {"orphaned": 1}
    assert settled(thing)


def test_l8_nobody_waits_for_an_orphan_that_a_call_after_the_clear_would_get(clock: Clock, ledger: Ledger) -> None:
    slow = Slow(ledger)
    old = Job(slow.thing)
    wait(slow.began[0])
    slow.thing.clear()
    slow.go_on[0].set()
    orphan = old.result()
    slow.go_on[1].set()
    assert slow.thing() is not orphan
    assert slow.thing()[0].number == 1


def test_l8_a_session_that_ends_orphans_its_builds(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    slow = Slow(ledger, scope="session")

    def call() -> object:
        with host.serving("ada"):
            return slow.thing()

    job = Job(call)
    wait(slow.began[0])
    _native.end_session("ada")
    slow.go_on[0].set()
    held = job.result()
    clock.advance("1m")
    assert held[0].is_open
    del held, job
    clock.advance("1s")
    assert releases(slow.thing) == {"orphaned": 1}


def test_l8_everything_cleared_orphans_builds_too(clock: Clock, ledger: Ledger) -> None:
    slow = Slow(ledger)
    job = Job(slow.thing)
    wait(slow.began[0])
    tenure.cache_resource.clear()
    slow.go_on[0].set()
    job.result()
    del job
    clock.advance("1s")
    assert releases(slow.thing) == {"orphaned": 1}


def test_l8_a_clear_of_another_key_orphans_nothing(clock: Clock, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource
    def thing(key: int) -> object:
        began.set()
        wait(go_on)
        return ledger.build(key)

    job = Job(lambda: thing(1))
    wait(began)
    thing.clear(2)
    go_on.set()
    assert job.result() is thing(1)


def test_l8_a_drain_bounds_an_orphan(clock: Clock, ledger: Ledger) -> None:
    slow = Slow(ledger, drain="10s")
    job = Job(slow.thing)
    wait(slow.began[0])
    slow.thing.clear()
    slow.go_on[0].set()
    held = job.result()
    clock.advance("9s")
    assert held[0].is_open
    clock.advance("1s")
    assert not held[0].is_open


def test_l8_a_failed_orphan_fails_for_those_who_waited(clock: Clock) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource
    def thing() -> object:
        began.set()
        wait(go_on)
        raise OSError("too late anyway")

    jobs = [Job(thing)]
    wait(began)
    jobs.append(Job(thing))
    await_waiting(thing, 1)
    thing.clear()
    go_on.set()
    assert [type(job.error()) for job in jobs] == [OSError, OSError]
