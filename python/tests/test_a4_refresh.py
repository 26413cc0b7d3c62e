"""A4: a new resource is built beside the callers, who get the old one for as long as that is allowed."""

from __future__ import annotations

import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tenure
from tenure.testing import Clock
from world import Ledger, TestHost, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

BACKGROUND: dict[str, Any] = {"ttl": 60, "refresh_mode": "background"}


def cached(ledger: Ledger, **settings: Any) -> Any:
    return tenure.cache_resource(on_release=ledger.release, **settings)(lambda name=None: ledger.build(name))


def test_a4_a_stale_hit_is_a_hit_and_is_replaced_by_one_build(clock: Clock, ledger: Ledger) -> None:
    thing = cached(ledger, **BACKGROUND)
    first = thing()
    clock.advance(60)
    assert thing() is thing() is first
    assert len(ledger.built) == 1
    clock.advance(0)
    second = thing()
    assert second is not first
    assert ledger.released == [first]
    assert releases(thing) == {"replaced": 1}
    info = thing.info()
    assert (info.hits, info.misses, info.builds) == (3, 1, 2)


def test_a4_nothing_is_shown_for_a_stale_hit(clock: Clock, host: TestHost) -> None:
    built = []

    @tenure.cache_resource(**BACKGROUND)
    def thing() -> object:
        host.put("element")
        built.append(host.session())
        return object()

    with host.serving("ada"):
        thing()
        clock.advance(60)
        thing()
    clock.advance(0)
    assert built == ["ada", None]
    assert len(host.noted("begin")) == 1
    with host.serving("bob"):
        thing()
    # What the last build with a session has put out is put out again.
    assert host.noted("replay") == [["element"], ["element"]]


def test_a4_a_failure_is_logged_and_reaches_no_caller(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    broken = False

    @tenure.cache_resource(max_stale="1h", **BACKGROUND)
    def thing() -> object:
        if broken:
            raise OSError("no route")
        return ledger.build()

    first = thing()
    broken = True
    clock.advance(60)
    with caplog.at_level(logging.ERROR, logger="tenure"):
        thing()
        clock.advance(0)
    (record,) = caplog.records
    assert "thing could not be built anew" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)
    for _ in range(100):
        assert thing() is first
        clock.advance(0)
    assert thing.info().failures == 1, "it pauses"
    broken = False
    clock.advance(61)
    thing()
    clock.advance(0)
    assert thing() is not first


def test_a4_in_the_foreground_the_old_one_stands_in_where_a_build_fails(clock: Clock, ledger: Ledger) -> None:
    broken = False

    @tenure.cache_resource(ttl=60, max_stale=30, on_release=ledger.release)
    def thing() -> object:
        if broken:
            raise OSError("no route")
        return ledger.build()

    first = thing()
    broken = True
    clock.advance(60)
    assert thing() is first
    clock.advance(30)
    with pytest.raises(OSError, match="no route"):
        thing()
    assert ledger.released == [first]


def test_a4_the_same_object_again_is_not_released(clock: Clock, ledger: Ledger) -> None:
    only = ledger.build()
    calls = []
    thing = tenure.cache_resource(on_release=ledger.release, **BACKGROUND)(lambda: calls.append(1) or only)
    thing()
    for round in range(2, 5):
        clock.advance(60)
        assert thing() is only
        clock.advance(0)
        assert len(calls) == round
    assert ledger.released == []
    assert thing.info().renewals == 3
    thing.clear()
    assert ledger.released == [only]


def test_a4_what_is_yielded_is_torn_down_each_for_itself(clock: Clock) -> None:
    order: list[str] = []
    shared = object()
    number = 0

    @tenure.cache_resource(**BACKGROUND)
    def thing() -> Any:
        nonlocal number
        number += 1
        mine = number
        order.append(f"set up {mine}")
        yield shared
        order.append(f"torn down {mine}")

    thing()
    clock.advance(60)
    thing()
    clock.advance(0)
    assert order == ["set up 1", "set up 2", "torn down 1"]
    thing.clear()
    assert order[3:] == ["torn down 2"]


