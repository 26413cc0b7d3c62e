"""A5: context managers that can be entered only once are not kept, and the error says what to write."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import tenure

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


MANAGERS = ["contextmanager", "asynccontextmanager"]


def managed(kind: str) -> Any:
    """A function of this name under that decorator."""

    def blocking() -> Iterator[int]:
        yield 1

    async def on_loop() -> AsyncIterator[int]:
        yield 1

    return contextlib.contextmanager(blocking) if kind == "contextmanager" else contextlib.asynccontextmanager(on_loop)


@pytest.mark.parametrize("kind", MANAGERS)
@pytest.mark.parametrize("wrapped", [lambda it: it, functools.partial, staticmethod])
def test_a5_a_function_under_contextmanager_is_refused_where_it_stands(kind: str, wrapped: Any) -> None:
    take = rf"Take @{kind} away: .*yields its resource directly"
    with pytest.raises(TypeError, match=take):
        tenure.cache_resource(wrapped(managed(kind)))
    if kind == "asynccontextmanager":
        with pytest.raises(TypeError, match=rf"Take @{kind} and enter=True away"):
            tenure.cache_resource(enter=True)(wrapped(managed(kind)))
    else:
        entered = tenure.cache_resource(enter=True)(wrapped(managed(kind)))
        assert getattr(entered, "__func__", entered)() == 1


@pytest.mark.parametrize("kind", MANAGERS)
def test_a5_a_context_manager_that_is_entered_once_is_not_kept(kind: str) -> None:
    """Where it is only seen when it has been returned: its second user could not enter it."""

    @tenure.cache_resource
    def blocking() -> Any:
        return managed(kind)()

    @tenure.cache_resource
    async def on_loop() -> Any:
        return managed(kind)()

    async def main() -> None:
        with pytest.raises(TypeError, match=r"on_loop returned .*entered once and never.* Write enter=True: "):
            await on_loop()

    cure = "Write enter=True: " if kind == "contextmanager" else "Write enter=True on `async def blocking`"
    with pytest.raises(TypeError, match=rf"blocking returned .*entered once and never.* {cure}"):
        blocking()
    asyncio.run(main())
    assert blocking.info().entries == on_loop.info().entries == 0


def test_a5_one_that_is_entered_here_says_how_an_asynchronous_one_is_written() -> None:
    @tenure.cache_resource(enter=True)
    def pool() -> Any:
        return managed("asynccontextmanager")()

    with pytest.raises(TypeError, match=r"write `async def pool`, which returns it.*@asynccontextmanager, take that"):
        pool()


def test_a5_what_can_be_entered_again_is_kept() -> None:
    lock = threading.Lock()
    function = tenure.cache_resource(lambda: lock)
    assert function() is function() is lock
    parts = tenure.cache_resource(contextlib.ExitStack)
    assert parts() is parts()
