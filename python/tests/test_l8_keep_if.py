"""L8, L9: `keep_if` says whether what a build gave is kept; what is not is released once its callers let go."""

from __future__ import annotations

import gc
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import tenure
from tenure.testing import Clock
from test_l7_fork import run
from world import Job, Ledger, TestHost, await_waiting, releases, settled, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Box:
    """A resource that the ledger itself does not hold."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing


def boxes(ledger: Ledger, **settings: Any) -> Any:
    return tenure.cache_resource(
        lambda key=0: Box(ledger.build(key)), on_release=lambda box: ledger.release(box.thing), **settings
    )


def test_l8_what_is_not_kept_goes_to_its_caller_and_is_released_after(clock: Clock, ledger: Ledger) -> None:
    thing = boxes(ledger, keep_if=lambda box: box.thing.number > 0)
    first = thing()
    assert first.thing.number == 0
    assert (thing.info().entries, thing.peek()) == (0, None)
    clock.advance("1h")
    assert first.thing.is_open, "it is in use"
    del first
    clock.advance("1s")
    assert [it.number for it in ledger.released] == [0]
    assert releases(thing) == {"orphaned": 1}
    second = thing()
    assert second.thing.number == 1
    assert thing() is second
    assert settled(thing)


def test_l8_asked_once_of_each_build_and_of_no_hit(clock: Clock) -> None:
    asked: list[object] = []

    def keep_if(it: object) -> bool:
        asked.append(it)
        return True

    thing = tenure.cache_resource(keep_if=keep_if)(lambda key: [key])
    first, second = thing(1), thing(2)
    assert thing(1) is first
    assert asked == [first, second]


def test_l8_none_need_not_be_kept(clock: Clock) -> None:
    found = [None, None, "a row"]
    thing = tenure.cache_resource(keep_if=lambda row: row is not None)(lambda: found.pop(0))
    assert [thing(), thing(), thing(), thing()] == [None, None, "a row", "a row"]
    assert releases(thing) == {"orphaned": 2}


def test_l8_all_who_waited_get_it_and_it_lives_until_the_last_has_let_go(clock: Clock, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource(keep_if=lambda box: False, on_release=lambda box: ledger.release(box.thing))
    def thing() -> Box:
        began.set()
        wait(go_on)
        return Box(ledger.build())

    jobs = [Job(thing)]
    wait(began)
    jobs.append(Job(thing))
    await_waiting(thing, 1)
    go_on.set()
    got = [job.result() for job in jobs]
    assert got[0] is got[1]
    assert thing.info().builds == 1
    del jobs, got[0]
    clock.advance("1s")
    assert ledger.released == []
    got.clear()
    clock.advance("1s")
    assert releases(thing) == {"orphaned": 1}


def test_l8_a_lease_keeps_what_is_not_kept(clock: Clock, ledger: Ledger) -> None:
    thing = boxes(ledger, keep_if=lambda box: False)
    with thing.lease() as box:
        inner = box.thing
        del box
        clock.advance("1h")
        assert inner.is_open
    clock.advance("1s")
    assert not inner.is_open


def test_l10_what_is_not_kept_pushes_nothing_out(clock: Clock, ledger: Ledger) -> None:
    thing = boxes(ledger, keep_if=lambda box: box.thing.name == "good", max_entries=1)
    good = thing("good")
    thing("bad")
    assert thing("good") is good


def test_s2_in_a_session_too(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = boxes(ledger, keep_if=lambda box: box.thing.number > 0, scope="session")
    with host.serving("ada"):
        thing()
        kept = thing()
        assert thing() is kept
    clock.advance("1s")
    assert [it.number for it in ledger.released] == [0]


def test_l9_one_that_raises_keeps_nothing_and_is_logged(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    def keep_if(box: Box) -> bool:
        if box.thing.number == 0:
            raise OSError("no answer")
        return True

    @tenure.cache_resource(keep_if=keep_if)
    def warehouse() -> Box:
        return Box(ledger.build())

    with caplog.at_level(logging.ERROR, "tenure"):
        assert warehouse().thing.number == 0
    (record,) = caplog.records
    assert "warehouse" in record.getMessage()
    assert "keep_if" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no answer"
    assert record.exc_info[2].tb_frame.f_code.co_name == "keep_if"
    assert warehouse().thing.number == 1
    assert warehouse.info().entries == 1


@pytest.mark.parametrize("verdict", [None, 1, 0, "yes", "", [], object()])
def test_l9_what_is_not_a_boolean_is_an_error(clock: Clock, ledger: Ledger, verdict: object) -> None:
    @tenure.cache_resource(keep_if=lambda it: verdict, on_release=lambda box: ledger.release(box.thing))
    def warehouse() -> Box:
        return Box(ledger.build())

    said = f"keep_if of .*warehouse must return True or False, not .*{type(verdict).__name__}.*Example: keep_if="
    with pytest.raises(TypeError, match=said) as raised:
        warehouse()
    assert warehouse.info().entries == 0
    del raised
    gc.collect()
    clock.advance("1s")
    assert len(ledger.released) == 1
    assert releases(warehouse) == {"orphaned": 1}


def test_l9_an_interruption_goes_through_and_nothing_is_lost(clock: Clock, ledger: Ledger) -> None:
    stop = [True]

    def keep_if(it: object) -> bool:
        if stop.pop():
            raise KeyboardInterrupt
        return True

    thing = boxes(ledger, keep_if=keep_if)
    with pytest.raises(KeyboardInterrupt):
        thing()
    stop.append(False)
    gc.collect()
    clock.advance("1s")
    assert len(ledger.released) == 1
    assert thing() is thing()


def test_l2_the_question_may_use_the_cache(clock: Clock, ledger: Ledger) -> None:
    other = tenure.cache_resource(lambda: [])

    def keep_if(box: Box) -> bool:
        other()
        thing.clear()
        thing.peek(box.thing.name)
        thing.clear_if(lambda it, info: True)
        return True

    thing = boxes(ledger, keep_if=keep_if)
    kept = Job(lambda: thing(1)).result()
    # L13: a clear from inside concerns what stood before.
    assert thing(1) is kept


def test_c3_one_that_needs_its_own_entry_is_a_cycle(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    thing = tenure.cache_resource(keep_if=lambda it: thing() is not None)(lambda: [])
    with caplog.at_level(logging.ERROR, "tenure"):
        Job(thing).result()
    (record,) = caplog.records
    assert isinstance(record.exc_info[1], tenure.CacheCycleError)
    assert thing.info().entries == 0


@pytest.mark.parametrize(("value", "said"), [(True, "True"), ("ok", "'ok'")])
def test_l11_what_is_no_function_is_refused_where_the_decorator_stands(value: Any, said: str) -> None:
    with pytest.raises(TypeError, match=f"keep_if must be a function.*{said}.*keep_if=lambda"):
        tenure.cache_resource(keep_if=value)


def test_l11_an_async_one_is_refused() -> None:
    async def keep_if(it: object) -> bool:
        return True

    with pytest.raises(TypeError, match="keep_if cannot be an async function"):
        tenure.cache_resource(keep_if=keep_if)


def test_f7_two_functions_that_keep_by_other_rules_live_side_by_side(clock: Clock) -> None:
    def make(least: int) -> Any:
        @tenure.cache_resource(keep_if=lambda it: it[0] >= least)
        def thing(key: int) -> list[int]:
            return [key]

        return thing

    all_of_them, few = make(0), make(5)
    kept = all_of_them(1)
    assert few(1) is not kept
    assert all_of_them(1) is kept
    assert make(0)(1) is kept


def test_f4_a_method_keeps_by_the_same_rule(clock: Clock) -> None:
    class Store:
        @tenure.cache_resource(keep_if=lambda rows: rows != [])
        def rows(_self: object, table: str) -> list[str]:
            return [table] if table else []

    store = Store()
    assert store.rows("a") is store.rows("a")
    assert store.rows("") is not store.rows("")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_l7_a_question_that_forks(tmp_path: Path) -> None:
    """Both go on: each has its own resource, and the child releases nothing of its parent's."""
    notes = run(
        tmp_path,
        """
children = []

def keep_if(it):
    if not children:
        children.append(os.fork())
    return True

@tenure.cache_resource(keep_if=keep_if, on_release=release)
def splits():
    return Thing("splits")

assert splits() is splits()
assert splits().made_by == who()
if children[0] == 0:
    sys.exit(0)
assert os.waitpid(children[0], 0)[1] == 0
""",
    )
    assert [note for note in notes if note.startswith("child")] == [
        "child builds splits",
        "child releases splits of child",
    ]
    assert [note for note in notes if note.startswith("parent")] == [
        "parent builds splits",
        "parent releases splits of parent",
    ]