def test_a4_the_replaced_one_drains(clock: Clock, ledger: Ledger) -> None:
    thing = cached(ledger, drain="1h", **BACKGROUND)
    first = thing()
    clock.advance(60)
    thing()
    clock.advance(0)
    assert thing() is not first
    assert ledger.released == []
    ledger.built.clear()
    del first
    clock.advance(1)
    assert len(ledger.released) == 1


def test_a4_a_clear_meanwhile_makes_an_orphan_of_it(clock: Clock) -> None:
    def made(_built: list[object] = []) -> object:  # noqa: B006
        if _built:
            clears = threading.Thread(target=thing.clear)
            clears.start()
            clears.join()
        _built.append(object())
        return _built[-1]

    thing = tenure.cache_resource(made, **BACKGROUND)
    thing()
    clock.advance(60)
    thing()
    clock.advance(0)
    assert releases(thing) == {"cleared": 1, "orphaned": 1}
    assert thing.info().entries == 0


def test_a4_a_clear_before_it_has_begun_leaves_it_nothing_to_do(clock: Clock, ledger: Ledger) -> None:
    thing = cached(ledger, **BACKGROUND)
    thing()
    clock.advance(60)
    thing()
    thing.clear()
    clock.advance(0)
    assert releases(thing) == {"cleared": 1}
    assert thing.info().builds == 1


def test_a4_it_runs_in_the_context_of_the_call_that_began_it(clock: Clock) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")

    @tenure.cache_resource(scope=tenant.get, **BACKGROUND)
    def thing() -> list[str]:
        return [tenant.get()]

    for name in ("ada", "bob"):
        tenant.set(name)
        assert thing() == [name]
    clock.advance(60)
    for name in ("ada", "bob"):
        tenant.set(name)
        assert thing() == [name]
    tenant.set("eve")
    clock.advance(0)
    assert thing.info().builds == 4
    for name in ("ada", "bob"):
        tenant.set(name)
        assert thing() == [name]


def test_a4_what_a_refresh_sets_stays_in_it(clock: Clock) -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="")

    @tenure.cache_resource(**BACKGROUND)
    def thing() -> object:
        mark.set("built")
        return object()

    contextvars.copy_context().run(thing)
    clock.advance(60)
    contextvars.copy_context().run(thing)
    clock.advance(0)
    assert thing.info().builds == 2
    assert mark.get() == ""


def test_a4_a_refresh_that_is_set_off_inside_a_build_is_no_part_of_it(clock: Clock) -> None:
    """C3: it may need what that build builds."""

    @tenure.cache_resource
    def outer() -> tuple[object, object]:
        return object(), inner()

    @tenure.cache_resource(**BACKGROUND)
    def inner() -> object:
        needs.append(outer() if needs else None)
        return object()

    needs: list[object] = []
    inner()
    clock.advance(60)
    outer()
    clock.advance(0)
    assert inner.info().builds == 2


def test_a4_refresh_before_begins_ahead_of_the_end(clock: Clock, ledger: Ledger) -> None:
    thing = cached(ledger, ttl=60, refresh_before=10)
    first = thing()
    clock.advance(49)
    thing()
    clock.advance(0)
    assert len(ledger.built) == 1
    clock.advance(1)
    assert thing() is first
    clock.advance(0)
    assert thing() is not first
    assert releases(thing) == {"replaced": 1}


def test_a4_ahead_refreshes_by_itself_what_is_in_use(clock: Clock, ledger: Ledger) -> None:
    thing = cached(ledger, ttl=60, refresh_mode="ahead")
    thing("used")
    thing("used")
    thing("unused")
    clock.advance(55)
    assert [it.name for it in ledger.built] == ["used", "unused", "used"]
    assert releases(thing) == {"replaced": 1}
    clock.advance("1h")
    assert thing.info().entries == 0


