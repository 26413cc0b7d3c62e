"""L14: what nobody has asked for in a while, and nobody holds, is released with nobody calling."""

from __future__ import annotations

import logging

import pytest

import tenure
from tenure.testing import Clock
from world import Ledger, Thing, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_l14_what_nobody_asks_for_goes(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_idle="1m", on_release=ledger.release)(lambda name: Thing(name, 0))
    for name in "abc":
        thing(name)
    clock.advance(40)
    thing("b")
    clock.advance(20)
    assert ledger.names() == ["a", "c"]
    for _ in range(10):
        thing("b")
        clock.advance(59)
    assert thing.info().entries == 1
    clock.advance(1)
    assert ledger.names() == ["a", "c", "b"]
    assert releases(thing) == {"idle": 3}


def test_l14_what_somebody_holds_stays_until_it_is_let_go(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_idle=60, on_release=ledger.release)(lambda: Thing("held", 0))
    held = thing()
    clock.advance(600)
    assert thing.peek() is held
    del held
    clock.advance(1)
    assert releases(thing) == {"idle": 1}


def test_l14_a_lease_holds_too(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_idle=60, on_release=ledger.release)(lambda: Thing("leased", 0))
    with thing.lease():
        clock.advance(600)
        assert thing.info().entries == 1
    clock.advance(1)
    assert releases(thing) == {"idle": 1}


def test_l14_a_look_is_no_use(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_idle=60, on_release=ledger.release)(lambda: Thing("looked at", 0))
    thing()
    clock.advance(50)
    thing.peek()
    thing.info()
    clock.advance(10)
    assert releases(thing) == {"idle": 1}


def test_l14_checked_accesses_count_as_use(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(max_idle=60, validate=lambda it: True)(lambda: object())
    thing()
    for _ in range(5):
        clock.advance(50)
        thing()
    assert thing.info().builds == 1


def test_l14_the_log_tells_what_went_and_why(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """L15: of weights too; of a cache that is full by number it does not."""
    idle = tenure.cache_resource(max_idle="1m", weight=7)(lambda: object())
    heavy = tenure.cache_resource(weight=len, max_weight=10)(lambda name: name * 6)
    full = tenure.cache_resource(max_entries=1)(lambda name: object())

    def all_of_it() -> list[str]:
        caplog.clear()
        idle()
        clock.advance(61)
        heavy("a"), heavy("b")
        full("a"), full("b")
        heavy.clear()
        return [record.getMessage().rpartition("<locals>.")[2] for record in caplog.records]

    with caplog.at_level(logging.INFO, logger="tenure"):
        assert all_of_it() == [
            "<lambda>: released, since nobody asked for it within max_idle (weight=7)",
            "<lambda>: released, to make room for another (weight=6)",
        ]
    with caplog.at_level(logging.WARNING, logger="tenure"):
        assert all_of_it() == []
