"""A1, A5: cancelled at every point where a build or a teardown awaits, and whoever is cancelled there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import tenure
from loops import on_every_loop, until, waiting
from world import Ledger, Thing, releases, settled

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

AWAITS = 3
EVERY_POINT = pytest.mark.parametrize("point", range(AWAITS))
SHAPES = pytest.mark.parametrize("shape", ["coroutine", "generator", "entered"])


class Steps:
    """Awaits so many times, one step at each word."""

    def __init__(self) -> None:
        self.at = -1
        self._gates = [asyncio.Event() for _ in range(AWAITS)]

    async def walk(self) -> None:
        for number, gate in enumerate(self._gates):
            self.at = number
            await gate.wait()
        self.at = AWAITS

    def go_on(self, point: int = AWAITS) -> None:
        for gate in self._gates[:point]:
            gate.set()

    async def reach(self, point: int) -> None:
        """Goes on to this await, and no further."""
        self.go_on(point)
        await until(lambda: self.at == point)


class World:
    """A cached function of each shape, whose builds and teardowns take their steps."""

    def __init__(self, shape: str, ledger: Ledger, **settings: Any) -> None:
        self.ledger = ledger
        self.builds: list[Steps] = []
        self.leaves: list[Steps] = []
        cache = tenure.cache_resource
        if shape == "coroutine":
            self.thing: Any = cache(on_release=self.close, **settings)(self.make)
        elif shape == "generator":
            self.thing = cache(**settings)(self.held)
        else:
            manager = asynccontextmanager(self.held)

            async def entered() -> Any:
                return manager()

            self.thing = cache(enter=True, **settings)(entered)

    async def make(self) -> Thing:
        self.builds.append(Steps())
        await self.builds[-1].walk()
        return self.ledger.build()

    async def close(self, thing: Thing) -> None:
        self.leaves.append(Steps())
        await self.leaves[-1].walk()
        self.ledger.release(thing)

    async def held(self) -> AsyncIterator[Thing]:
        thing = await self.make()
        yield thing
        await self.close(thing)

    async def begun(self, callers: int = 1) -> Steps:
        """Until so many callers wait for the first build."""
        await waiting(self.thing, callers)
        await until(lambda: bool(self.builds))
        return self.builds[0]

    async def built(self) -> Thing:
        caller = asyncio.create_task(self.thing())
        await until(lambda: bool(self.builds))
        self.builds[-1].go_on()
        return await caller

    def let_leave(self) -> None:
        """From now on every teardown goes on, also one that begins only while the loop ends."""
        for steps in self.leaves:
            steps.go_on()
        asyncio.get_running_loop().call_later(0.01, self.let_leave)


def tasks(of: str) -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(f"tenure {of}")]


@SHAPES
@EVERY_POINT
@on_every_loop
def test_a1_a_cancelled_caller_ends_nothing(run: Any, shape: str, point: int, ledger: Ledger) -> None:
    async def main() -> None:
        world = World(shape, ledger)
        first, second = asyncio.create_task(world.thing()), asyncio.create_task(world.thing())
        await world.begun(2)
        await world.builds[0].reach(point)
        first.cancel()
        # At once: it takes no step of the build.
        with pytest.raises(asyncio.CancelledError):
            await first
        assert world.builds[0].at == point
        world.builds[0].go_on()
        assert await second is ledger.built[0]
        world.thing.clear()
        await until(lambda: bool(world.leaves))
        world.leaves[0].go_on()
        await until(lambda: len(ledger.released) == 1)
        assert world.thing.info().builds == 1

    run(main)


@SHAPES
@EVERY_POINT
def test_a1_a_build_that_is_cancelled_while_its_loop_goes_on_has_failed(shape: str, point: int, ledger: Ledger) -> None:
    """By itself, or by somebody's hand: begun anew it might be cancelled for ever. The next call builds."""

    async def main() -> None:
        world = World(shape, ledger)
        callers = [asyncio.create_task(world.thing()) for _ in range(3)]
        await world.begun(3)
        await world.builds[0].reach(point)
        (build,) = tasks("build")
        build.cancel()
        for failure in await asyncio.gather(*callers, return_exceptions=True):
            assert isinstance(failure, RuntimeError)
        assert len(world.builds) == 1
        again = asyncio.create_task(world.thing())
        await until(lambda: len(world.builds) == 2)
        world.builds[1].go_on()
        assert await again is ledger.built[0]
        world.thing.clear()
        await until(lambda: bool(world.leaves))
        world.leaves[0].go_on()
        await until(lambda: len(ledger.released) == 1)

    asyncio.run(main())


