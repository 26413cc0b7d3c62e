"""A5: task groups and cancel scopes inside of a function that yields, as sessions of a protocol have them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest

import tenure
import tenure.testing
from loops import RUNNERS, by_debugging, by_hand, outcome, until
from world import Ledger, settled

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")
SEED = 20261128


class Session:
    """Requests go through a task of its own, and so do the answers."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_open = True
        self.task = asyncio.current_task()
        self._requests: asyncio.Queue[tuple[int, asyncio.Future[int]] | None] = asyncio.Queue()

    async def serve(self) -> None:
        while (request := await self._requests.get()) is not None:
            number, answer = request
            await asyncio.sleep(0)
            if not answer.done():
                answer.set_result(number * 2)

    async def ask(self, number: int) -> int:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._requests.put_nowait((number, answer))
        return await answer

    def stop(self) -> None:
        self._requests.put_nowait(None)


class Sessions:
    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.in_one_task = True

    @asynccontextmanager
    async def by_asyncio(self) -> AsyncIterator[Session]:
        async with asyncio.TaskGroup() as group:
            session = self.opens()
            group.create_task(session.serve())
            async with asyncio.timeout(None):
                yield session
            self.closes(session)

    @asynccontextmanager
    async def by_anyio(self) -> AsyncIterator[Session]:
        send, receive = anyio.create_memory_object_stream[int](1)
        async with send, receive, anyio.create_task_group() as group:
            session = self.opens()
            group.start_soon(session.serve)
            with anyio.CancelScope() as scope:
                yield session
            assert not scope.cancelled_caught
            self.closes(session)
            group.cancel_scope.cancel()

    def opens(self) -> Session:
        self.opened += 1
        return Session(self.opened)

    def closes(self, session: Session) -> None:
        assert session.is_open
        session.is_open = False
        session.stop()
        self.closed += 1
        self.in_one_task &= asyncio.current_task() is session.task


@pytest.mark.parametrize("form", ["yield", "enter"])
@pytest.mark.parametrize("kind", ["by_asyncio", "by_anyio"])
@pytest.mark.parametrize(
    "run", [it for it in RUNNERS if it not in (by_hand, by_debugging)], ids=lambda run: run.__name__
)
def test_a5_a_thousand_sessions_opened_and_closed_from_random_tasks(
    run: Any, kind: str, form: str, clock: tenure.testing.Clock
) -> None:
    """Whoever calls, clears or is cancelled: each session begins and ends in its own task, once."""
    sessions = Sessions()
    managers = getattr(sessions, kind)

    if form == "yield":

        @tenure.cache_resource
        async def session(key: int) -> AsyncIterator[Session]:
            async with managers() as it:
                yield it
    else:

        @tenure.cache_resource(enter=True)
        async def session(key: int) -> Any:
            return managers()

    dice = random.Random(SEED)

    async def user() -> None:
        while sessions.opened < 1000:
            key = dice.randrange(4)
            match dice.randrange(6):
                case 0 | 1:
                    session.clear(key)
                case 2:
                    async with session.lease(key) as it:
                        session.clear(key)
                        assert await it.ask(key) == key * 2
                case 3:
                    call = asyncio.create_task(session(key))
                    await asyncio.sleep(0)
                    call.cancel()
                    assert isinstance(await outcome(call), Session | asyncio.CancelledError)
                case 4:
                    with anyio.move_on_after(0):
                        await session(key)
                case _:
                    await session(key)
            await asyncio.sleep(0)

    async def main() -> None:
        users = [asyncio.create_task(user()) for _ in range(8)]
        for it in users:
            await it
        session.clear()
        # What was leased is looked at again in a while.
        clock.advance("1m")
        await until(lambda: sessions.closed == sessions.opened)

    run(main)
    assert sessions.opened >= 1000
    assert sessions.closed == sessions.opened
    assert sessions.in_one_task
    info = session.info()
    assert (info.release_failures, info.failures, info.entries, info.waiting) == (0, 0, 0, 0)
    assert settled(session)


