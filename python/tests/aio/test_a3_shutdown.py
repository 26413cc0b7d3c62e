"""A3, L20: a shutdown in a task waits for the async releases on its own loop."""

from __future__ import annotations

import asyncio

import tenure


def test_a3_a_shutdown_in_a_task_lets_async_releases_go_on() -> None:
    released: list[object] = []

    async def close(thing: object) -> None:
        await asyncio.sleep(0)
        released.append(thing)

    @tenure.cache_resource(on_release=close)
    async def thing() -> object:
        return object()

    async def main() -> None:
        one = await thing()
        assert await tenure.shutdown_async()
        assert released == [one]

    asyncio.run(main())
    assert thing.info().releases["shutdown"] == 1
