"""L9: `validate` says whether a resource is still good, and what else it does is logged or refused."""

from __future__ import annotations

import logging

import pytest

import tenure
from tenure.testing import Clock
from world import Ledger, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_l9_asked_at_each_access_and_not_at_the_build(clock: Clock, ledger: Ledger) -> None:
    asked = []

    def validate(it: object) -> bool:
        asked.append(it)
        return True

    thing = tenure.cache_resource(validate=validate)(lambda: ledger.build())
    first = thing()
    assert asked == []
    assert thing() is thing() is first
    assert asked == [first, first]


def test_l9_false_releases_and_builds_anew(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(validate=lambda it: it.number != 0, on_release=ledger.release)(lambda: ledger.build())
    first = thing()
    second = thing()
    assert second is not first
    assert ledger.released == [first]
    assert thing() is second
    assert releases(thing) == {"invalid": 1}
    info = thing.info()
    assert (info.builds, info.misses, info.hits) == (2, 2, 1)


def test_l9_released_before_the_new_one_is_built(clock: Clock, ledger: Ledger) -> None:
    """A port, a lock file: the new one may need what the old one holds."""
    order = []

    @tenure.cache_resource(validate=lambda it: False, on_release=lambda it: order.append("release"))
    def thing() -> object:
        order.append("build")
        return ledger.build()

    thing()
    thing()
    assert order == ["build", "release", "build"]


def test_l9_one_that_raises_counts_as_false_and_is_logged(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    def validate(it: object) -> bool:
        if it.number == 0:
            raise OSError("no answer")
        return True

    @tenure.cache_resource(validate=validate, on_release=ledger.release)
    def warehouse() -> object:
        return ledger.build()

    first = warehouse()
    with caplog.at_level(logging.ERROR, "tenure"):
        assert warehouse() is not first
    assert ledger.released == [first]
    (record,) = caplog.records
    assert "warehouse" in record.getMessage()
    assert "validate" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no answer"
    assert record.exc_info[2].tb_frame.f_code.co_name == "validate"


@pytest.mark.parametrize("verdict", [None, 1, 0, "yes", "", [], object()])
def test_l9_what_is_not_a_boolean_is_an_error(clock: Clock, ledger: Ledger, verdict: object) -> None:
    @tenure.cache_resource(validate=lambda it: verdict, on_release=ledger.release)
    def warehouse() -> object:
        return ledger.build()

    warehouse()
    with pytest.raises(TypeError, match=f"warehouse must return True or False, not .*{type(verdict).__name__}"):
        warehouse()
    # The entry stays: it was not found bad.
    assert ledger.released == []
    info = warehouse.info()
    assert (info.entries, info.hits, info.misses) == (1, 0, 1)  # A call that raises by itself is neither.


def test_l9_an_interruption_goes_through_and_the_entry_stays(clock: Clock, ledger: Ledger) -> None:
    stop = [KeyboardInterrupt()]

    def validate(it: object) -> bool:
        if stop:
            raise stop.pop()
        return True

    thing = tenure.cache_resource(validate=validate, on_release=ledger.release)(lambda: ledger.build())
    first = thing()
    with pytest.raises(KeyboardInterrupt):
        thing()
    assert thing() is first


def test_l9_what_ended_during_its_check_is_not_handed_out(clock: Clock, ledger: Ledger) -> None:
    once = [None]

    def validate(it: object) -> bool:
        if once:
            once.pop()
            thing.clear()
        return True

    thing = tenure.cache_resource(validate=validate, on_release=ledger.release)(lambda: ledger.build())
    first = thing()
    assert thing() is not first
    assert ledger.released == [first]


def test_l9_a_check_that_asks_for_what_it_checks_is_a_cycle(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """L9, C3: it would ask itself for ever; the entry is built anew, as after any check that raises."""

    @tenure.cache_resource(validate=lambda it: thing() is it, on_release=ledger.release)
    def thing() -> object:
        return ledger.build()

    first = thing()
    with caplog.at_level(logging.WARNING, "tenure"):
        second = thing()
    assert second is not first
    assert ledger.released == [first]
    (record,) = (record for record in caplog.records if "validate" in record.getMessage())
    assert record.exc_info is not None
    assert record.exc_info[0] is tenure.CacheCycleError


def test_l9_a_check_may_ask_for_another_entry_of_its_function(clock: Clock) -> None:
    @tenure.cache_resource(validate=lambda it: it[0] == 0 or thing(it[0] - 1) is not None)
    def thing(left: int) -> list[int]:
        return [left]

    kept = [thing(0), thing(1), thing(2)]
    assert [thing(0), thing(1), thing(2)] == kept
    assert thing.info().builds == 3
