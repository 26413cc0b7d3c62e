"""What the tests on trio share: its runs, by itself and under anyio, and waits that no speed decides."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import pytest
import trio

from world import LOST, Job

Main = Callable[[], Coroutine[Any, Any, Any]]


def by_trio(main: Main) -> Any:
    return trio.run(main)


def by_anyio(main: Main) -> Any:
    return anyio.run(main, backend="trio")


def as_a_guest(main: Main) -> Any:
    """On a loop of asyncio."""

    async def host() -> Any:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            main, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=ended.set_result
        )
        return (await ended).unwrap()

    return asyncio.run(host())


#: A test that runs once for each.
on_every_run = pytest.mark.parametrize("run", [by_trio, by_anyio, as_a_guest], ids=lambda run: run.__name__)


async def until(is_so: Callable[[], bool]) -> None:
    """Lets the run go on until it is so."""
    began = time.monotonic()
    turns = 0
    while not is_so():
        assert time.monotonic() - began < LOST, "what was waited for never came"
        turns += 1
        await trio.sleep(0 if turns < 100 else 0.001)


async def waiting(function: Any, count: int) -> None:
    """Until so many callers wait for a build."""
    await until(lambda: function.info().waiting == count)


async def outcome(work: Awaitable[Any]) -> Any:
    """What comes of it: a result, or what was raised."""
    try:
        return await work
    except BaseException as error:
        return error


async def outcomes(*calls: Callable[[], Awaitable[Any]]) -> list[Any]:
    """What comes of calls at a time."""
    results: list[Any] = [None] * len(calls)

    async def one(number: int, call: Callable[[], Awaitable[Any]]) -> None:
        results[number] = await outcome(call())

    async with trio.open_nursery() as nursery:
        for number, call in enumerate(calls):
            nursery.start_soon(one, number, call)
    return results


class Run:
    """A run of trio on a thread of its own, until it is told to end."""

    def __init__(self) -> None:
        self._end: trio.Event
        self._nursery: trio.Nursery
        self._runs = threading.Event()
        self._job = Job(lambda: trio.run(self._main))
        assert self._runs.wait(LOST)

    async def _main(self) -> None:
        self._end = trio.Event()
        self.token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            self._runs.set()
            await self._end.wait()
            self._nursery.cancel_scope.cancel()

    def start(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Begins it there."""
        self.token.run_sync_soon(self._nursery.start_soon, work)

    def call(self, work: Callable[[], Any]) -> Any:
        """Calls it there."""
        return trio.from_thread.run_sync(work, trio_token=self.token)

    def do(self, work: Callable[[], Awaitable[Any]]) -> Any:
        return trio.from_thread.run(work, trio_token=self.token)

    def end(self) -> None:
        self.call(lambda: self._end.set())
        self._job.result()
