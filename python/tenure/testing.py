"""For the tests of programs that use Tenure: time that a test moves, functions with something in their place, and
blocks that leave nothing behind. With pytest the last is there by itself: see `tenure.pytest_plugin`.

>>> import tenure, tenure.testing
>>> @tenure.cache_resource(ttl="1h")
... def token():
...     return object()
>>> with tenure.testing.clock() as clock:
...     first = token()
...     clock.advance("59m")
...     assert token() is first
...     clock.advance("1m")
...     assert token() is not first
...     token.info().releases["expired"]
1
>>> with tenure.testing.override(token, "secret"):
...     token()
'secret'
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from tenure import _native
from tenure._native import Clock

__all__ = ["Clock", "Isolated", "Override", "clock", "isolated", "override"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def clock() -> Clock:
    """A clock that stands still until its `advance` moves it; a context manager.

    Within the block every cached function of the process, on every thread, begins with no entries and with figures of
    its own, and time passes only by `advance(by)`, where `by` has the forms of `ttl`. What has become due then is done
    on the thread that calls: expired and drained resources are released, sessions end, spinners show. At the end of the
    block everything built in it is released, and the program's own entries are there again.

    One clock at a time; a second one raises a `RuntimeError`. In a task, `async with` waits for what its loop has to
    release at the end of the block; with a `with`, that goes on after it.

    >>> import tenure, tenure.testing
    >>> with tenure.testing.clock() as clock:
    ...     clock.advance(90)
    """
    return Clock()


class Override:
    """Something in the place of a cached function. Made by `override`.

    >>> import tenure, tenure.testing
    >>> @tenure.cache_resource
    ... def token():
    ...     return "the real one"
    >>> @tenure.testing.override(token, "secret")
    ... def test_login():
    ...     assert token() == "secret"
    >>> test_login()
    """

    def __init__(self, function: Any, value: Any) -> None:
        self._native = _native.Override(function, value)

    def __enter__(self) -> Any:
        return self._native.begin()

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._native.end()

    def __call__(self, test: Callable[_P, _R]) -> Callable[_P, _R]:
        """A function, async or not, with the override in force for the length of each of its calls."""

        async def awaited(work: Callable[[], Awaitable[Any]]) -> Any:
            with self:
                return await work()

        return _around(test, self, awaited)


def override(function: Any, value: Any, /) -> Override:
    """Puts something in the place of a cached function, for a `with` block or, as a decorator, for a test.

    It holds for all threads, tasks and loops. `value` is what each call gives; what is written as a function (a `def`,
    a lambda, a method, a partial) is called with the call's arguments instead, and gives it. A mock or a model that can
    be called is a value. Calls of an async function stay awaitable, and a function in its place may be async or not.

    `Class.f` is meant for all instances, and a function in its place gets the instance first; `obj.f` for that one
    alone, without. The last override counts. `f.lease(…)` and `f.peek(…)` give the value too, `f.warm(…)` builds
    nothing, and `f.clear(…)`, `f.expire(…)` and `f.info()` are about what is kept beneath. Tenure never releases the
    value, and no figure counts it.

    Raises a TypeError where `function` is not a cached function, and for what cannot stand in its place: a function
    that yields, and an async one for a function that is not.

    >>> import tenure, tenure.testing
    >>> @tenure.cache_resource
    ... def model(name):
    ...     raise ConnectionError("not in a test")
    >>> with tenure.testing.override(model, lambda name: name.upper()):
    ...     model("small")
    'SMALL'
    """
    return Override(function, value)


class Isolated:
    """A block that leaves nothing behind. Made by `isolated`.

    >>> import tenure, tenure.testing
    >>> @tenure.cache_resource
    ... def pool():
    ...     return object()
    >>> @tenure.testing.isolated()
    ... def test_builds_once():
    ...     assert pool() is pool() and pool.info().builds == 1
    >>> test_builds_once()
    """

    def __init__(self) -> None:
        self._begun: list[_native.Isolated] = []

    def __enter__(self) -> None:
        if _a_loop_runs():
            raise RuntimeError(
                "a `with` block cannot wait for what an event loop has to release, on the thread that runs that loop. "
                "Write `async with tenure.testing.isolated():`"
            )
        self._begin()

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        it = self._begun.pop()
        try:
            _release_on_loops()
        finally:
            it.end()

    async def __aenter__(self) -> None:
        self._begin()

    async def __aexit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        it = self._begun.pop()
        try:
            await _release_here()
        finally:
            it.end()

    def _begin(self) -> None:
        it = _native.Isolated()
        it.begin()
        self._begun.append(it)

    def __call__(self, test: Callable[_P, _R]) -> Callable[_P, _R]:
        """A function, async or not, each of whose calls is such a block."""

        async def awaited(work: Callable[[], Awaitable[Any]]) -> Any:
            async with self:
                return await work()

        return _around(test, self, awaited)


def _around(
    test: Callable[_P, _R],
    block: contextlib.AbstractContextManager[object],
    awaited: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]],
) -> Callable[_P, _R]:
    """A function each of whose calls is in the block; one that is async is called and awaited so."""
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def called_in_task(*args: _P.args, **kwargs: _P.kwargs) -> Any:
            return await awaited(lambda: cast("Awaitable[Any]", test(*args, **kwargs)))

        return cast("Callable[_P, _R]", called_in_task)

    @functools.wraps(test)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with block:
            return test(*args, **kwargs)

    return called


def _a_loop_runs() -> bool:
    """Whether an event loop runs on this thread."""
    trio: Any = sys.modules.get("trio.lowlevel")
    in_trio = trio is not None and getattr(trio, "in_trio_run", bool)()
    return in_trio or asyncio._get_running_loop() is not None


async def _release_here() -> None:
    """Has the running loop release what was built on it."""
    loops: Any = sys.modules.get("tenure._loops")
    if loops is not None:
        await loops.home().release_all()


async def _entered(clock: Clock) -> Clock:
    return clock.__enter__()


async def _left(clock: Clock) -> None:
    try:
        await _release_here()
    finally:
        clock.__exit__(None, None, None)


def _release_on_loops() -> bool:
    """Has the loops that outlive a test release what it has built on them: nobody runs them now.

    False: that cannot be, since one runs on this thread.
    """
    carriers: Any = sys.modules.get("tenure._carriers")
    if carriers is None:
        return True
    if _a_loop_runs():
        return False
    carriers.sweep()
    for home in carriers.homes.copy().values():
        find = getattr(home, "loop", None)
        loop = None if find is None else find()
        if isinstance(loop, asyncio.AbstractEventLoop) and not (loop.is_running() or loop.is_closed()):
            loop.run_until_complete(home.release_all())
    return True


def isolated() -> Isolated:
    """A block that leaves nothing behind, as the pytest plugin has around each test; for other test runners.

    Within it every cached function of the process, on every thread, begins with no entries and with figures of its own.
    At its end everything built in it is released, what `tenure.configure` has set is as before, and overrides and
    clocks that were begun in it are over. Time is the system's, or what freezegun and time-machine show.

    In a task it is `async with`, which has the running loop release what was built on it; a `with` raises a
    RuntimeError there. As a decorator it is around each call of a function, async or not.

    >>> import tenure, tenure.testing
    >>> @tenure.cache_resource
    ... def pool():
    ...     return object()
    >>> with tenure.testing.isolated():
    ...     first = pool()
    >>> with tenure.testing.isolated():
    ...     assert pool() is not first
    ...     pool.info().builds
    1
    """
    return Isolated()
