"""D4: a stream and a call for which nobody waits any more end where the resource is, however that has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import trio
from works import client, counted, reached, thing

MANY = 5
"""More than the calls that run at a time on the resource of a blocking function."""


def cancelled_on_asyncio(use: Callable) -> None:
    async def main() -> None:
        begun = asyncio.Event()
        user = asyncio.ensure_future(use(begun))
        await begun.wait()
        user.cancel()
        with pytest.raises(asyncio.CancelledError):
            await user

    asyncio.run(main())


def cancelled_on_trio(use: Callable) -> None:
    async def main() -> None:
        begun = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(use, begun)
            await begun.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)


CANCELLED = pytest.mark.parametrize("cancelled", [cancelled_on_asyncio, cancelled_on_trio])


@CANCELLED
def test_d4_streams_of_a_blocking_function_that_are_cancelled_end_there(cancelled) -> None:
    for number in range(MANY):
        tag = f"endless {number}"

        async def use(begun, tag=tag) -> None:
            async for item in thing("pump").endless(tag):
                assert item == tag
                begun.set()

        cancelled(use)
        reached(f"stopped {tag}")
    assert thing("pump").add(1) == 1


@CANCELLED
@pytest.mark.parametrize("method", ["endless", "steady"])
def test_d4_streams_of_an_async_function_that_are_cancelled_end_there(cancelled, method) -> None:
    async def use(begun) -> None:
        async for item in getattr(await client("pipe"), method)("stream"):
            assert item == "stream"
            begun.set()
            # Within the body of the loop or within the stream: both are ways out of it.
            if method == "steady":
                await (trio.sleep_forever() if cancelled is cancelled_on_trio else asyncio.Event().wait())

    cancelled(use)
    reached("stopped stream")
    # Nothing of it holds the resource.
    client.clear()
    reached("released pipe: cleared")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_d4_a_blocking_stream_that_an_exception_leaves_ends_there(error) -> None:
    for number in range(MANY):
        stream = thing("pump").steady(f"steady {number}")
        assert next(stream) == f"steady {number}"
        with pytest.raises(error):
            stream.throw(error())
        reached(f"stopped steady {number}")
    assert thing("pump").add(1) == 1


def test_d4_streams_that_are_cancelled_where_they_wait_for_their_turn_never_begin() -> None:
    it = thing("pump")

    async def use(stream) -> None:
        async for _ in stream:
            pass

    async def main() -> None:
        users = [asyncio.ensure_future(use(it.endless("first"))) for _ in range(MANY - 1)]
        await asyncio.to_thread(reached, "began first", MANY - 1)
        late = asyncio.ensure_future(use(it.endless("late")))
        await asyncio.sleep(0)
        for user in [late, *users]:
            user.cancel()
        assert all(
            isinstance(it, asyncio.CancelledError) for it in await asyncio.gather(*users, late, return_exceptions=True)
        )

    asyncio.run(main())
    reached("stopped first", MANY - 1)
    assert it.add(1) == 1
    assert counted()["began late"] == counted()["stopped late"]


@CANCELLED
def test_d4_coroutine_methods_of_a_blocking_function_are_cancelled_there(cancelled) -> None:
    for number in range(MANY):
        tag = f"waits {number}"

        async def use(begun, tag=tag) -> None:
            async def told() -> None:
                await (trio.to_thread.run_sync if cancelled is cancelled_on_trio else asyncio.to_thread)(
                    reached, f"began {tag}"
                )
                begun.set()

            if cancelled is cancelled_on_trio:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(told)
                    await thing("pump").waits(tag)
            else:
                telling = asyncio.ensure_future(told())
                await thing("pump").waits(tag)
                await telling

        cancelled(use)
        reached(f"stopped {tag}")
    assert thing("pump").add(1) == 1
    thing.clear()
    reached("released pump: cleared")
