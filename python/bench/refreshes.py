"""What a hit costs where a successor is built in the background: of a fresh resource, and of one that is too old.

The successor takes as long as the loop does, so that every call finds the old resource.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from unittest import mock

import cachier
import cashews
import streamlit as st
from streamlit.runtime.caching import cache_utils

import tenure
from loops import Loop, await_loop, call_loop, per_call
from machine import one_core
from peers import Function
from rows import Row, faster, within

HIT = "hit with a refresh in the background"
STALE = "stale hit while its successor is being built"
ASYNC_HIT = "async: a hit with a refresh in the background"
ASYNC_STALE = "async: a stale hit while its successor is being built"

FRESH = "a fresh hit"

#: The module, whose name cashews gives to a function as well.
EARLY = importlib.import_module("cashews.decorators.cache.early")

#: For how long a resource is fresh, by a clock that is moved on; and where there is none, by the real one.
MINUTE = 60.0
AT_ONCE = 1e-6


class Resource:
    """Copied, it is itself: cashews hands out a copy."""

    def __copy__(self) -> Resource:
        return self


def with_tenure(function: Function, fresh_for: float) -> Function:
    """Tenure, for blocking functions and async ones."""
    decorate: Callable[[Function], Function]
    decorate = tenure.cache_resource(ttl=fresh_for, refresh_mode="background", max_stale="1h", show_spinner=False)
    return decorate(function)


def with_streamlit(function: Function, fresh_for: float) -> Function:
    """Streamlit's own decorator; what is too old serves for as long again."""
    return st.cache_resource(function, ttl=fresh_for, refresh_mode="background", show_spinner=False)


def with_cachier(function: Function, fresh_for: float) -> Function:
    """cachier in memory. Each call that finds an old result begins a build, however many are under way."""
    stale_after = timedelta(seconds=fresh_for)
    return cachier.cachier(backend="memory", stale_after=stale_after, next_time=True)(function)


def with_cashews(function: Function, fresh_for: float) -> Function:
    """cashews in memory, for async functions alone."""
    cache = cashews.Cache()
    cache.setup("mem://")
    decorated: Function = cache.early(ttl="1h", early_ttl=timedelta(seconds=fresh_for))(function)
    return decorated


def real_time() -> AbstractContextManager[None]:
    """Waits until what is fresh for no time is old."""
    time.sleep(0.001)
    return contextlib.nullcontext()


@contextmanager
def streamlits_clock() -> Iterator[None]:
    """Streamlit's clock, half a term further on than the end of the first."""
    timer = cache_utils.TTLCACHE_TIMER

    def later() -> float:
        return timer() + MINUTE * 1.5

    with mock.patch.object(cache_utils, "TTLCACHE_TIMER", later):
        yield


@contextmanager
def cashews_clock() -> Iterator[None]:
    """The same for cashews, which asks the time of the day."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = UTC) -> Later:
            return super().now(tz) + timedelta(seconds=MINUTE * 1.5)

    with mock.patch.object(EARLY, "datetime", Later):
        yield


Decorate = Callable[[Function, float], Function]

BLOCKING: dict[str, tuple[Decorate, float, Callable[[], AbstractContextManager[None]]]] = {
    "tenure": (with_tenure, AT_ONCE, real_time),
    "streamlit": (with_streamlit, MINUTE, streamlits_clock),
    "cachier": (with_cachier, AT_ONCE, real_time),
}

ASYNC: dict[str, tuple[Decorate, float, Callable[[], AbstractContextManager[None]]]] = {
    "tenure": (with_tenure, AT_ONCE, real_time),
    "cashews": (with_cashews, MINUTE, cashews_clock),
}

#: Whose every stale hit begins a build of its own.
BUILDS_AGAIN = {"cachier"}


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows whose name is wanted."""
    rows = []
    if wanted(HIT):
        goals = [faster(1, peer) for peer in BLOCKING if peer != "tenure"]
        rows.append(Row(HIT, _hits(rounds, seconds), goals=goals))
    if wanted(STALE):
        goals = [within(1.2, FRESH), *(faster(1, peer) for peer in BLOCKING if peer != "tenure")]
        rows.append(Row(STALE, _stale(rounds, seconds), goals=goals))
    if wanted(ASYNC_HIT):
        with asyncio.Runner() as runner:
            rows.append(Row(ASYNC_HIT, _async_hits(runner, rounds, seconds), goals=[faster(1, "cashews")]))
    if wanted(ASYNC_STALE):
        goals = [within(1.2, FRESH), faster(1, "cashews")]
        with asyncio.Runner() as runner:
            rows.append(Row(ASYNC_STALE, _async_stale(runner, rounds, seconds), goals=goals))
    return rows


