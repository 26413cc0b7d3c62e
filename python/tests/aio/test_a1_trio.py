"""A1 on trio: one build for all tasks, threads and loops of both kinds, which belongs to no caller."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
import trio
from trio_runs import Run, on_every_run, outcomes, until, waiting

import loops
import tenure
from tenure import CacheCycleError, _carriers
from world import LOST, Job, Ledger, Thing, releases, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


@on_every_run
def test_a1_trio_one_build_for_all_tasks(run: Any, ledger: Ledger) -> None:
    @tenure.cache_resource
    async def thing(key: int) -> Thing:
        await trio.sleep(0)
        return ledger.build(key)

    async def main() -> None:
        things = await outcomes(*[lambda: thing(1)] * 50)
        assert len(set(things)) == 1
        assert await thing(key=1) is things[0]
        assert await thing(2) is not things[0]

    run(main)
    info = thing.info()
    assert (info.builds, info.misses, info.waiting) == (2, 51, 0)


def test_a1_trio_anyio_code_is_the_same_on_both(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop", on_release=ledger.release)
    async def thing() -> Thing:
        await anyio.sleep(0)
        return ledger.build()

    async def main() -> None:
        assert await thing() is await thing()

    anyio.run(main, backend="trio")
    anyio.run(main, backend="asyncio")
    assert ledger.released == ledger.built
    assert len(ledger.built) == 2


@on_every_run
def test_a1_trio_a_build_has_a_copy_of_its_first_callers_context(run: Any) -> None:
    who = contextvars.ContextVar("who", default="nobody")
    seen = []

    @tenure.cache_resource
    async def thing() -> object:
        seen.append(who.get())
        who.set("the build")
        await trio.sleep(0)
        seen.append(who.get())
        return object()

    async def main() -> None:
        who.set("ada")
        await thing()
        assert who.get() == "ada"

    run(main)
    assert seen == ["ada", "the build"]


@on_every_run
def test_a1_trio_a_build_outlives_its_callers_scopes_and_nurseries(run: Any, ledger: Ledger) -> None:
    async def main() -> None:
        may_end = trio.Event()

        @tenure.cache_resource
        async def thing() -> Thing:
            await may_end.wait()
            return ledger.build()

        with trio.move_on_after(0) as scope:
            await thing()
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(thing)
            await waiting(thing, 3)
            nursery.cancel_scope.cancel()
        assert thing.info().waiting == 0
        may_end.set()
        await until(lambda: thing.info().entries == 1)
        assert await thing() is ledger.built[0]
        assert thing.info().builds == 1

    run(main)


@on_every_run
def test_a1_trio_some_callers_are_cancelled_and_the_others_get_it(run: Any) -> None:
    async def main() -> None:
        may_end = trio.Event()
        scopes = [trio.CancelScope() for _ in range(6)]
        got: list[object] = []

        @tenure.cache_resource
        async def thing() -> object:
            await may_end.wait()
            return object()

        async def caller(scope: trio.CancelScope) -> None:
            with scope:
                got.append(await thing())

        async with trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(caller, scope)
            await waiting(thing, 6)
            for scope in scopes[::2]:
                scope.cancel()
            await waiting(thing, 3)
            may_end.set()
        assert len(got) == 3
        assert len(set(map(id, got))) == 1
        assert [it.cancelled_caught for it in scopes] == [True, False] * 3

    run(main)


@on_every_run
def test_a1_trio_a_failure_reaches_all_who_wait_and_is_not_kept(run: Any) -> None:
    @tenure.cache_resource
    async def thing() -> object:
        await trio.sleep(0)
        raise OSError("no")

    async def main() -> None:
        errors = await outcomes(*[thing] * 5)
        assert [str(it) for it in errors] == ["no"] * 5
        assert len({id(it) for it in errors}) == 5
        assert thing.info().builds + thing.info().failures == 1
        with pytest.raises(OSError, match="no"):
            await thing()

    run(main)
    assert thing.info().failures == 2


def test_a1_trio_what_is_no_exception_goes_to_the_caller_that_began_and_the_run_goes_on() -> None:
    class Stop(BaseException):
        pass

    builds: list[int] = []

    @tenure.cache_resource
    async def thing() -> int:
        builds.append(len(builds))
        await trio.sleep(0)
        if builds == [0]:
            raise Stop
        return 1

    async def main() -> None:
        results = await outcomes(thing, thing, thing)
        assert sorted(map(str, results)) == ["", "1", "1"]
        assert await thing() == 1

    trio.run(main)
    assert builds == [0, 1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("yields", [False, True])
def test_a1_trio_a_build_that_raises_generator_exit_is_no_build_that_was_dropped(backend: str, yields: bool) -> None:
    """It would be begun for ever."""
    builds: list[None] = []

    def gives_up() -> None:
        builds.append(None)
        raise GeneratorExit

    if yields:

        @tenure.cache_resource
        async def thing() -> AsyncIterator[object]:
            await anyio.sleep(0)
            gives_up()
            yield object()
    else:

        @tenure.cache_resource
        async def thing() -> object:
            await anyio.sleep(0)
            gives_up()

    async def main() -> None:
        with pytest.raises(GeneratorExit):
            await thing()

    anyio.run(main, backend=backend)
    assert len(builds) == 1


async def cancellation() -> BaseException:
    """One that was meant for somebody else, and is over."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            await anyio.sleep(0)
        except anyio.get_cancelled_exc_class() as error:
            return error
    raise AssertionError


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a1_trio_a_cancellation_that_nobody_has_asked_for_is_a_failure_of_the_build(backend: str) -> None:
    builds: list[None] = []

    @tenure.cache_resource
    async def thing(error: int) -> object:
        builds.append(None)
        raise errors[error]

    errors: list[BaseException] = []

    async def main() -> None:
        errors.append(await cancellation())
        with pytest.raises(RuntimeError, match=f"Handle {type(errors[0]).__module__.partition('.')[0]}"):
            await thing(0)

    anyio.run(main, backend=backend)
    assert len(builds) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a1_trio_a_cancellation_out_of_a_check_is_a_no(backend: str, ledger: Ledger) -> None:
    async def is_good(_: Thing) -> bool:
        raise await cancellation()

    @tenure.cache_resource(validate=is_good, on_release=ledger.release)
    async def thing() -> Thing:
        return ledger.build()

    async def main() -> None:
        assert await thing() is not await thing()

    anyio.run(main, backend=backend)
    assert releases(thing) == {"invalid": 1}
    thing.clear()


