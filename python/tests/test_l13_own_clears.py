"""L13: a clear concerns what stood before it, and never the build that calls it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import tenure
from tenure.testing import Clock
from world import Job, Ledger, await_waiting, releases, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

WAYS: dict[str, Callable[[Any, str], None]] = {
    "its entry": lambda model, name: model.clear(name),
    "its cache": lambda model, name: model.clear(),
    "everything": lambda model, name: tenure.cache_resource.clear(),
}

ways = pytest.mark.parametrize("clear", WAYS.values(), ids=WAYS.keys())


@ways
def test_l13_a_function_that_clears_while_it_builds_is_kept(clock: Clock, ledger: Ledger, clear: Any) -> None:
    @tenure.cache_resource(on_release=ledger.release)
    def model(name: str) -> object:
        clear(model, name)
        return ledger.build(name)

    first = model("a")
    assert model("a") is first
    assert model.info().builds == 1
    # It is an entry like any other: the next clear is not its own.
    clear(model, "a")
    assert releases(model) == {"cleared": 1}


def test_l13_the_old_one_is_released_before_the_new_one_is_made(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(on_release=ledger.release)
    def model(name: str) -> object:
        model.clear()
        assert not any(thing.is_open for thing in ledger.built)
        return ledger.build(name)

    for name in "abcab":
        assert model(name) is model(name)
    assert ledger.names() == ["a", "b", "c", "a"]
    assert model.info().entries == 1


@ways
def test_l13_through_a_nested_cached_function(clock: Clock, ledger: Ledger, clear: Any) -> None:
    @tenure.cache_resource
    def memory(name: str) -> object:
        clear(model, name)
        return ledger.build(name)

    @tenure.cache_resource
    def model(name: str) -> object:
        return [memory(name)]

    assert model("a") is model("a")
    assert memory("a") is memory("a")


def test_l13_who_waits_gets_what_is_kept(clock: Clock, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource
    def model() -> object:
        began.set()
        wait(go_on)
        model.clear()
        return ledger.build()

    builder = Job(model)
    wait(began)
    waiter = Job(model)
    await_waiting(model, 1)
    go_on.set()
    assert builder.result() is waiter.result() is model()
    assert len(ledger.built) == 1


@ways
def test_l13_a_thread_that_a_build_starts_is_another_caller(clock: Clock, ledger: Ledger, clear: Any) -> None:
    """L8: what it clears is the build that started it, too."""

    @tenure.cache_resource(on_release=lambda it: ledger.release(it[0]))
    def model(name: str) -> object:
        Job(lambda: clear(model, name)).result()
        return [ledger.build(name)]

    model("a")
    clock.advance("1s")
    assert releases(model) == {"orphaned": 1}


def test_l13_a_clear_spares_no_build_of_another_caller(clock: Clock, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource(on_release=lambda it: ledger.release(it[0]))
    def model(name: str) -> object:
        if name == "slow":
            began.set()
            wait(go_on)
        else:
            model.clear()
        return [ledger.build(name)]

    slow = Job(lambda: model("slow"))
    wait(began)
    kept = model("quick")
    go_on.set()
    slow.result()
    assert model("quick") is kept
    assert model.info().entries == 1
