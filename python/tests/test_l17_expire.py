"""L17: a resource may have an age of its own, and what is expired is refreshed or goes."""

from __future__ import annotations

from datetime import timedelta

import pytest

import tenure
from tenure.testing import Clock
from world import Ledger, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def lives(ledger: Ledger, times: dict[str, object]) -> object:
    return tenure.cache_resource(ttl=lambda thing: times[thing.name], on_release=ledger.release)(
        lambda name: ledger.build(name)
    )


def test_l17_each_resource_has_its_own_age(clock: Clock, ledger: Ledger) -> None:
    times = {"a": 30, "b": "10s", "c": timedelta(seconds=20), "d": None}
    thing = lives(ledger, times)
    for name in times:
        thing(name)
    clock.advance(10)
    assert ledger.names() == ["b"]
    clock.advance(10)
    assert ledger.names() == ["b", "c"]
    clock.advance(10)
    assert ledger.names() == ["b", "c", "a"]
    clock.advance("100000D")
    assert thing.info().entries == 1


@pytest.mark.parametrize("over", [0, -5, timedelta(seconds=-1), timedelta()], ids=repr)
def test_l17_one_that_is_too_old_as_it_comes_is_not_kept(clock: Clock, ledger: Ledger, over: object) -> None:
    thing = lives(ledger, {"a": over})
    assert thing("a") is not thing("a")
    ledger.built.clear()
    clock.advance(1)
    assert thing.info().entries == 0
    assert releases(thing) == {"orphaned": 2}


def test_l17_an_age_that_cannot_be_is_an_error_of_the_call(clock: Clock, ledger: Ledger) -> None:
    thing = lives(ledger, {"a": "soon", "b": [60], "c": float("nan")})
    for name, error in [("a", ValueError), ("b", TypeError), ("c", ValueError)]:
        with pytest.raises(error, match="ttl of"):
            thing(name)
    assert releases(thing) == {"orphaned": 3}


def test_l17_expire_by_arguments_and_of_everything(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(ttl="1h", on_release=ledger.release)(lambda name, size=4: ledger.build(name))
    for name in "abc":
        thing(name)
    thing.expire("b", 4)
    assert ledger.names() == ["b"]
    thing.expire()
    assert ledger.names() == ["b", "c", "a"]  # the last built first, as in a clear
    assert releases(thing) == {"expired": 3}


def test_l17_what_may_be_stale_stays_until_it_is_refreshed(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(ttl="1h", refresh_mode="background", on_release=ledger.release)(ledger.build)
    first = thing()
    thing.expire()
    assert thing() is first
    clock.advance(0)
    assert thing() is not first
    assert releases(thing) == {"replaced": 1}


def test_l17_no_longer_than_max_stale_allows(clock: Clock, ledger: Ledger) -> None:
    broken = False

    @tenure.cache_resource(max_stale=10, on_release=ledger.release)
    def thing() -> object:
        if broken:
            raise OSError("no route")
        return ledger.build()

    first = thing()
    broken = True
    thing.expire()
    clock.advance(9)
    assert thing() is first
    thing.expire()
    clock.advance(1)
    with pytest.raises(OSError, match="no route"):
        thing()
    assert releases(thing) == {"expired": 1}


def test_l17_a_method_expires_for_its_instance(clock: Clock) -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @tenure.cache_resource(ttl="1h")
        def shelf(self, what: str) -> list[str]:
            return [self.name, what]

    tea, book = Shop("tea"), Shop("book")
    tea.shelf("x"), book.shelf("x")
    tea.shelf.expire("x")
    assert book.shelf.peek("x") is not None
    assert tea.shelf.peek("x") is None
    tea.shelf.expire()
    assert book.shelf.peek("x") is None