@on_every_run
def test_a1_trio_a_caller_that_is_cancelled_within_a_check_is_cancelled(run: Any) -> None:
    async def is_good(_: object) -> bool:
        await trio.sleep_forever()
        return True

    @tenure.cache_resource(validate=is_good)
    async def thing() -> object:
        return object()

    async def main() -> None:
        await thing()
        with trio.move_on_after(0) as scope:
            await thing()
        assert scope.cancelled_caught
        assert thing.info().entries == 1

    run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a1_trio_the_cancellation_of_a_caller_does_not_hold_the_resource(backend: str) -> None:
    class Weak:
        pass

    seen: list[weakref.ref[Weak]] = []
    cancelled: list[BaseException] = []

    async def main() -> None:
        may_end = anyio.Event()

        @tenure.cache_resource
        async def thing() -> Weak:
            await may_end.wait()
            it = Weak()
            seen.append(weakref.ref(it))
            return it

        async def waits() -> None:
            try:
                await thing()
            except BaseException as error:
                cancelled.append(error)
                raise

        async with anyio.create_task_group() as group:
            group.start_soon(waits)
            while thing.info().waiting == 0:
                await anyio.sleep(0)
            group.cancel_scope.cancel()
        may_end.set()
        while thing.info().entries == 0:
            await anyio.sleep(0)
        thing.clear()
        while thing.info().draining:
            await anyio.sleep(0)
        gc.collect()
        assert seen[0]() is None

    anyio.run(main, backend=backend)
    assert cancelled


def test_a1_trio_a_build_that_awaits_asyncio_fails_with_trios_words() -> None:
    @tenure.cache_resource
    async def thing() -> None:
        await asyncio.sleep(1)

    async def main() -> None:
        with pytest.raises((TypeError, RuntimeError)):
            await thing()

    trio.run(main)


def test_a1_trio_one_build_for_threads_and_loops_of_both_kinds(ledger: Ledger) -> None:
    may_end = threading.Event()

    @tenure.cache_resource
    async def thing() -> Thing:
        await anyio.to_thread.run_sync(may_end.wait, LOST)
        return ledger.build()

    async def led() -> object:
        await until(lambda: thing.info().waiting == 6)
        may_end.set()
        return await thing()

    async def by_asyncio() -> object:
        return (await asyncio.gather(thing(), thing()))[1]

    def work(number: int) -> object:
        if number == 0:
            return trio.run(led)
        return trio.run(thing) if number % 2 == 0 else asyncio.run(by_asyncio())

    assert set(together(5, work)) == {ledger.built[0]}
    assert thing.info().builds == 1


@pytest.mark.parametrize("first", ["trio", "asyncio"])
def test_a1_trio_and_asyncio_wait_for_each_others_builds(first: str, ledger: Ledger) -> None:
    may_end = threading.Event()

    @tenure.cache_resource
    async def thing() -> Thing:
        await anyio.to_thread.run_sync(may_end.wait, LOST)
        return ledger.build()

    def by(backend: str) -> Job:
        return Job(lambda: anyio.run(thing, backend=backend))

    one = by(first)
    loops_until(lambda: thing.info().waiting == 1)
    other = by("asyncio" if first == "trio" else "trio")
    loops_until(lambda: thing.info().waiting == 2)
    may_end.set()
    assert one.result() is other.result() is ledger.built[0]
    assert thing.info().builds == 1


