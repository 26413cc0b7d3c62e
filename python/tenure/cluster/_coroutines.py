"""The coroutines of a blocking function's resource, on a loop of the actor's own, for calls that may be cancelled.

Ray cancels the calls of an async actor, and those of any that have not begun. What has a thread here is cancelled by
its caller's word, where it awaits.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterator
from concurrent.futures import Future
from typing import Any

__all__ = ["Call", "Calls"]

_REMEMBERED = 1000
"""How many calls are remembered that were cancelled before they were heard of, or behind their end."""


class Calls:
    """The calls that are under way, by the task that each of them is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: dict[str, Call] = {}
        self._unknown: deque[str] = deque(maxlen=_REMEMBERED)

    @contextlib.contextmanager
    def begun(self, task: str) -> Iterator[Call]:
        """A call for as long as it is under way. One that is cancelled ends without an answer."""
        call = Call(self)
        with self._lock:
            call.is_cancelled = task in self._unknown
            self._calls[task] = call
        try:
            yield call
        except asyncio.CancelledError:
            # Where nobody waits for it, Ray would log it in the caller's process as an error that was not handled.
            if not call.is_cancelled:
                raise
        finally:
            with self._lock:
                del self._calls[task]

    def cancel(self, task: str) -> None:
        """Cancels what a call awaits, now or from now on."""
        with self._lock:
            call = self._calls.get(task)
            if call is None:
                self._unknown.append(task)
                return
            if self._loop is None:
                call.is_cancelled = True
            else:
                self._loop.call_soon_threadsafe(call.cancel)

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, which runs from its first use on."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(self._loop,), name="tenure cluster loop", daemon=True).start()
            return self._loop


class Call:
    """A call of a coroutine method, which can be cancelled where it awaits."""

    def __init__(self, calls: Calls) -> None:
        self.is_cancelled = False
        self._calls = calls
        self._task: asyncio.Task[Any] | None = None

    def cancel(self) -> None:
        """Cancels what is awaited, or is next. Called on the loop."""
        self.is_cancelled = True
        if self._task is not None:
            self._task.cancel()

    def awaited(self, it: Awaitable[Any]) -> Any:
        """The result of an awaitable, for a thread that waits until it has ended, cancelled or not."""
        ended: Future[Any] = Future()

        async def carried() -> None:
            task = self._task = asyncio.current_task()
            if self.is_cancelled and task is not None:
                task.cancel()
            # A task that has raised SystemExit would end the loop.
            try:
                ended.set_result(await it)
            except BaseException as error:
                ended.set_exception(error)
            finally:
                self._task = None

        carrier = asyncio.run_coroutine_threadsafe(carried(), self._calls.loop())
        try:
            return ended.result()
        finally:
            del carrier

    def items(self, items: Any) -> Iterator[Any]:
        """The items that an async iterable gives, one by one. A generator is closed at the end, however that comes."""
        iterator: AsyncIterator[Any] = items.__aiter__()
        try:
            while True:
                try:
                    item = self.awaited(iterator.__anext__())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            close = getattr(iterator, "aclose", None)
            if close is not None:
                Call(self._calls).awaited(close())


def _run(loop: asyncio.AbstractEventLoop) -> None:
    # What a task that nobody waits for has raised ends neither the loop nor the actor.
    while True:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            loop.run_forever()
