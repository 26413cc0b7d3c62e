"""K9: what tasks wait for, and stacks of what is to be left, have no key, as the locks of threads have none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trio

import tenure


@tenure.cache_resource
def connect(event: Any) -> object:
    return object()


class Derived(asyncio.Event):
    pass


def ends() -> tuple[Any, Any]:
    both = anyio.create_memory_object_stream[int](1)
    for end in both:
        end.close()
    return both


MAKE: dict[str, Callable[[], Any]] = {
    "asyncio.Event": asyncio.Event,
    "asyncio.Lock": asyncio.Lock,
    "asyncio.Condition": asyncio.Condition,
    "asyncio.Semaphore": asyncio.Semaphore,
    "asyncio.BoundedSemaphore": asyncio.BoundedSemaphore,
    "asyncio.Barrier": lambda: asyncio.Barrier(2),
    "asyncio.Queue": asyncio.Queue,
    "asyncio.LifoQueue": asyncio.LifoQueue,
    "asyncio.PriorityQueue": asyncio.PriorityQueue,
    "asyncio.TaskGroup": asyncio.TaskGroup,
    "Derived": Derived,
    "ExitStack": contextlib.ExitStack,
    "AsyncExitStack": contextlib.AsyncExitStack,
    "trio.Event": trio.Event,
    "trio.Lock": trio.Lock,
    "trio.StrictFIFOLock": trio.StrictFIFOLock,
    "trio.Condition": trio.Condition,
    "trio.Semaphore": lambda: trio.Semaphore(1),
    "trio.CapacityLimiter": lambda: trio.CapacityLimiter(1),
    "trio, sending": lambda: trio.open_memory_channel[int](1)[0],
    "trio, receiving": lambda: trio.open_memory_channel[int](1)[1],
    "anyio.Event": anyio.Event,
    "anyio.Lock": anyio.Lock,
    "anyio.Condition": anyio.Condition,
    "anyio.Semaphore": lambda: anyio.Semaphore(1),
    "anyio.CapacityLimiter": lambda: anyio.CapacityLimiter(1),
    "anyio, sending": lambda: ends()[0],
    "anyio, receiving": lambda: ends()[1],
}


def refused(make: Callable[[], Any]) -> None:
    for held in (make(), [make()]):
        with pytest.raises(tenure.UnhashableParamError) as caught:
            connect(held)
        for part in ("told from others only by which one it is", "`_event`", "hash_funcs={"):
            assert part in str(caught.value)


@pytest.mark.parametrize("make", MAKE.values(), ids=list(MAKE))
def test_k9_what_is_waited_for_is_refused(make: Callable[[], Any]) -> None:
    refused(make)


def test_k9_that_of_a_running_loop_is_refused() -> None:
    async def on_loop() -> None:
        for make in (anyio.Event, anyio.Lock, anyio.create_task_group, anyio.CancelScope):
            refused(make)

    asyncio.run(on_loop())


def test_k9_as_a_default_it_fails_no_call_and_tells_no_function_from_another() -> None:
    def decorate() -> Any:
        @tenure.cache_resource
        def dial(
            url: str,
            lock: Any = asyncio.Lock(),  # noqa: B008
            stack: Any = contextlib.ExitStack(),  # noqa: B008
        ) -> object:
            return object()

        return dial

    assert decorate()("db") is decorate()("db")


def test_k9_a_plain_object_is_as_it_was() -> None:
    assert connect(object()) is connect(object())
