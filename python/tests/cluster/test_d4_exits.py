"""D4: what would end a process reaches the caller whose resource has raised it, and the actor goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from works import actors, client, counted, exiting, exiting_async, thing, until

ERRORS = pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("enough")], ids=["exit", "interrupt"])


def caught(error: BaseException, call: Callable[[], Any]) -> None:
    with pytest.raises(type(error)) as raised:
        call()
    assert raised.value.args == error.args
    assert "Raised in an actor of the cluster" in raised.value.__notes__[0]


@ERRORS
def test_d4_an_exit_in_a_method_is_the_caller_s(error) -> None:
    it = thing("pump")
    place = it.process()
    caught(error, lambda: it.exits(error))
    caught(error, lambda: asyncio.run(it.exits_later(error)))
    caught(error, lambda: list(it.exits_within(error)))
    assert it.process() == place
    assert counted() == {"built pump": 1}


@ERRORS
def test_d4_an_exit_in_a_method_of_an_async_function_s_is_the_caller_s(error) -> None:
    async def call(name: str) -> None:
        await getattr(await client("pipe"), name)(error)

    async def read() -> None:
        async for _ in (await client("pipe")).exits_within(error):
            pass

    async def plain() -> str:
        return await (await client("pipe")).plain()

    caught(error, lambda: asyncio.run(call("exits")))
    caught(error, lambda: asyncio.run(call("exits_later")))
    caught(error, lambda: asyncio.run(read()))
    assert asyncio.run(plain()) == "pipe"
    assert counted() == {"built pipe": 1}


def test_d4_an_exit_in_a_build_is_the_caller_s_and_leaves_nothing() -> None:
    for calls in (1, 2):
        caught(SystemExit("no pump"), lambda: exiting("pump"))
        assert counted() == {"tried pump": calls}
        until(lambda: actors() == [])


def test_d4_an_exit_in_a_build_of_an_async_function_is_the_caller_s_and_leaves_nothing() -> None:
    async def call() -> None:
        await exiting_async("pipe")

    for calls in (1, 2):
        caught(SystemExit("no pipe"), lambda: asyncio.run(call()))
        assert counted() == {"tried pipe": calls}
        until(lambda: actors() == [])
