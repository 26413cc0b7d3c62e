"""A5, A2: set-up and teardown in one function, sync and async; callbacks that await."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import tenure
import tenure.testing
from loops import Loop, by_asyncio, cancels_all, on_every_loop, outcome, until
from tenure import CacheCycleError
from world import LOST, Ledger, Thing, releases, settled, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def functions(ledger: Ledger, **settings: Any) -> dict[str, Any]:
    """A cached function of each shape that leaves its resource, synchronous ones."""

    def yields(key: int = 0) -> Iterator[Thing]:
        thing = ledger.build(key)
        yield thing
        ledger.release(thing)

    manager = contextlib.contextmanager(yields)

    def enters(key: int = 0) -> Any:
        return manager(key)

    cache = tenure.cache_resource
    return {"yields": cache(**settings)(yields), "enters": cache(enter=True, **settings)(enters)}


def async_functions(ledger: Ledger, **settings: Any) -> dict[str, Any]:
    async def yields(key: int = 0) -> AsyncIterator[Thing]:
        await asyncio.sleep(0)
        thing = ledger.build(key)
        yield thing
        await asyncio.sleep(0)
        ledger.release(thing)

    manager = contextlib.asynccontextmanager(yields)
    blocking = contextlib.contextmanager(lambda key: sync(key))

    def sync(key: int) -> Iterator[Thing]:
        thing = ledger.build(key)
        yield thing
        ledger.release(thing)

    async def enters(key: int = 0) -> Any:
        return manager(key)

    async def enters_blocking(key: int = 0) -> Any:
        return blocking(key)

    cache = tenure.cache_resource
    return {
        "yields": cache(**settings)(yields),
        "enters": cache(enter=True, **settings)(enters),
        "enters_blocking": cache(enter=True, **settings)(enters_blocking),
    }


SYNC = pytest.mark.parametrize("shape", ["yields", "enters"])
ASYNC = pytest.mark.parametrize("shape", ["yields", "enters", "enters_blocking"])


@SYNC
@pytest.mark.parametrize("cause", ["cleared", "evicted", "expired", "invalid", "orphaned", "discarded", "shutdown"])
def test_a5_every_end_tears_down_once(shape: str, cause: str, ledger: Ledger, clock: tenure.testing.Clock) -> None:
    good = [True]
    settings: dict[str, Any] = {"max_entries": 1, "ttl": "1m", "validate": lambda _: good[0]}
    if cause == "orphaned":
        settings = {"keep_if": lambda _: False}
    thing = functions(ledger, **settings)[shape]
    first = thing(1)
    assert first is ledger.built[0]
    match cause:
        case "cleared":
            thing.clear(1)
        case "evicted":
            thing(2)
        case "expired":
            clock.advance("1m")
        case "invalid":
            good[0] = False
            good_later = thing(1)
            good[0] = True
            assert good_later is not first
        case "discarded":
            thing.discard(first)
        case "shutdown":
            assert tenure.shutdown()
        case "orphaned":
            del first
            # The ledger holds it too: nobody counts there.
            ledger.built.clear()
            clock.advance("1m")
    assert len(ledger.released) == 1
    assert settled(thing)


@SYNC
def test_a5_on_release_comes_before_the_teardown(shape: str, ledger: Ledger) -> None:
    order: list[str] = []

    def on_release(thing: Thing, cause: str) -> None:
        assert thing.is_open
        order.append(cause)
        raise OSError("no matter")

    thing = functions(ledger, on_release=on_release)[shape]
    thing()
    thing.clear()
    assert order == ["cleared"]
    assert len(ledger.released) == 1
    assert thing.info().release_failures == 1


def test_a5_no_yield_a_second_yield_and_an_error_in_the_teardown(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[str] = []

    @tenure.cache_resource
    def never() -> Iterator[int]:
        if closed:
            yield 1

    @tenure.cache_resource
    def twice() -> Iterator[list[int]]:
        try:
            yield []
            yield []
        finally:
            closed.append("twice")

    @tenure.cache_resource
    def fails() -> Iterator[list[int]]:
        yield []
        raise OSError("the teardown fails")

    with pytest.raises(RuntimeError, match="without a yield"):
        never()
    twice()
    twice.clear()
    fails()
    fails.clear()
    assert closed == ["twice"]
    assert twice.info().release_failures == fails.info().release_failures == 1
    assert any("the teardown of" in it and "fails raised (cause: cleared)" in it for it in caplog.messages)
    assert not any("on_release" in it for it in caplog.messages)
    assert any("the teardown fails" in (it.exc_text or "") for it in caplog.records)
    assert any("yielded a second time" in (it.exc_text or "") for it in caplog.records)


def test_a5_an_error_before_the_yield_is_a_failed_build(ledger: Ledger) -> None:
    @tenure.cache_resource
    def thing() -> Iterator[int]:
        raise OSError("no")
        yield 1

    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            thing()
    assert thing.info().failures == 2
    thing.clear()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a5_what_ends_a_program_reaches_who_clears(error: type[BaseException], ledger: Ledger) -> None:
    @tenure.cache_resource
    def thing() -> Iterator[list[int]]:
        yield []
        raise error("now")

    thing()
    with pytest.raises(error, match="now"):
        thing.clear()
    assert thing.info().entries == 0


def test_a5_what_enter_refuses() -> None:
    with pytest.raises(TypeError, match="yields"):

        @tenure.cache_resource(enter=True)
        def yields() -> Iterator[int]:
            yield 1

    @tenure.cache_resource(enter=True)
    def nothing() -> int:
        return 1

    with pytest.raises(TypeError, match="cannot be entered"):
        nothing()

    @contextlib.asynccontextmanager
    async def manager() -> AsyncIterator[int]:
        yield 1

    @tenure.cache_resource(enter=True)
    def foreign() -> Any:
        return manager()

    with pytest.raises(TypeError, match="write `async def foreign`"):
        foreign()
    with pytest.raises(TypeError, match="enter must be"):
        tenure.cache_resource(enter=1)  # type: ignore[call-overload]


def test_a5_a_process_wide_end_tears_down_in_reverse_order(ledger: Ledger) -> None:
    thing = functions(ledger)["yields"]
    for key in range(3):
        thing(key)
    assert tenure.shutdown()
    assert ledger.names() == [2, 1, 0]


@ASYNC
@on_every_loop
def test_a5_enter_and_leave_are_one_task_with_one_context(run: Any, shape: str, ledger: Ledger) -> None:
    where: list[Any] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    def here() -> None:
        where.append((asyncio.current_task(), threading.get_ident(), variable.get()))

    @tenure.cache_resource
    async def thing() -> AsyncIterator[object]:
        variable.set("within")
        here()
        yield object()
        here()

    async def main() -> None:
        await thing()
        thing.clear()
        await until(lambda: len(where) == 2)
        # And where another task than that of the first caller clears, and on a thread.
        await asyncio.create_task(thing())
        await asyncio.to_thread(thing.clear)
        await until(lambda: len(where) == 4)

    run(main)
    assert where[0] == where[1]
    assert where[2] == where[3]
    assert where[0][2] == "within"


@ASYNC
@pytest.mark.parametrize(
    "cause", ["cleared", "evicted", "expired", "invalid", "orphaned", "discarded", "session_ended"]
)
def test_a5_every_end_tears_down_once_where_it_is_async(
    shape: str, cause: str, ledger: Ledger, clock: tenure.testing.Clock
) -> None:
    good = [True]

    async def validate(_: Thing) -> bool:
        await asyncio.sleep(0)
        return good[0]

    settings: dict[str, Any] = {"max_entries": 1, "ttl": "1m", "validate": validate}
    if cause == "orphaned":
        settings = {"keep_if": lambda _: False}
    thing = async_functions(ledger, **settings)[shape]

    async def main() -> None:
        first = await thing(1)
        match cause:
            case "cleared":
                thing.clear(1)
            case "evicted":
                await thing(2)
            case "expired":
                clock.advance("1m")
            case "invalid":
                good[0] = False
                await thing(1)
            case "discarded":
                thing.discard(first)
            case "orphaned":
                del first
                ledger.built.clear()
                await asyncio.sleep(0)
                clock.advance("1m")
            case "session_ended":
                return
        await until(lambda: len(ledger.released) == 1)

    asyncio.run(main())
    expected = {"discarded": "invalid"}.get(cause, cause)
    assert releases(thing)[expected] == 1
    assert len(ledger.released) == max(len(ledger.built), 1)
    assert settled(thing)
    assert thing.info().release_failures == 0


@ASYNC
def test_a5_a_lease_keeps_it_from_being_left(shape: str, ledger: Ledger) -> None:
    thing = async_functions(ledger)[shape]

    async def main() -> None:
        async with thing.lease() as first:
            thing.clear()
            second = await thing()
            assert second is not first
            for _ in range(10):
                await asyncio.sleep(0)
            assert first.is_open
        thing.clear()

    asyncio.run(main())
    assert len(ledger.released) == len(ledger.built) == 2


@ASYNC
@on_every_loop
def test_a5_a_lease_that_outlives_the_loops_tasks_is_left_with_the_loop(run: Any, shape: str, ledger: Ledger) -> None:
    thing = async_functions(ledger)[shape]

    async def main() -> None:
        await thing.lease().__aenter__()

    run(main)
    assert len(ledger.released) == 1


@ASYNC
def test_a5_a_drain_waits_for_users(shape: str, ledger: Ledger, clock: tenure.testing.Clock) -> None:
    thing = async_functions(ledger, drain="1m")[shape]

    async def main() -> None:
        held = await thing()
        thing.clear()
        clock.advance("30s")
        await asyncio.sleep(0)
        assert held.is_open
        clock.advance("30s")
        await until(lambda: not held.is_open)

    asyncio.run(main())
    assert len(ledger.released) == 1


def test_a5_async_no_yield_a_second_yield_and_an_error(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[str] = []

    @tenure.cache_resource
    async def never() -> AsyncIterator[int]:
        if closed:
            yield 1

    @tenure.cache_resource
    async def twice() -> AsyncIterator[list[int]]:
        try:
            yield []
            yield []
        finally:
            closed.append("twice")

    @tenure.cache_resource
    async def fails() -> AsyncIterator[list[int]]:
        yield []
        raise OSError("the teardown fails")

    async def main() -> None:
        with pytest.raises(RuntimeError, match="without a yield"):
            await never()
        await twice()
        twice.clear()
        await fails()
        fails.clear()

    asyncio.run(main())
    assert closed == ["twice"]
    assert twice.info().release_failures == fails.info().release_failures == 1
    assert any("the teardown fails" in (it.exc_text or "") for it in caplog.records)
    assert any("yielded a second time" in (it.exc_text or "") for it in caplog.records)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["teardown", "on_release", "async on_release"])
def test_a5_what_ends_a_program_ends_its_loop(error: type[BaseException], where: str, ledger: Ledger) -> None:
    def on_release(_: object) -> None:
        if where == "on_release":
            raise error("now")

    async def async_on_release(_: object) -> None:
        if where == "async on_release":
            raise error("now")

    @tenure.cache_resource(on_release=on_release if where == "on_release" else async_on_release)
    async def thing() -> AsyncIterator[list[int]]:
        yield []
        ledger.release(ledger.build())
        if where == "teardown":
            raise error("now")

    async def main() -> None:
        await thing()
        thing.clear()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(error, match="now"):
        asyncio.run(main())
    assert len(ledger.released) == 1
    assert thing.info().release_failures == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a2_what_ends_a_program_out_of_validate_reaches_the_caller(error: type[BaseException]) -> None:
    async def validate(_: object) -> bool:
        await asyncio.sleep(0)
        raise error("now")

    @tenure.cache_resource(validate=validate)
    async def thing() -> object:
        return object()

    async def main() -> None:
        await thing()
        await thing()

    with pytest.raises(error, match="now"):
        asyncio.run(main())
    assert thing.info().entries == 1


def test_a2_an_async_validate(caplog: pytest.LogCaptureFixture, ledger: Ledger) -> None:
    answers: list[Any] = [True, False, OSError("the check fails"), 1, True]

    async def validate(_: object) -> bool:
        await asyncio.sleep(0)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @tenure.cache_resource(validate=validate, on_release=ledger.release)
    async def thing() -> Thing:
        return ledger.build()

    async def main() -> None:
        first = await thing()
        assert await thing() is first
        second = await thing()
        assert second is not first
        third = await thing()
        assert third is not second
        with pytest.raises(TypeError, match="True or False"):
            await thing()
        assert await thing() is third

    asyncio.run(main())
    assert ledger.released == ledger.built[:2]
    assert releases(thing) == {"invalid": 2}
    assert any("the check fails" in (it.exc_text or "") for it in caplog.records)


def test_a2_a_caller_that_is_cancelled_while_it_checks_changes_nothing(ledger: Ledger) -> None:
    async def main() -> None:
        may_end = asyncio.Event()

        async def validate(_: object) -> bool:
            await may_end.wait()
            return True

        @tenure.cache_resource(validate=validate, on_release=ledger.release)
        async def thing() -> Thing:
            return ledger.build()

        first = await thing()
        caller = asyncio.create_task(thing())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        assert isinstance(await outcome(caller), asyncio.CancelledError)
        may_end.set()
        assert await thing() is first

    asyncio.run(main())
    assert ledger.released == []


def test_a2_a_check_that_outlives_its_entry(ledger: Ledger) -> None:
    """What it finds good may have been cleared meanwhile: the caller gets a new one."""

    async def main() -> None:
        asked, may_end = asyncio.Event(), asyncio.Event()

        async def validate(_: object) -> bool:
            asked.set()
            await may_end.wait()
            return True

        @tenure.cache_resource(validate=validate, on_release=ledger.release)
        async def thing() -> Thing:
            return ledger.build()

        first = await thing()
        caller = asyncio.create_task(thing())
        await asked.wait()
        thing.clear()
        may_end.set()
        assert await caller is not first

    asyncio.run(main())


def test_a2_async_callbacks_are_refused_where_nobody_awaits_them() -> None:
    async def callback(_: object) -> bool:
        return True

    for name in ("validate", "on_release", "keep_if"):
        with pytest.raises(TypeError, match=f"{name} (is|cannot be) an async function"):
            tenure.cache_resource(**{name: callback})(lambda: 1)


def test_c3_an_async_function_that_needs_itself_says_so() -> None:
    @tenure.cache_resource
    async def one() -> object:
        return await two()

    @tenure.cache_resource
    async def two() -> object:
        return await asyncio.create_task(three())

    @tenure.cache_resource
    async def three() -> object:
        return await asyncio.to_thread(lambda: asyncio.run(one()))

    @tenure.cache_resource
    def sync() -> object:
        return asyncio.run(itself())

    @tenure.cache_resource
    async def itself() -> object:
        return await asyncio.to_thread(sync)

    async def main() -> None:
        with pytest.raises(CacheCycleError, match=r"(?=.*one)(?=.*two)(?=.*three)"):
            await one()
        with pytest.raises(CacheCycleError, match="itself"):
            await itself()

    asyncio.run(main())
    with pytest.raises(CacheCycleError, match="sync"):
        sync()


def test_c3_a_circle_across_tasks_and_loops() -> None:
    both = threading.Barrier(2)

    @tenure.cache_resource
    async def one(_first: bool = True) -> object:
        await asyncio.to_thread(both.wait, LOST)
        return await two(False)

    @tenure.cache_resource
    async def two(_first: bool = True) -> object:
        await asyncio.to_thread(both.wait, LOST)
        return await one(False)

    results = together(2, lambda number: asyncio.run(outcome((one, two)[number]())))
    assert all(isinstance(it, CacheCycleError) for it in results), results


def test_c3_a_check_that_asks_for_its_own_entry_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def validate(_: object) -> bool:
        await thing()
        return True

    @tenure.cache_resource(validate=validate)
    async def thing() -> object:
        return object()

    async def main() -> None:
        first = await thing()
        # It has raised, and so has said no.
        assert await thing() is not first

    asyncio.run(main())
    assert any("CacheCycleError" in (it.exc_text or "") for it in caplog.records)


def test_c3_what_a_check_or_a_build_has_started_is_inside_of_it_only_while_it_lasts() -> None:
    """A task that goes on afterwards, such as a client's own, may ask for the entry."""
    background: list[asyncio.Task[Any]] = []
    gates: list[asyncio.Event] = []

    async def later() -> object:
        await gates[0].wait()
        return await thing()

    async def validate(_: object) -> bool:
        if len(background) < 2:
            background.append(asyncio.create_task(later()))
        return True

    @tenure.cache_resource(validate=validate)
    async def thing() -> object:
        background.append(asyncio.create_task(later()))
        return object()

    async def main() -> None:
        gates.append(asyncio.Event())
        first = await thing()
        assert await thing() is first
        gates[0].set()
        assert await background[0] is first
        assert await background[1] is first
        for task in background:
            await task

    asyncio.run(asyncio.wait_for(main(), LOST))


