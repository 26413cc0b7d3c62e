"""L15: entries have a weight, and a function and the process have a budget, which holds at every moment."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

import tenure
from tenure.testing import Clock
from world import Ledger, Thing, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


@pytest.fixture(autouse=True)
def unbounded() -> Iterator[None]:
    yield
    tenure.configure()


def weighing(ledger: Ledger, **settings: object) -> object:
    settings = {"weight": lambda thing: thing.name, "on_release": ledger.release, **settings}
    return tenure.cache_resource(**settings)(lambda weight, name=None: ledger.build(weight))


def test_l15_the_one_used_longest_ago_goes_first(clock: Clock, ledger: Ledger) -> None:
    thing = weighing(ledger, max_weight=10)
    thing(3)
    thing(4)
    thing(3)
    assert thing.info().weight == 7
    thing(5)
    assert ledger.names() == [4]
    assert thing.info().weight == 8
    thing(10)
    assert ledger.names() == [4, 3, 5]
    assert releases(thing) == {"evicted": 3}


def test_l15_what_is_heavier_than_all_is_handed_out_and_not_kept(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    thing = weighing(ledger, max_weight=10)
    thing(5)
    assert isinstance(thing(11), Thing)
    assert thing.info().entries == 1
    (record,) = caplog.records
    assert "heavier" in record.getMessage()
    assert "weight=11" in record.getMessage()


def test_l15_a_fixed_weight(clock: Clock, ledger: Ledger) -> None:
    thing = weighing(ledger, weight=4, max_weight=10)
    for name in range(3):
        thing(name)
    assert thing.info().weight == 8
    assert "draining=0, weight=8, releases={" in repr(thing.info())


def test_l15_one_budget_for_the_process(clock: Clock, ledger: Ledger) -> None:
    left, right = (tenure.cache_resource(weight=4, on_release=ledger.release)(build) for build in builders(ledger))
    tenure.configure(max_weight=10)
    left(1)
    right(2)
    left(1)
    left(3)
    assert ledger.names() == [2]
    tenure.configure(max_weight=5)
    assert ledger.names() == [2, 1], "a smaller budget holds at once"
    assert left.info().weight + right.info().weight == 4


def builders(ledger: Ledger) -> tuple[object, object]:
    return lambda name: ledger.build(name), lambda name, other=None: ledger.build(name)


def test_l15_without_weights_a_budget_says_nothing(clock: Clock) -> None:
    tenure.configure(max_weight=1)
    thing = tenure.cache_resource(lambda name: object())
    thing(1), thing(2)
    assert thing.info().entries == 2


@pytest.mark.parametrize(
    ("answer", "error"), [("8 GB", TypeError), (-1, ValueError), (True, TypeError), (float("nan"), ValueError)]
)
def test_l15_an_answer_that_is_no_weight_is_an_error_of_the_call(
    clock: Clock, ledger: Ledger, answer: object, error: type[Exception]
) -> None:
    thing = weighing(ledger, weight=lambda thing: answer)
    with pytest.raises(error, match=r"weight of .* returned .*\. Accepted are a number"):
        thing(1)
    assert releases(thing) == {"orphaned": 1}


def test_l15_one_that_raises_ends_the_call(clock: Clock, ledger: Ledger) -> None:
    thing = weighing(ledger, weight=lambda thing: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        thing(1)
    # The traceback held the resource.
    gc.collect()
    clock.advance(1)
    assert releases(thing) == {"orphaned": 1}


def test_l15_the_budget_holds_under_threads(ledger: Ledger) -> None:
    thing = weighing(ledger, weight=3)
    tenure.configure(max_weight=20)
    most: list[int] = []

    def work(seed: int) -> None:
        for number in range(300):
            thing((seed * 7 + number) % 17)
            most.append(thing.info().weight)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 20
    thing.clear()
    assert len(ledger.built) == len(ledger.released)
