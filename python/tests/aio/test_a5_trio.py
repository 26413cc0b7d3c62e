"""A5 on trio: nurseries and cancel scopes around the yield."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio
from trio_runs import on_every_run, outcome, outcomes, until

import tenure
import tenure.testing
from world import Ledger, Thing, settled

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")
SEED = 20261128


class Session:
    """Requests go through a task of its own, and so do the answers."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_open = True
        self.task = trio.lowlevel.current_task()
        self._asks, self._asked = trio.open_memory_channel[Any](100)

    async def serve(self) -> None:
        async for number, answers in self._asked:
            await trio.sleep(0)
            answers.send_nowait(number * 2)

    async def ask(self, number: int) -> int:
        send, receive = trio.open_memory_channel[int](1)
        await self._asks.send((number, send))
        return await receive.receive()

    def stop(self) -> None:
        self._asks.close()


class Sessions:
    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.in_one_task = True

    @asynccontextmanager
    async def by_trio(self) -> AsyncIterator[Session]:
        async with trio.open_nursery() as nursery:
            session = self.opens()
            nursery.start_soon(session.serve)
            with trio.CancelScope() as scope:
                yield session
            assert not scope.cancelled_caught
            await self.closes(session)

    @asynccontextmanager
    async def by_anyio(self) -> AsyncIterator[Session]:
        async with anyio.create_task_group() as group:
            session = self.opens()
            group.start_soon(session.serve)
            with anyio.fail_after(None):
                yield session
            await self.closes(session)
            group.cancel_scope.cancel()

    def opens(self) -> Session:
        self.opened += 1
        return Session(self.opened)

    async def closes(self, session: Session) -> None:
        await trio.sleep(0)
        assert session.is_open
        session.is_open = False
        session.stop()
        self.closed += 1
        self.in_one_task &= trio.lowlevel.current_task() is session.task


@pytest.mark.parametrize("form", ["yield", "enter"])
@pytest.mark.parametrize("kind", ["by_trio", "by_anyio"])
@on_every_run
def test_a5_trio_a_thousand_sessions_opened_and_closed_from_random_tasks(
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
                    with trio.CancelScope() as scope:
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(session, key)
                            await trio.sleep(0)
                            scope.cancel()
                case 4:
                    with trio.move_on_after(0):
                        await session(key)
                case _:
                    await session(key)
            await trio.sleep(0)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(user)
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


@pytest.mark.parametrize("kind", ["by_trio", "by_anyio"])
@on_every_run
def test_a5_trio_a_session_that_is_kept_is_closed_with_its_run(run: Any, kind: str) -> None:
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


@on_every_run
@pytest.mark.parametrize("leased", [False, True])
def test_a5_trio_a_nursery_that_crashes_while_it_is_kept_has_its_resource_released(
    run: Any, leased: bool, caplog: pytest.LogCaptureFixture, ledger: Ledger, clock: tenure.testing.Clock
) -> None:
    """At once, also where somebody leases it. The next call builds anew; what the nursery raised is told."""
    crash: list[trio.Event] = []

    async def child(crash: trio.Event) -> None:
        await crash.wait()
        raise OSError("the peer is gone")

    @tenure.cache_resource
    async def session() -> AsyncIterator[Thing]:
        crash.append(trio.Event())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, crash[-1])
            it = ledger.build()
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
        await until(lambda: session.info().release_failures == 1)
        second = await session()
        assert second is not first
        session.clear()
        await trio.sleep(0)
        crash[1].set()
        await until(lambda: session.info().release_failures == 2)

    run(main)
    assert len(ledger.released) == len(ledger.built) == 2
    assert sum("the peer is gone" in (it.exc_text or "") for it in caplog.records) == 2


def test_a5_trio_a_nursery_that_crashes_within_the_build_fails_it() -> None:
    async def child() -> None:
        raise OSError("no")

    @tenure.cache_resource
    async def session() -> AsyncIterator[object]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
            await trio.sleep_forever()
            yield object()

    async def main() -> None:
        for result in await outcomes(session, session):
            assert isinstance(result, ExceptionGroup)
            assert isinstance(result.exceptions[0], OSError)

    trio.run(main)
    assert session.info().failures == 1


@on_every_run
def test_a5_trio_a_callers_cancel_scope_ends_neither_build_nor_session(run: Any) -> None:
    """The build was started inside of the scope, and is no part of it."""
    sessions = Sessions()

    @tenure.cache_resource
    async def session() -> AsyncIterator[Session]:
        async with sessions.by_trio() as it:
            yield it

    async def main() -> None:
        with trio.CancelScope() as scope:
            first = await session()
            scope.cancel()
            await trio.sleep(0)
        assert await session() is first
        assert await first.ask(1) == 2

    run(main)
    assert sessions.closed == sessions.opened == 1


@pytest.mark.parametrize("yields", [0, 2])
def test_a5_trio_no_yield_and_a_second_one_are_errors(yields: int, caplog: pytest.LogCaptureFixture) -> None:
    @tenure.cache_resource
    async def thing() -> AsyncIterator[int]:
        async with trio.open_nursery():
            for number in range(yields):
                yield number

    async def main() -> None:
        result = await outcome(thing())
        if yields == 0:
            assert isinstance(result, RuntimeError)
            return
        assert result == 0
        thing.clear()
        await until(lambda: thing.info().release_failures == 1)

    trio.run(main)


def test_a5_trio_what_runs_inside_of_a_kept_resource_may_use_the_cache() -> None:
    @tenure.cache_resource
    async def poller() -> AsyncIterator[list[int]]:
        got: list[int] = []

        async def poll() -> None:
            while len(got) < 3:
                got.append(len(await poller()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            yield got

    async def main() -> None:
        got = await poller()
        await until(lambda: len(got) >= 3)

    trio.run(main)
    assert poller.info().release_failures == 0
