"""A6: async functions are warmed by tasks of the loop that asks, and whoever waits awaits it."""

from __future__ import annotations

import asyncio

import pytest

import tenure
import tenure.asgi
from tenure.testing import Clock
from world import Ledger

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


async def moving(clock: Clock, until: asyncio.Future[object]) -> None:
    """Does what background threads do on the real clock, until that is done."""
    while not until.done():
        clock.advance(0)
        await asyncio.sleep(0)


def test_a6_async_functions_are_warmed_on_the_loop(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop", on_release=ledger.release)
    async def thing(name: str) -> object:
        await asyncio.sleep(0)
        return ledger.build(name)

    async def main() -> None:
        warming = thing.warm(["a", "b"])

        async def waits() -> object:
            return await warming

        task = asyncio.ensure_future(waits())
        await moving(clock, task)
        assert task.result() is warming
        assert (warming.done, warming.failures) == (2, ())
        assert await thing("a") in ledger.built
        assert thing.info().builds == 2
        assert await warming is warming, "as often as somebody waits"

    asyncio.run(main())
    assert sorted(map(str, ledger.names())) == ["a", "b"]


def test_a6_a_lifespan_waits_for_what_it_warms(clock: Clock, ledger: Ledger) -> None:
    """A9."""

    @tenure.cache_resource
    def model(name: str) -> object:
        return ledger.build(name)

    async def serves() -> None:
        async with tenure.asgi.lifespan(warm=[lambda: model.warm(["small", "large"])]):
            assert [model.peek(name) is not None for name in ("small", "large")] == [True, True]

    async def main() -> None:
        task = asyncio.ensure_future(serves())
        await moving(clock, task)
        task.result()

    asyncio.run(main())
    model.clear()


def test_a6_who_waits_may_stop_waiting(clock: Clock, ledger: Ledger) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        @tenure.cache_resource
        async def thing() -> object:
            await go_on.wait()
            return ledger.build()

        warming = thing.warm()

        async def waits() -> None:
            await warming

        task = asyncio.ensure_future(waits())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        task = asyncio.ensure_future(waits())
        await moving(clock, task)
        assert await thing() is ledger.built[0]

    asyncio.run(main())
