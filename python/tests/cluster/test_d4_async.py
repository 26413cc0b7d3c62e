"""D4: the handle of an async function is awaited, whatever its methods are, on asyncio and on trio."""

from __future__ import annotations

import asyncio

import pytest
import ray
import trio
from works import LOST, Broken, client, counted, lines, narrow, reached


async def main() -> None:
    it = await client("pipe")
    assert await client("pipe") is it
    assert await it.ask(1) == 2
    assert await it.plain() == "pipe"
    assert await it.name == "pipe"
    assert [number async for number in it.count(3)] == [0, 1, 2]
    with pytest.raises(Broken):
        await it.fail()
    with pytest.raises(TypeError, match="has no __len__: it cannot be awaited"):
        len(it)


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_d4_everything_is_awaited(run) -> None:
    run(main) if run is trio.run else run(main())
    assert counted() == {"built pipe": 1}
    client.clear()
    reached("released pipe: cleared")


def test_d4_tasks_share_one_build() -> None:
    async def twenty() -> list[int]:
        return await asyncio.gather(*[call() for _ in range(20)])

    async def call() -> int:
        return await (await client("pipe")).ask(1)

    assert asyncio.run(twenty()) == [2] * 20
    # A handle is of no loop.
    assert asyncio.run(call()) == 2
    assert lines() == ["built pipe"]


def test_d4_a_call_that_is_cancelled_is_cancelled_there() -> None:
    async def cancelled() -> None:
        it = await client("pipe")
        call = asyncio.ensure_future(it.held())
        await asyncio.to_thread(reached, "held")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancelled())
    reached("cancelled")


@ray.remote(num_cpus=0)
class User:
    """Another process that keeps a handle."""

    def ask(self, number: int) -> int:
        async def asked() -> int:
            return await (await narrow("pipe")).ask(number)

        return asyncio.run(asked())


def test_d4_those_who_have_a_handle_take_no_place_of_its_calls() -> None:
    users = [User.remote() for _ in range(3)]
    for _ in range(2):
        assert [ray.get(it.ask.remote(1), timeout=LOST) for it in users] == [2, 2, 2]


def test_d4_a_clear_waits_for_no_place() -> None:
    async def main() -> None:
        it = await narrow("pipe")
        held = asyncio.ensure_future(it.held())
        await asyncio.to_thread(reached, "held")
        await asyncio.to_thread(narrow.clear)
        assert not held.done()
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        assert await (await narrow("pipe")).ask(1) == 2

    asyncio.run(main())
