"""The two actors that hold a resource: of a blocking function, and of an async one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

import tenure
from tenure import _loops
from tenure.cluster import _ray
from tenure.cluster._answers import Over
from tenure.cluster._coroutines import Calls
from tenure.cluster._endings import How
from tenure.cluster._face import face
from tenure.cluster._keeping import Keeper, Turn

__all__ = ["AsyncKeeper", "BlockingKeeper", "actor_class"]


class BlockingKeeper(Keeper):
    """The actor of a blocking function: each call has a thread."""

    def __init__(self, packed: bytes) -> None:
        super().__init__(packed)
        self._ended = threading.Event()
        self._calls = Calls()

    def watch(self) -> None:
        """Answers when everything is released."""
        self._ended.wait()

    def serve(self, watch: list[Any], visit: int) -> Any:
        """Builds the resource, if it is not there, for a user who watches, at this visit of it."""
        with Turn(self) as is_mine:
            if not is_mine:
                return Over()
            user = self._attach(watch[0], visit)
            try:
                with self._lease() as resource:
                    return face(resource)
            except BaseException:
                self._left(user, visit)
                raise

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls a method."""
        with Turn(self) as is_mine:
            if not is_mine:
                return Over()
            with self._calls.begun(_ray.task()) as call, self._lease() as resource:
                given = getattr(resource, name)(*args, **kwargs)
                if inspect.isawaitable(given):
                    given = call.awaited(given)
                return self._answer(resource, name, given)

    def stream(self, name: str, /, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Calls a method whose items are wanted one by one."""
        with Turn(self) as is_mine:
            if not is_mine:
                yield Over()
                return
            with self._calls.begun(_ray.task()) as call, self._lease() as resource:
                items = getattr(resource, name)(*args, **kwargs)
                if hasattr(items, "__aiter__"):
                    items = call.items(items)
                # Not `yield from`: what Ray sends is not for the resource.
                with contextlib.ExitStack() as stack:
                    if inspect.isgenerator(items):
                        stack.enter_context(contextlib.closing(items))
                    for item in items:  # noqa: UP028
                        yield item

    def attribute(self, name: str) -> Any:
        """Reads an attribute, or says that it is a method."""
        with Turn(self) as is_mine:
            if not is_mine:
                return Over()
            with self._lease() as resource:
                return self._attribute(resource, name)

    def end(self, how: How, user: str | None, tag: str | None, visit: int = 0) -> bool:
        """Ends what is kept, or what carries the tag, for a user who leaves. Whether it was the last one."""
        return self._ended_for(how, user, tag, visit)

    def hears(self) -> None:
        """Answers at once, as an actor does that can be reached."""

    def cancel(self, task: str) -> None:
        """Cancels what the call awaits that is this task."""
        self._calls.cancel(task)

    def _release_all(self) -> None:
        tenure.shutdown()

    def _tell(self) -> None:
        self._ended.set()


class AsyncKeeper(Keeper):
    """The actor of an async function: everything runs on the actor's own loop, as it would in one program."""

    def __init__(self, packed: bytes) -> None:
        super().__init__(packed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: Future[None] = Future()

    async def watch(self) -> None:
        """Answers when everything is released."""
        await asyncio.shield(asyncio.wrap_future(self._ended))

    async def serve(self, watch: list[Any], visit: int) -> Any:
        """Builds the resource, if it is not there, for a user who watches, at this visit of it."""
        self._loop = asyncio.get_running_loop()
        # Ray runs the loop, and nobody whom an exit could reach: it is the caller's.
        _loops.home().meant_for_the_loop = ()
        with Turn(self) as is_mine:
            if not is_mine:
                return Over()
            user = self._attach(watch[0], visit)
            try:
                async with self._lease() as resource:
                    return face(resource)
            except BaseException:
                self._left(user, visit)
                raise

    async def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls a method, and awaits what is to be awaited."""
        with Turn(self) as is_mine:
            if not is_mine:
                return Over()
            async with self._lease() as resource:
                given = getattr(resource, name)(*args, **kwargs)
                if inspect.isawaitable(given):
                    given = await given
                return self._answer(resource, name, given)

    async def stream(self, name: str, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Calls a method whose items are wanted one by one."""
        with Turn(self) as is_mine:
            if not is_mine:
                yield Over()
                return
            async with self._lease() as resource:
                items = getattr(resource, name)(*args, **kwargs)
                async with contextlib.AsyncExitStack() as stack:
                    if inspect.isasyncgen(items):
                        await stack.enter_async_context(contextlib.aclosing(items))
                    elif inspect.isgenerator(items):
                        stack.enter_context(contextlib.closing(items))
                    if hasattr(items, "__aiter__"):
                        async for item in items:
                            yield item
                    else:
                        for item in items:
                            yield item

    async def attribute(self, name: str) -> Any:
        """Reads an attribute, or says that it is a method."""
        with Turn(self) as is_mine:
            if not is_mine:
                return Over()
            async with self._lease() as resource:
                return self._attribute(resource, name)

    async def end(self, how: How, user: str | None, tag: str | None, visit: int = 0) -> bool:
        """Ends what is kept, or what carries the tag, for a user who leaves. Whether it was the last one."""
        return self._ended_for(how, user, tag, visit)

    async def hears(self) -> None:
        """Answers at once, as an actor does that can be reached."""

    def _release_all(self) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(tenure.shutdown_async(), self._loop).result()

    def _tell(self) -> None:
        self._ended.set_result(None)


_GROUPS: dict[type[Keeper], dict[str, int]] = {
    AsyncKeeper: {"watch": 1, "end": 2, "hears": 1},
    BlockingKeeper: {"watch": 1, "serve": 4, "end": 2, "hears": 1, "cancel": 1},
}
"""The methods that take no place of the resource's calls, and how many run at a time: those that watch need one in all,
and whoever ends something waits neither for calls nor, where those have threads, for builds."""


@functools.cache
def actor_class(is_async: bool) -> Any:
    """The class of actors for async or for blocking functions, as Ray makes them."""
    keeper = AsyncKeeper if is_async else BlockingKeeper
    for name in _GROUPS[keeper]:
        _ray.imported().method(concurrency_group=name)(getattr(keeper, name))
    return _ray.imported().remote(concurrency_groups=_GROUPS[keeper])(keeper)
