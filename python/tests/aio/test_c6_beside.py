"""C6, C3: a task that a build has begun and does not wait for closes no circle; one that it waits for does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio
import trio_runs
from trio_runs import on_every_run

import loops
import tenure
from loops import on_every_loop
from tenure import CacheCycleError


@on_every_loop
@pytest.mark.parametrize("lasts", [False, True])
@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
def test_c6_a_task_that_a_build_leaves_behind_closes_no_circle(run: Any, lasts: bool) -> None:
    async def main() -> None:
        may_end = asyncio.Event()
        left: list[asyncio.Task[Any]] = []

        @tenure.cache_resource
        async def one() -> object:
            left.append(asyncio.create_task(loops.outcome(two())))
            await may_end.wait()
            return "one"

        @tenure.cache_resource
        async def two() -> object:
            return f"two of {await one()}"

        first = asyncio.create_task(one())
        await loops.waiting(two, 1)
        innocent = asyncio.create_task(two())
        await loops.waiting(two, 2)
        await loops.waiting(one, 2)
        if lasts:
            # It gives way, and says what to write.
            error = await left[0]
            assert isinstance(error, CacheCycleError)
            assert "contextvars.Context().run" in str(error)
            assert "one" in str(error)
            assert "two" in str(error)
        may_end.set()
        assert await first == "one"
        assert await innocent == "two of one"
        if not lasts:
            assert await left[0] == "two of one"

    run(main)


program: list[trio.Nursery] = []
"""The nursery that a build may leave a task to. Not held by a cached function, which is told apart by what it holds."""


@on_every_run
@pytest.mark.parametrize("lasts", [False, True])
@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
def test_c6_trio_a_task_that_a_build_leaves_behind_closes_no_circle(run: Any, lasts: bool) -> None:
    async def main() -> None:
        may_end = trio.Event()
        results: dict[str, Any] = {}

        async def noted(name: str, function: Any) -> None:
            results[name] = await trio_runs.outcome(function())

        @tenure.cache_resource
        async def one() -> object:
            program[-1].start_soon(noted, "left", two)
            await may_end.wait()
            return "one"

        @tenure.cache_resource
        async def two() -> object:
            return f"two of {await one()}"

        async with trio.open_nursery() as nursery:
            program[:] = [nursery]
            nursery.start_soon(noted, "first", one)
            await trio_runs.waiting(two, 1)
            nursery.start_soon(noted, "innocent", two)
            await trio_runs.waiting(two, 2)
            await trio_runs.waiting(one, 2)
            if lasts:
                await trio_runs.until(lambda: "left" in results)
                assert isinstance(results["left"], CacheCycleError)
                assert "contextvars.Context().run" in str(results["left"])
            may_end.set()
        assert results["first"] == "one"
        assert results["innocent"] == "two of one"
        assert lasts or results["left"] == "two of one"

    run(main)


def test_c6_a_task_in_a_context_of_its_own_is_no_part_of_the_build() -> None:
    """What the error says to write."""
    import contextvars

    async def main() -> None:
        left: list[asyncio.Task[Any]] = []

        @tenure.cache_resource
        async def one() -> object:
            left.append(contextvars.Context().run(asyncio.create_task, loops.outcome(one())))
            await loops.waiting(one, 2)
            return object()

        built = await one()
        assert await left[0] is built

    asyncio.run(main())


@pytest.mark.parametrize("begun", ["gather", "wait", "wait_for", "task group", "event", "shield"])
def test_c3_a_circle_through_a_task_that_the_build_waits_for_is_found(begun: str) -> None:
    async def waits(work: Any) -> Any:
        if begun == "gather":
            return await asyncio.gather(work)
        if begun == "wait":
            return (await asyncio.wait([asyncio.create_task(work)]))[0].pop().result()
        if begun == "wait_for":
            return await asyncio.wait_for(work, 60)
        if begun == "shield":
            return await asyncio.shield(work)
        if begun == "event":
            is_done = asyncio.Event()
            task = asyncio.create_task(work)
            task.add_done_callback(lambda _: is_done.set())
            await is_done.wait()
            return task.result()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
        return task.result()

    @tenure.cache_resource
    async def one() -> object:
        return await waits(two())

    @tenure.cache_resource
    async def two() -> object:
        return await waits(one())

    async def main() -> None:
        error = await loops.outcome(one())
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        assert isinstance(error, CacheCycleError)

    asyncio.run(main())