@SHAPES
@EVERY_POINT
@on_every_loop
def test_a1_the_end_of_the_loop_ends_the_build(run: Any, shape: str, point: int, ledger: Ledger) -> None:
    """The main task returns, and all others are cancelled: nobody is left, nothing is kept."""
    worlds = []

    async def main() -> None:
        world = World(shape, ledger)
        worlds.append(world)
        caller = asyncio.create_task(world.thing())
        await world.begun()
        await world.builds[0].reach(point)
        caller.cancel()

    run(main)
    assert ledger.built == []
    info = worlds[0].thing.info()
    assert (info.entries, info.waiting) == (0, 0)


@SHAPES
@EVERY_POINT
@on_every_loop
def test_a5_a_teardown_that_the_end_of_the_loop_meets_goes_on(run: Any, shape: str, point: int, ledger: Ledger) -> None:
    """A5, A3: it is resumed, never thrown into; the loop closes after it."""

    async def main() -> None:
        world = World(shape, ledger)
        await world.built()
        world.thing.clear()
        await until(lambda: bool(world.leaves))
        steps = world.leaves[0]
        await steps.reach(point)
        asyncio.get_running_loop().call_later(0.01, steps.go_on)

    run(main)
    assert len(ledger.released) == 1


@SHAPES
@on_every_loop
def test_a5_a_teardown_that_has_not_begun_when_the_loop_ends_runs(run: Any, shape: str, ledger: Ledger) -> None:
    """A clear as the last thing that the program does."""

    async def main() -> None:
        world = World(shape, ledger)
        await world.built()
        world.thing.clear()
        world.let_leave()

    run(main)
    assert len(ledger.released) == 1


@SHAPES
@EVERY_POINT
def test_a5_who_cancels_the_task_of_a_teardown_cancels_no_other(shape: str, point: int, ledger: Ledger) -> None:
    """Whatever comes of it is the program's wish; it is told, and nothing hangs."""

    async def main() -> None:
        world = World(shape, ledger)
        await world.built()
        world.thing.clear()
        await until(lambda: bool(world.leaves))
        steps = world.leaves[0]
        await steps.reach(point)
        for task in tasks("build") + tasks("release"):
            task.cancel()
        steps.go_on()
        await until(lambda: settled(world.thing) and not tasks("build") and not tasks("release"))
        assert releases(world.thing) == {"cleared": 1}

    asyncio.run(main())


@SHAPES
def test_a1_cancelled_before_the_first_step_it_is_handed_on(shape: str, ledger: Ledger) -> None:
    async def main() -> None:
        world = World(shape, ledger)
        caller = asyncio.create_task(world.thing())
        while not tasks("build"):
            await asyncio.sleep(0)
        for build in tasks("build"):
            build.cancel()
        await until(lambda: bool(world.builds))
        world.builds[-1].go_on()
        assert await caller is ledger.built[0]
        world.thing.clear()
        await until(lambda: bool(world.leaves))
        world.leaves[0].go_on()
        await until(lambda: len(ledger.released) == 1)

    asyncio.run(main())


@SHAPES
def test_a1_a_build_that_does_not_let_itself_be_cancelled_is_released_with_its_loop(shape: str, ledger: Ledger) -> None:
    async def main() -> None:
        world = World(shape, ledger)
        stubborn = world.make

        async def make() -> Thing:
            try:
                return await stubborn()
            except asyncio.CancelledError:
                return ledger.build()

        world.make = make  # type: ignore[method-assign]
        cached = tenure.cache_resource(on_release=world.close)(make) if shape == "coroutine" else world.thing
        caller = asyncio.create_task(cached())
        await until(lambda: bool(world.builds))
        caller.cancel()
        world.let_leave()

    asyncio.run(main())
    assert len(ledger.built) == len(ledger.released) == 1


def test_a1_ten_thousand_cancelled_callers_leave_no_memory(ledger: Ledger) -> None:
    import gc
    import tracemalloc

    async def main() -> None:
        world = World("coroutine", ledger)
        first = asyncio.create_task(world.thing())
        await waiting(world.thing, 1)

        async def come_and_go(count: int) -> None:
            for _ in range(count // 100):
                callers = [asyncio.create_task(world.thing()) for _ in range(100)]
                await waiting(world.thing, 101)
                for caller in callers:
                    caller.cancel()
                await asyncio.wait(callers)
            await waiting(world.thing, 1)
            del callers
            gc.collect()

        await come_and_go(500)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await come_and_go(10_000)
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 100_000, grown
        world.builds[0].go_on()
        await first
        world.thing.clear()
        await until(lambda: bool(world.leaves))
        world.leaves[0].go_on()

    asyncio.run(main())