def loops_until(is_so: Any) -> None:
    asyncio.run(loops.until(is_so))


def test_a1_trio_a_build_is_handed_on_when_its_run_ends(ledger: Ledger) -> None:
    """To a loop of asyncio, and back."""
    builds: list[str] = []
    theirs = Run()

    @tenure.cache_resource
    async def thing() -> Thing:
        builds.append("asyncio" if asyncio._get_running_loop() else "trio")
        if len(builds) == 1:
            await anyio.sleep(LOST)
        return ledger.build()

    theirs.start(thing)
    loops_until(lambda: thing.info().waiting == 1)
    ours = Job(lambda: asyncio.run(thing()))
    loops_until(lambda: thing.info().waiting == 2)
    theirs.end()
    assert ours.result() is ledger.built[0]
    assert builds == ["trio", "asyncio"]


@pytest.mark.parametrize("end", [loops.cancels_all, loops.closes_generators, loops.closes, loops.stands_still])
def test_a1_trio_takes_over_the_build_of_an_asyncio_loop_that_dies(
    end: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_carriers, "LOOK", 0.01)
    builds: list[object] = []
    theirs = loops.Loop()

    @tenure.cache_resource
    async def thing() -> Thing:
        builds.append(asyncio._get_running_loop())
        if builds[-1] is not None:
            await asyncio.get_running_loop().create_future()
        return ledger.build()

    theirs.start(loops.outcome(thing()))
    loops_until(lambda: bool(builds))
    ours = Job(lambda: trio.run(thing))
    loops_until(lambda: thing.info().waiting == 2)
    theirs.end(end)
    assert ours.result() is ledger.built[0]
    assert len(builds) == 2
    if end is loops.stands_still:
        loops.cancels_all(theirs.loop)
    if end is loops.closes:
        theirs.loop = None  # type: ignore[assignment]
        builds.clear()


@on_every_run
def test_a1_trio_circles_are_found(run: Any) -> None:
    @tenure.cache_resource
    async def itself() -> object:
        return await itself()

    @tenure.cache_resource
    async def one() -> object:
        return await two()

    @tenure.cache_resource
    async def two() -> object:
        results: list[Any] = []

        async def child() -> None:
            results.append(await one())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
        return results

    @tenure.cache_resource
    async def by_thread() -> object:
        return await trio.to_thread.run_sync(trio.from_thread.run, by_thread)

    async def main() -> None:
        for function in (itself, by_thread):
            with pytest.raises(CacheCycleError, match="itself|by_thread"):
                await function()
        with pytest.raises((CacheCycleError, ExceptionGroup)) as raised:
            await one()
        error: BaseException = raised.value
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        assert isinstance(error, CacheCycleError)

    run(main)


@on_every_run
def test_a1_trio_two_circles_of_builds_wait_for_nobody(run: Any) -> None:
    """Each of two builds asks for the other when both are under way."""

    async def main() -> None:
        begun = [trio.Event(), trio.Event()]

        @tenure.cache_resource
        async def thing(key: int) -> object:
            begun[key].set()
            await begun[1 - key].wait()
            return await thing(1 - key)

        results = await outcomes(lambda: thing(0), lambda: thing(1))
        assert all(isinstance(it, CacheCycleError) for it in results), results

    run(main)


@on_every_run
def test_a1_trio_validate_and_on_release_may_be_async(run: Any, ledger: Ledger) -> None:
    good: set[Thing] = set()

    async def is_good(thing: Thing) -> bool:
        await trio.sleep(0)
        return thing in good

    async def close(thing: Thing) -> None:
        await trio.sleep(0)
        ledger.release(thing)

    @tenure.cache_resource(validate=is_good, on_release=close)
    async def thing() -> Thing:
        return ledger.build()

    async def main() -> None:
        first = await thing()
        good.add(first)
        assert await outcomes(thing, thing) == [first, first]
        good.clear()
        assert await thing() is not first
        await until(lambda: ledger.released == [first])

    run(main)
    assert ledger.released == ledger.built
    assert len(ledger.built) == 2


def test_a1_trio_no_loop_says_where_to_call() -> None:
    @tenure.cache_resource
    async def thing() -> object:
        return object()

    call = thing()
    with pytest.raises(RuntimeError, match="asyncio or trio"):
        call.send(None)


def test_a1_trio_is_not_imported_by_tenure() -> None:
    code = (
        "import asyncio, sys, tenure\n"
        "@tenure.cache_resource\n"
        "async def f(): return 1\n"
        "asyncio.run(f())\n"
        "assert not {'trio', 'anyio', 'tenure._trio'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
