"""L19: `f.discard(resource)` gives back what its user found broken, and nothing else."""

from __future__ import annotations

import pytest

import tenure
from tenure.testing import Clock
from world import Ledger, TestHost, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_l19_a_broken_resource_goes_and_its_successor_stays(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    broken, neighbour = thing("a"), thing("b")
    thing.discard(broken)
    assert ledger.released == [broken]
    successor = thing("a")
    assert successor is not broken
    thing.discard(broken)  # another user of it, who finds out later
    assert thing("a") is successor
    assert thing("b") is neighbour
    assert ledger.released == [broken]
    assert releases(thing) == {"invalid": 1}


def test_l19_a_drain_waits_for_those_who_still_use_it(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(drain="10s", on_release=ledger.release)(lambda: ledger.build())
    broken = thing()
    thing.discard(broken)
    clock.advance("1s")
    assert ledger.released == []
    assert thing() is not broken
    broken = None
    clock.advance("1s")
    assert [it.number for it in ledger.released] == [0]


def test_l19_a_lease_keeps_what_is_discarded_inside_it(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda: ledger.build())
    with thing.lease() as broken:
        thing.discard(broken)
        clock.advance("1s")
        assert ledger.released == []
    clock.advance("1s")
    assert ledger.released == [broken]


def test_l19_a_resource_that_has_ended_otherwise_is_nothing_to_complain_of(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda: ledger.build())
    cleared = thing()
    thing.clear()
    thing.discard(cleared)
    assert releases(thing) == {"cleared": 1}


def test_l19_one_object_under_two_keys_goes_under_both_and_other_functions_keep_it(
    clock: Clock, ledger: Ledger
) -> None:
    shared = ledger.build()
    one = tenure.cache_resource(lambda key: shared)
    two = tenure.cache_resource(lambda: (shared, "two")[0])
    one("a"), one("b"), two()
    one.discard(shared)
    assert releases(one) == {"invalid": 2}
    assert releases(two) == {}
    assert two.info().entries == 1


def test_l19_equal_is_not_the_same(clock: Clock) -> None:
    thing = tenure.cache_resource(lambda key: [1])
    kept = thing("a")
    thing.discard([1])
    assert thing("a") is kept


@pytest.mark.parametrize(("given", "named"), [(None, "None"), ("a.db", "class str"), (object, "class type")])
def test_l19_what_never_was_a_resource_is_refused_with_what_to_write(clock: Clock, given: object, named: str) -> None:
    @tenure.cache_resource
    def connect(url: str) -> list[str]:
        return [url]

    kept = connect("a.db")
    with pytest.raises(TypeError, match=rf"connect\.discard takes a resource .*{named}.*connect\.clear\(\.\.\.\)"):
        connect.discard(given)
    assert connect("a.db") is kept


def test_l19_a_session_and_a_method_give_back_their_own(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    class Store:
        @tenure.cache_resource(scope="session", on_release=ledger.release)
        def table(_self: object) -> object:
            return ledger.build()

    store = Store()
    with host.serving("ada"):
        hers = store.table()
    with host.serving("bob"):
        his = store.table()
        store.table.discard(hers)
        assert store.table() is his
    assert ledger.released == [hers]
    with host.serving("ada"):
        assert store.table() is not hers
