"""T1: a block that leaves nothing behind, in programs and in tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
import trio

import tenure
from tenure.testing import clock, isolated

Main = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
def waits_long() -> Iterator[None]:
    """What waits for what cannot come waits for as long as the test may last."""
    with isolated():
        tenure.configure(shutdown_timeout="1h")
        yield


def by_asyncio(main: Any) -> None:
    asyncio.run(main())


def by_trio(main: Any) -> None:
    trio.run(main)


released: list[str] = []


async def note(resource: list[str]) -> None:
    released.append(resource[0])


@tenure.cache_resource(on_release=note)
async def client(name: str) -> list[str]:
    return [name]


@tenure.cache_resource(scope="loop")
async def session(name: str) -> AsyncIterator[list[str]]:
    yield [name]
    released.append(name)


@pytest.mark.parametrize("run", [by_asyncio, by_trio])
def test_t1_a_block_in_a_task_has_its_loop_release_what_it_built(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        released.clear()
        outer = await client("outer"), await session("outer")
        async with isolated():
            assert (await client("inner"), await session("inner")) == (["inner"], ["inner"])
            assert client.info().builds == 1
        assert released == ["inner", "inner"]
        assert (await client("outer"), await session("outer")) == outer
        assert client.info().builds == 1

    run(main)


@pytest.mark.parametrize("run", [by_asyncio, by_trio])
def test_t1_a_block_that_cannot_wait_for_its_loop_says_what_to_write(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"Write `async with tenure\.testing\.isolated\(\):`"), isolated():
            raise AssertionError
        assert client.info().builds == 0

    run(main)


def test_t1_a_block_around_runs_of_a_loop_has_it_release_what_it_built() -> None:
    released.clear()
    with asyncio.Runner() as runner:
        runner.run(client("outer"))
        with isolated():
            runner.run(client("inner"))
            runner.run(session("inner"))
        assert released == ["inner", "inner"]


@pytest.mark.parametrize("run", [by_asyncio, by_trio])
def test_t3_a_clock_in_a_task_has_its_loop_release_what_it_built(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        released.clear()
        async with clock() as mine:
            await client("inner")
            await session("inner")
            mine.advance("1h")
        assert released == ["inner", "inner"]
        with clock():
            await client("waits for nobody")
        await goes_on()
        assert released == ["inner", "inner", "waits for nobody"]

    async def goes_on() -> None:
        for _ in range(10):
            await anyio.sleep(0)

    run(main)


def test_t3_a_clock_around_runs_of_a_loop_has_it_release_what_it_built() -> None:
    released.clear()
    with asyncio.Runner() as runner:
        runner.run(client("outer"))
        with clock():
            runner.run(client("inner"))
            runner.run(session("inner"))
        assert released == ["inner", "inner"]


def test_t1_functions_are_isolated_by_a_decorator_whatever_they_are() -> None:
    block = isolated()

    @block
    def builds() -> int:
        asyncio.run(client_of("a"))
        return client.info().builds

    async def client_of(name: str) -> None:
        await client(name)

    @block
    async def builds_async() -> int:
        await client("a")
        return client.info().builds

    assert [builds(), builds(), asyncio.run(builds_async()), asyncio.run(builds_async())] == [1, 1, 1, 1]
    assert client.info().builds == 0
