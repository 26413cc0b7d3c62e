"""What an async function costs: an awaited hit, ten thousand tasks woken by one build, a miss.

Everything runs on one event loop of asyncio. A hit and a miss are awaited within one task.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from loops import await_loop, interleaved, per_call
from machine import one_core
from peers import ASYNC_PEERS, Function, clear
from rows import Goal, Row, at_most, within

BARE = "a bare async def"
EVENT = "an asyncio.Event"
TASK = "create_task and await"

WAKE = "async: 10,000 tasks that wait for one build, woken"
MISS = "async: a miss beyond the build"
WAITERS = 10_000
MISSES = 2000


class Resource:
    """Copied, it is itself: cashews hands out a copy."""

    def __copy__(self) -> Resource:
        return self


RESULT = Resource()
builds = 0
ended = 0.0
"""When that which tasks wait for has ended."""


def build() -> object:
    """The resource, counted."""
    global builds
    builds += 1
    return RESULT


async def no_argument():
    return build()


async def one(a):
    return build()


async def bare():
    return RESULT


async def bare_one(a):
    return RESULT


HITS: list[tuple[str, Function, Function, dict[str, Any]]] = [
    ("async: a hit, no argument", no_argument, bare, {}),
    ("async: a hit, one str", one, bare_one, {"a": "sqlite:///a.db"}),
]


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows whose name is wanted."""
    rows = []
    # What caches keep beside their entries, a task that looks for expired ones say, lives as long as this loop.
    with asyncio.Runner() as runner, one_core():
        for name, function, beside, arguments in HITS:
            if wanted(name):
                goals = [within(0.5, "async-lru"), within(1.5, BARE)]
                rows.append(Row(name, _hits(runner, rounds, seconds, function, beside, arguments), goals=goals))
        if wanted(WAKE):
            rows.append(Row(WAKE, _waking(runner, rounds), goals=[at_most(20e-3, "20 ms")]))
        if wanted(MISS):
            goals: list[Goal] = [at_most(15e-6, "15 µs")]
            rows.append(Row(MISS, _missing(runner, rounds, seconds), goals=goals))
    return rows


def _hits(
    runner: asyncio.Runner,
    rounds: int,
    seconds: float,
    function: Function,
    beside: Function,
    arguments: dict[str, Any],
) -> dict[str, float]:
    awaited = {peer: decorate(function) for peer, decorate in ASYNC_PEERS.items()} | {BARE: beside}

    async def check() -> None:
        for peer, it in awaited.items():
            assert await it(**arguments) is RESULT, peer
            assert await it(*arguments.values()) is RESULT, peer

    runner.run(check())
    built = builds
    loops = {peer: await_loop(runner.run, it, arguments) for peer, it in awaited.items()}
    figures = per_call(rounds, loops, seconds)
    runner.run(check())
    assert builds == built, "a loop that should hit has built"
    return figures


class _Waiters:
    """Tasks that wait for one thing, and the time from its end until the last of them runs."""

    def __init__(self) -> None:
        self._left = WAITERS
        self._last: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def taken(self, wait: Callable[[], Awaitable[object]], end: Callable[[], None]) -> float:
        tasks = [asyncio.create_task(self._wait(wait)) for _ in range(WAITERS)]
        # All begin, then the build begins, and then what it waits for.
        for _ in range(5):
            await asyncio.sleep(0)
        assert self._left == WAITERS, "somebody has not waited"
        end()
        taken = await self._last - ended
        await asyncio.gather(*tasks)
        return taken

    async def _wait(self, wait: Callable[[], Awaitable[object]]) -> None:
        await wait()
        self._left -= 1
        if not self._left:
            self._last.set_result(time.perf_counter())


async def _woken_by_build(peer: str) -> float:
    may_end = asyncio.Event()
    built = builds

    async def resource():
        global ended
        await may_end.wait()
        ended = time.perf_counter()
        return build()

    cached = ASYNC_PEERS[peer](resource)
    taken = await _Waiters().taken(cached, may_end.set)
    assert await cached() is RESULT
    assert builds == built + 1, "built more than once"
    # The function of the next round is this one anew, and would find its resource.
    clear(peer, cached)
    return taken


async def _woken_by_event() -> float:
    event = asyncio.Event()

    def end() -> None:
        global ended
        ended = time.perf_counter()
        event.set()

    return await _Waiters().taken(event.wait, end)


def _waking(runner: asyncio.Runner, rounds: int) -> dict[str, float]:
    measures: dict[str, Callable[[], float]] = {
        peer: lambda p=peer: runner.run(_woken_by_build(p)) for peer in ("tenure", "async-lru")
    }
    return interleaved(rounds, measures | {EVENT: lambda: runner.run(_woken_by_event())})


def _missing(runner: asyncio.Runner, rounds: int, seconds: float) -> dict[str, float]:
    """The same new keys again and again in a cache that is emptied between, less what the function itself takes."""
    keys = list(range(10_000, 10_000 + MISSES))

    async def through(function: Function) -> float:
        start = time.perf_counter()
        for key in keys:
            await function(key)
        return time.perf_counter() - start

    async def as_a_task(key: int) -> object:
        return await asyncio.create_task(one(key))

    async def one_round(peer: str, function: Function) -> float:
        began = time.perf_counter()
        beyond = []
        while not beyond or time.perf_counter() - began < seconds:
            if peer != TASK:
                clear(peer, function)
            before = builds
            taken = await through(function)
            assert builds == before + MISSES, f"{peer}: a hit where a miss was measured"
            assert await function(keys[-1]) is RESULT
            beyond.append(taken - await through(one))
        if peer != TASK:
            clear(peer, function)
        return sum(beyond) / len(beyond) / MISSES

    missed = {peer: ASYNC_PEERS[peer](one) for peer in ("tenure", "streamlit", "async-lru")} | {TASK: as_a_task}
    return interleaved(
        rounds, {peer: lambda p=peer, f=function: runner.run(one_round(p, f)) for peer, function in missed.items()}
    )