class Slow:
    """A function that builds at once the first time, and from then on once it may."""

    def __init__(self) -> None:
        self.first = Resource()
        self.builds = 0
        self.begun, self.may_end = threading.Event(), threading.Event()

    @classmethod
    def of(cls, number: int) -> Slow:
        """The one with this number: functions hold that, and not the events, which nothing can tell apart."""
        while number >= len(SLOW):
            SLOW.append(cls())
        return SLOW[number]

    @classmethod
    def blocking(cls) -> tuple[Slow, Function]:
        """One, and its function."""
        number = len(SLOW)
        return cls.of(number), lambda: cls.of(number).build()

    @classmethod
    def awaited(cls) -> tuple[Slow, Function]:
        """One, and its async function."""
        number = len(SLOW)

        async def build() -> Resource:
            return await cls.of(number).build_async()

        return cls.of(number), build

    def build(self) -> Resource:
        """The first resource, or another one in the end."""
        self.builds += 1
        if self.builds == 1:
            return self.first
        self.begun.set()
        assert self.may_end.wait(60)
        return Resource()

    async def build_async(self) -> Resource:
        """The same in a task."""
        self.builds += 1
        if self.builds == 1:
            return self.first
        self.begun.set()
        while not self.may_end.is_set():
            await asyncio.sleep(0.01)
        return Resource()

    def check(self, peer: str, first: object) -> None:
        """A call has given the old resource, and nobody has built too often."""
        assert first is self.first, peer
        assert self.builds == 2 or peer in BUILDS_AGAIN, (peer, self.builds)


SLOW: list[Slow] = []


def _hits(rounds: int, seconds: float) -> dict[str, float]:
    loops: dict[str, Loop] = {}
    cached = {}
    for peer, (decorate, _, _) in BLOCKING.items():
        slow, function = Slow.blocking()
        it = decorate(function, 3600.0)
        assert it() is slow.first, peer
        cached[peer] = (slow, it)
        loops[peer] = call_loop(it, {})
    with one_core():
        figures = per_call(rounds, loops, seconds)
    for peer, (slow, it) in cached.items():
        assert it() is slow.first, peer
        assert slow.builds == 1, peer
    return figures


def _stale(rounds: int, seconds: float) -> dict[str, float]:
    fresh = with_tenure(object, 3600.0)
    fresh()
    loops = {FRESH: call_loop(fresh, {})}
    with contextlib.ExitStack() as stack:
        cached = {}
        for peer, (decorate, fresh_for, later) in BLOCKING.items():
            slow, function = Slow.blocking()
            stack.callback(slow.may_end.set)
            it = decorate(function, fresh_for)
            assert it() is slow.first
            stack.enter_context(later())
            assert it() is slow.first
            assert slow.begun.wait(60), f"{peer} has begun no build"
            cached[peer] = (slow, it)
            loops[peer] = call_loop(it, {})
        with one_core():
            figures = per_call(rounds, loops, seconds)
        for peer, (slow, it) in cached.items():
            slow.check(peer, it())
    return figures


def _async_hits(runner: asyncio.Runner, rounds: int, seconds: float) -> dict[str, float]:
    cached = {}
    for peer, (decorate, _, _) in ASYNC.items():
        slow, function = Slow.awaited()
        cached[peer] = (slow, decorate(function, 3600.0))

    async def check() -> None:
        for peer, (slow, it) in cached.items():
            assert await it() is slow.first, peer
            assert slow.builds == 1, peer

    runner.run(check())
    loops = {peer: await_loop(runner.run, it, {}) for peer, (_, it) in cached.items()}
    with one_core():
        figures = per_call(rounds, loops, seconds)
    runner.run(check())
    return figures


def _async_stale(runner: asyncio.Runner, rounds: int, seconds: float) -> dict[str, float]:
    async def resource() -> object:
        return object()

    fresh = with_tenure(resource, 3600.0)
    loops = {FRESH: await_loop(runner.run, fresh, {})}
    cached: dict[str, tuple[Slow, Function]] = {}

    async def begin(peer: str, stack: contextlib.ExitStack) -> None:
        decorate, fresh_for, later = ASYNC[peer]
        slow, function = Slow.awaited()
        it = decorate(function, fresh_for)
        assert await it() is slow.first
        stack.enter_context(later())
        assert await it() is slow.first
        while not slow.begun.is_set():
            await asyncio.sleep(0)
        cached[peer] = (slow, it)

    async def end(peer: str) -> None:
        slow, it = cached[peer]
        slow.check(peer, await it())
        slow.may_end.set()

    with contextlib.ExitStack() as stack:
        for peer in ASYNC:
            runner.run(begin(peer, stack))
            loops[peer] = await_loop(runner.run, cached[peer][1], {})
        with one_core():
            figures = per_call(rounds, loops, seconds)
        for peer in ASYNC:
            runner.run(end(peer))
    return figures
