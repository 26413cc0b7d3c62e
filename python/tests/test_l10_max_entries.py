"""L10: `max_entries` holds at every moment, the oldest goes first, and nothing is kept for keys that are gone."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc

import pytest

import tenure
from tenure.testing import Clock
from world import Job, Ledger, TestHost, releases, together, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_l10_the_oldest_goes_first_however_often_it_was_used(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_entries=3, on_release=ledger.release)(lambda key: ledger.build(key))
    for key in "abc":
        thing(key)
    for _ in range(10):
        thing("a")
    thing("d")
    assert ledger.names() == ["a"]
    thing("a")
    assert ledger.names() == ["a", "b"]
    assert releases(thing) == {"evicted": 2}
    assert thing.info().entries == 3


def test_l10_holds_while_threads_build(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_entries=2, on_release=ledger.release)(lambda key: ledger.build(key))

    def work(number: int) -> None:
        for round in range(100):
            thing(number * 1000 + round)
            assert thing.info().entries <= 2

    together(6, work)
    assert thing.info().entries == 2
    assert len(ledger.released) == len(ledger.built) - 2


def test_l10_holds_for_each_session_by_itself(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_entries=1, scope="session", on_release=ledger.release)(
        lambda key: ledger.build(key)
    )
    with host.serving("ada"):
        thing(1)
    with host.serving("bob"):
        thing(2)
    assert ledger.released == []
    with host.serving("ada"):
        thing(3)
    assert ledger.names() == [1]


def test_l10_a_build_under_way_takes_no_place(clock: Clock, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource(max_entries=1)
    def thing(key: str) -> object:
        if key == "slow":
            began.set()
            wait(go_on)
        return ledger.build(key)

    kept = thing("kept")
    job = Job(lambda: thing("slow"))
    wait(began)
    assert thing("kept") is kept
    go_on.set()
    assert job.result() is thing("slow")
    assert thing.info().entries == 1


def test_l10_nothing_is_kept_for_keys_that_are_gone(clock: Clock) -> None:
    nothing = object()
    thing = tenure.cache_resource(max_entries=10)(lambda key: nothing)
    for key in range(1000):
        thing(f"key {key}")
    before = sys.getallocatedblocks()
    for key in range(1000, 21_000):
        thing(f"key {key}")
    assert sys.getallocatedblocks() - before < 500
    assert thing.info().entries == 10


def test_l10_arguments_are_not_kept(clock: Clock) -> None:
    """An entry holds its key, not the objects that were passed."""
    tracemalloc.start()
    thing = tenure.cache_resource(lambda data, _extra: object())
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20):
        thing(bytes([number]) * 1_000_000, [0] * 100_000)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert thing.info().entries == 20
    assert after - before < 1_000_000