def test_a5_a_clear_on_a_foreign_thread_while_the_loop_ends(ledger: Ledger) -> None:
    """L1: released once, on its loop, whoever comes first."""

    @tenure.cache_resource
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build(asyncio.get_running_loop())
        yield it
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is it.name
        ledger.release(it)

    for _ in range(100):
        barrier = threading.Barrier(2)

        def work(number: int, barrier: threading.Barrier = barrier) -> None:
            if number:
                barrier.wait(LOST)
                thing.clear()
                return

            async def main() -> None:
                await thing()
                barrier.wait(LOST)

            asyncio.run(main())

        together(2, work)
    thing.clear()
    assert len(ledger.released) == len(ledger.built) == 100
    assert thing.info().release_failures == 0


def test_a5_a_release_on_a_loop_that_stands_still_waits_for_it(ledger: Ledger) -> None:
    thing = async_functions(ledger)["yields"]
    loop = asyncio.new_event_loop()
    loop.run_until_complete(thing())
    thing.clear()
    assert ledger.released == []
    loop.run_until_complete(until(lambda: len(ledger.released) == 1))
    cancels_all(loop)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no eager tasks")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a5_an_eager_build_that_is_released_in_its_first_step(when: str, ledger: Ledger) -> None:
    @tenure.cache_resource(keep_if=lambda _: False)
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build()
        yield it
        await asyncio.sleep(0)
        ledger.release(it)

    async def main() -> None:
        if when == "before":
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await thing()
        ledger.built.clear()

    by_asyncio(main)
    thing.clear()