@pytest.mark.parametrize("kind", ["by_asyncio", "by_anyio"])
@pytest.mark.parametrize("run", [it for it in RUNNERS if it is not by_hand], ids=lambda run: run.__name__)
def test_a5_a_session_that_is_kept_is_closed_with_its_loop(run: Any, kind: str) -> None:
    sessions = Sessions()

    @tenure.cache_resource(scope="loop")
    async def session(key: int) -> AsyncIterator[Session]:
        async with getattr(sessions, kind)() as it:
            yield it

    async def main() -> None:
        assert await (await session(1)).ask(2) == 4
        await session(2)

    run(main)
    assert sessions.closed == 2
    assert sessions.in_one_task
    assert session.info().release_failures == 0


@pytest.mark.parametrize("kind", ["asyncio", "anyio"])
@pytest.mark.parametrize("leased", [False, True])
def test_a5_a_group_that_crashes_while_it_is_kept_has_its_resource_released(
    kind: str, leased: bool, caplog: pytest.LogCaptureFixture, ledger: Ledger, clock: tenure.testing.Clock
) -> None:
    """The next call builds anew; what the group raised is told; nobody who is in a block is cut off."""
    crash: list[asyncio.Event] = []

    async def child() -> None:
        await crash[-1].wait()
        raise OSError("the peer is gone")

    @tenure.cache_resource
    async def session() -> AsyncIterator[Any]:
        crash.append(asyncio.Event())
        it = ledger.build()
        if kind == "asyncio":
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                yield it
                ledger.release(it)
        else:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(child)
                yield it
                ledger.release(it)

    async def main() -> None:
        if leased:
            async with session.lease() as first:
                crash[0].set()
                await until(lambda: not first.is_open)
            clock.advance("1m")
        else:
            first = await session()
            crash[0].set()
            await until(lambda: not first.is_open)
        await until(lambda: session.info().release_failures == 1)
        second = await session()
        assert second is not first
        session.clear()
        await asyncio.sleep(0)
        crash[1].set()
        await until(lambda: session.info().release_failures == 2)

    asyncio.run(main())
    assert len(ledger.released) == len(ledger.built) == 2
    assert sum("the peer is gone" in (it.exc_text or "") for it in caplog.records) == 2


def test_a5_a_group_that_crashes_within_the_build_fails_it() -> None:
    async def child() -> None:
        raise OSError("no")

    @tenure.cache_resource
    async def session() -> AsyncIterator[object]:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.get_running_loop().create_future()
            yield object()

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(ExceptionGroup) as raised:
                await session()
            assert isinstance(raised.value.exceptions[0], OSError)

    asyncio.run(main())
    assert session.info().failures == 2


def test_a5_a_callers_cancel_scope_ends_neither_build_nor_session() -> None:
    """The build was started inside of the scope, and is no part of it."""
    sessions = Sessions()

    @tenure.cache_resource
    async def session() -> AsyncIterator[Session]:
        async with sessions.by_anyio() as it:
            yield it

    async def main() -> None:
        with anyio.CancelScope() as scope:
            first = await session()
            scope.cancel()
            await asyncio.sleep(0)
        assert await session() is first
        async with anyio.create_task_group() as group:
            group.start_soon(session)
            group.cancel_scope.cancel()
        assert await (await session()).ask(1) == 2

    asyncio.run(main())
    assert sessions.closed == sessions.opened == 1


def test_a5_background_tasks_of_a_session_may_use_the_cache() -> None:
    """What runs inside of a kept resource is inside of no build."""
    sessions = Sessions()

    @tenure.cache_resource
    async def session() -> AsyncIterator[Session]:
        async with sessions.by_asyncio() as it:
            yield it

    @tenure.cache_resource
    async def poller() -> AsyncIterator[list[int]]:
        got: list[int] = []

        async def poll() -> None:
            while len(got) < 3:
                got.append(await (await session()).ask(len(got)))
                session.clear()
                got.append(len(await poller()))

        async with asyncio.TaskGroup() as group:
            group.create_task(poll())
            yield got

    async def main() -> None:
        got = await poller()
        await until(lambda: len(got) >= 3)

    asyncio.run(main())
    assert sessions.closed == sessions.opened
    assert poller.info().release_failures == 0