def test_a4_ahead_keeps_no_version_of_a_function_alive(clock: Clock) -> None:
    """F8: an entry does not hold the function that built it."""

    def version() -> Any:
        @tenure.cache_resource(ttl=60, refresh_mode="ahead")
        def thing() -> object:
            return object()

        return thing

    thing = version()
    thing()
    gone = weakref.ref(thing)
    del thing
    gc.collect()
    assert gone() is None


def test_a4_ahead_calls_the_latest_of_those_that_stand_for_one_function(clock: Clock) -> None:
    source = "import tenure\n@tenure.cache_resource(ttl=60, refresh_mode='ahead')\ndef thing():\n    return [run]\n"

    def run(number: int) -> Callable[[], list[int]]:
        names: dict[str, Any] = {"run": number, "__name__": "app"}
        exec(compile(source, "app.py", "exec"), names)
        return names["thing"]  # type: ignore[no-any-return]

    first = run(1)
    assert first() == first() == [1]
    del first
    second = run(2)
    assert second() == [1]
    clock.advance(55)
    assert second() == [2]


def test_a4_no_more_refreshes_run_than_there_are_workers(clock: Clock, ledger: Ledger) -> None:
    thing = cached(ledger, **BACKGROUND)
    tenure.configure(refresh_workers=2)
    for name in range(5):
        thing(name)
    clock.advance(60)
    for name in range(5):
        thing(name)
    clock.advance(0)
    assert len(ledger.built) == 5 + 2
    tenure.configure(refresh_workers=0)
    for name in range(5):
        thing(name)
    clock.advance(0)
    assert len(ledger.built) == 5 + 2


def test_a4_the_arguments_of_the_call_are_given_again(clock: Clock) -> None:
    given: list[Any] = []

    @tenure.cache_resource(**BACKGROUND)
    def thing(*args: Any, **kwargs: Any) -> object:
        given.append((args, kwargs))
        return object()

    def call() -> None:
        thing(1, "two", [3], four={"five": 6})

    call()
    clock.advance(60)
    call()
    clock.advance(0)
    assert given == [((1, "two", [3]), {"four": {"five": 6}})] * 2


@pytest.mark.parametrize("mode", ["background", "ahead"])
def test_a4_arguments_that_were_changed_since_are_not_built_under_the_old_key(
    clock: Clock, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    """K13: what a caller adds to its list is not what another caller asked for."""

    @tenure.cache_resource(ttl=60, refresh_mode=mode, max_stale="1h")
    def thing(names: list[str]) -> list[str]:
        return list(names)

    mine = ["x"]
    thing(mine)
    thing(mine)
    if mode == "background":
        clock.advance(60)
        thing(mine)
    mine.append("secret")
    clock.advance(55)
    assert thing(["x"]) == ["x"]
    assert thing.info().builds == 1
    assert "its arguments have been changed since the call" in caplog.text


def test_a4_methods_are_refreshed_too(clock: Clock) -> None:
    class Shop:
        builds = 0

        @tenure.cache_resource(**BACKGROUND)
        def shelf(_self, name: str) -> list[object]:
            Shop.builds += 1
            return [_self, name]

    shop = Shop()
    shop.shelf("tea")
    clock.advance(60)
    shop.shelf("tea")
    clock.advance(0)
    assert shop.shelf("tea") == [shop, "tea"]
    assert Shop.builds == 2


def test_a4_on_the_real_clock_no_caller_waits(ledger: Ledger) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource(ttl=1e-9, refresh_mode="background", max_stale="1h", on_release=ledger.release)
    def thing() -> object:
        if ledger.built:
            begun.set()
            assert go_on.wait(60)
        return ledger.build()

    first = thing()
    assert thing() is first
    assert begun.wait(60)
    for _ in range(100):
        assert thing() is first
    go_on.set()
    ledger.await_releases(1)
    assert ledger.released == [first]
    thing.clear()