def test_a5_a_resource_left_by_a_crashed_group_is_built_anew(caplog: pytest.LogCaptureFixture, ledger: Ledger) -> None:
    """A task group inside of the function fails while the resource is kept: it is released, and told."""

    async def main() -> None:
        crash = asyncio.Event()

        async def child() -> None:
            await crash.wait()
            raise OSError("the connection is gone")

        @tenure.cache_resource
        async def session() -> AsyncIterator[Thing]:
            async with asyncio.TaskGroup() as group:
                it = ledger.build()
                group.create_task(child())
                yield it
                ledger.release(it)

        first = await session()
        crash.set()
        await until(lambda: not first.is_open)
        await until(lambda: session.info().release_failures == 1)
        crash.clear()
        assert await session() is not first
        crash.set()
        await until(lambda: session.info().release_failures == 2)

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert any("the connection is gone" in (it.exc_text or "") for it in caplog.records)


def test_a5_waiters_on_other_loops_get_what_a_keeper_keeps(ledger: Ledger) -> None:
    thing = async_functions(ledger)["yields"]
    loop = Loop()
    first = loop.do(thing())

    async def main() -> None:
        assert await thing() is first
        async with thing.lease() as leased:
            assert leased is first

    asyncio.run(main())
    assert first.is_open
    loop.end(cancels_all)
    assert not first.is_open


def test_a5_a_teardown_that_fails_before_its_release_holds_nothing(
    clock: tenure.testing.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """L8: an orphan that its loop has left is released, though the error of that holds it by its traceback."""

    class Weak:
        pass

    @tenure.cache_resource(keep_if=lambda _: False)
    async def thing() -> AsyncIterator[Weak]:
        it = Weak()
        yield it
        raise OSError("the teardown fails")

    async def main() -> None:
        held = await thing()
        assert thing.info().draining == 1
        await asyncio.sleep(0)
        del held

    asyncio.run(main())
    caplog.clear()
    clock.advance("1m")
    info = thing.info()
    assert (info.draining, info.release_failures) == (0, 1)
