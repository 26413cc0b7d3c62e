"""Builds before the first caller comes: what `f.warm(...)` gives, and whether this process is ready."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["Failed", "Warming", "ready", "warm"]

_log = logging.getLogger("tenure")


class Failed(NamedTuple):
    """A build of a `Warming` that gave no resource."""

    arguments: tuple[Any, ...]
    """By position."""
    keywords: Mapping[str, Any]
    """By name."""
    error: BaseException
    """Why: as the function raised it."""


class Warming:
    """Builds that have been begun by `f.warm(...)`, and go on whether anybody waits for them or not.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def model(name):
    ...     return [name]
    >>> warming = model.warm(["small", "large"])
    >>> warming.wait()
    True
    >>> warming.done, warming.total, warming.failures
    (2, 2, ())
    >>> model.clear()
    """

    def __init__(self, function: str, total: int) -> None:
        self.function = function
        """The name of the function."""
        self.total = total
        """How many builds there are."""
        self._failures: list[Failed] = []
        self._done = 0
        self._changed = threading.Condition()
        self._woken: list[Callable[[], object]] = []

    @property
    def done(self) -> int:
        """How many have ended, well or not."""
        return self._done

    @property
    def failures(self) -> tuple[Failed, ...]:
        """Those that gave no resource, in the order in which they ended. Each has been logged."""
        with self._changed:
            return tuple(self._failures)

    def ready(self) -> bool:
        """Whether all have ended, well or not."""
        return self._done == self.total

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until all have ended, at most so many seconds; whether they have.

        Not on the thread of an event loop whose builds these are: await it there.
        """
        with self._changed:
            return self._changed.wait_for(self.ready, timeout)

    def __await__(self) -> Generator[Any, None, Warming]:
        return self._ended().__await__()

    async def _ended(self) -> Warming:
        if "trio" in sys.modules and asyncio._get_running_loop() is None:
            import trio

            await trio.to_thread.run_sync(self.wait, abandon_on_cancel=True)
            return self
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not ended.done():
                ended.set_result(None)

        with self._changed:
            if self.ready():
                return self
            self._woken.append(functools.partial(loop.call_soon_threadsafe, wake))
        await ended
        return self

    def _told(self, call: tuple[tuple[Any, ...], Mapping[str, Any]], error: BaseException | None) -> None:
        """One of them has ended."""
        if error is not None:
            _log.error("%s could not be built to be warm", self.function, exc_info=error)
        with self._changed:
            self._done += 1
            if error is not None:
                self._failures.append(Failed(*call, error))
            woken = self._woken if self.ready() else []
            self._changed.notify_all()
        pending(-1)
        for wake in woken:
            # The loop of whoever waited may have been closed.
            with contextlib.suppress(RuntimeError):
                wake()

    def __repr__(self) -> str:
        failed = f", {len(self._failures)} failed" if self._failures else ""
        return f"<warming {self.function}: {self._done} of {self.total}{failed}>"


def warm(cached: Any, calls: Iterable[Any] | None, first: tuple[Any, ...] = ()) -> Warming:
    """Has a cached function build for these calls. `first` is what stands before the arguments of each."""
    name = getattr(cached, "__name__", None) or repr(cached)
    given = [_arguments(it) for it in ([()] if calls is None else _listed(name, calls))]
    home = None
    if inspect.iscoroutinefunction(cached):
        from tenure import _loops

        try:
            home = _loops.home()
        except RuntimeError:
            raise RuntimeError(
                f"{name} is an async function, which is built on an event loop, and none runs here. Call "
                f"{name}.warm(...) in a task"
            ) from None
    warming = Warming(name, len(given))
    pending(len(given))
    begun = 0
    try:
        for args, kwargs in given:
            done = functools.partial(warming._told, (args, kwargs))
            cached._warm((*first, *args), dict(kwargs) or None, home, done)
            begun += 1
    except BaseException:
        # Those that have begun go on; who asked for the others hears of it now.
        pending(begun - len(given))
        raise
    return warming


def _listed(name: str, calls: Any) -> Iterable[Any]:
    if isinstance(calls, (str, bytes, Mapping)) or not isinstance(calls, Iterable):
        raise TypeError(
            f"{name}.warm takes a list with one item for each call: a tuple of its arguments, a dict of them by name, "
            f'or its one argument; not {calls!r}. Example: {name}.warm(["small", "large"])'
        )
    return calls


def _arguments(item: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if isinstance(item, tuple):
        return item, {}
    if isinstance(item, dict):
        return (), item
    return (item,), {}


_lock = threading.Lock()
_pending = 0


def pending(more: int) -> None:
    """So many more are on their way, or fewer."""
    global _pending
    with _lock:
        _pending += more


def ready() -> bool:
    """Whether nothing is being warmed any more in this process: for a health check.

    What has failed has been logged, and is built when it is asked for.

    >>> import tenure
    >>> tenure.ready()
    True
    """
    return _pending == 0


def _after_fork() -> None:
    """In a child process: what is being built is the parent's."""
    global _lock, _pending
    _lock = threading.Lock()  # Who held it may not be here.
    _pending = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
