"""Waiting for what a thread or Ray does, on whichever loop runs."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from tenure import _aio, _loops

__all__ = ["awaited", "each", "in_own_thread"]

Result = TypeVar("Result")


async def awaited(future: Future[Any]) -> Any:
    """The result of a future, for which the loop goes on meanwhile. Who waits here may stop waiting."""
    here = _loops.home()
    if isinstance(here, _aio.Home):
        return await asyncio.wrap_future(future)
    return await here.in_thread(future.result)


async def each(items: Any) -> AsyncIterator[Any]:
    """The references of a stream, one by one, while the loop goes on."""
    here = _loops.home()
    if isinstance(here, _aio.Home):
        async for it in items:
            yield it
        return
    # Ray knows no loops but those of asyncio.
    end = object()
    while (it := await here.in_thread(functools.partial(next, items, end))) is not end:
        yield it


def in_own_thread(work: Callable[[], Result]) -> Future[Result]:
    """Does this on a thread of its own: it may take long, and pools are for what does not."""
    future: Future[Result] = Future()
    # Nobody who stops waiting ends it.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            given = work()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(given)

    threading.Thread(target=run, name="tenure cluster build", daemon=True).start()
    return future
