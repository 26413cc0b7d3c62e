"""What the tests of async functions share: loops of every kind, and waits that no speed decides."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import pytest
import uvloop

from world import LOST, Job

Main = Callable[[], Coroutine[Any, Any, Any]]


def by_asyncio(main: Main) -> Any:
    return asyncio.run(main())


def by_debugging(main: Main) -> Any:
    return asyncio.run(main(), debug=True)


def by_runner(main: Main) -> Any:
    with asyncio.Runner() as runner:
        return runner.run(main())


def by_uvloop(main: Main) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def by_anyio(main: Main) -> Any:
    return anyio.run(main)


def by_anyio_on_uvloop(main: Main) -> Any:
    return anyio.run(main, backend_options={"use_uvloop": True})


def eagerly(main: Main) -> Any:
    """Tasks begin where they are made."""

    def loop() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main())


def by_hand(main: Main) -> Any:
    """As `asyncio.run` does it, step by step, and without cancelling anything."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


RUNNERS: list[Callable[[Main], Any]] = [
    by_asyncio,
    by_debugging,
    by_runner,
    by_uvloop,
    by_anyio,
    by_anyio_on_uvloop,
    by_hand,
]
if sys.version_info >= (3, 12):
    RUNNERS.append(eagerly)

#: A test that runs once for each.
on_every_loop = pytest.mark.parametrize("run", RUNNERS, ids=lambda run: run.__name__)


async def until(is_so: Callable[[], bool]) -> None:
    """Lets the loop go on until it is so."""
    began = time.monotonic()
    turns = 0
    while not is_so():
        assert time.monotonic() - began < LOST, "what was waited for never came"
        turns += 1
        await asyncio.sleep(0 if turns < 100 else 0.001)


async def waiting(function: Any, count: int) -> None:
    """Until so many callers wait for a build."""
    await until(lambda: function.info().waiting == count)


async def outcome(work: Awaitable[Any]) -> Any:
    """What comes of it: a result, or what was raised."""
    try:
        return await work
    except BaseException as error:
        return error


class Loop:
    """An event loop that runs on a thread of its own until it is told how to end."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._runs = threading.Event()
        self._job = Job(self._run)
        self._ends: Callable[[asyncio.AbstractEventLoop], None] = lambda loop: None
        assert self._runs.wait(LOST)

    def _run(self) -> None:
        self.loop.call_soon(self._runs.set)
        self.loop.run_forever()
        self._ends(self.loop)

    def start(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Begins it there; its `result` waits for what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.start(work).result(LOST)

    def call(self, work: Callable[[], Any]) -> Any:
        """Calls it there."""

        async def called() -> Any:
            return work()

        return self.do(called())

    def end(self, how: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        """Stops it, and has its thread do `how`."""
        self._ends = how
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._job.result()


def cancels_all(loop: asyncio.AbstractEventLoop) -> None:
    """The end that `asyncio.run` makes."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def closes_generators(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def closes(loop: asyncio.AbstractEventLoop) -> None:
    """Without a word."""
    loop.close()


def stands_still(loop: asyncio.AbstractEventLoop) -> None:
    """Neither runs on nor is closed."""
