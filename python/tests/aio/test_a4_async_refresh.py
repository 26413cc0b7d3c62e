"""A4, L14, L16: async functions are refreshed by tasks of their own; their callers wait no longer than they want to."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

import tenure
from tenure.testing import Clock
from world import Ledger, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

BACKGROUND: dict[str, Any] = {"ttl": 60, "refresh_mode": "background"}


async def settled(clock: Clock) -> None:
    """What is due has been begun, and has had its turns on the loop."""
    clock.advance(0)
    for _ in range(20):
        await asyncio.sleep(0)


def test_a4_a_stale_hit_is_a_hit_and_a_task_builds(clock: Clock, ledger: Ledger) -> None:
    names = []

    @tenure.cache_resource(on_release=ledger.release, **BACKGROUND)
    async def thing() -> object:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())
        return ledger.build()

    async def main() -> None:
        first = await thing()
        clock.advance(60)
        assert await thing() is await thing() is first
        await settled(clock)
        second = await thing()
        assert second is not first
        assert ledger.released == [first]

    asyncio.run(main())
    assert [name.startswith("tenure build") for name in names] == [True, True]
    info = thing.info()
    assert (info.hits, info.misses, info.builds) == (3, 1, 2)


def test_a4_the_callers_go_on_while_it_is_built(clock: Clock, ledger: Ledger) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        @tenure.cache_resource(on_release=ledger.release, **BACKGROUND)
        async def thing() -> object:
            if ledger.built:
                await go_on.wait()
            return ledger.build()

        first = await thing()
        clock.advance(60)
        for _ in range(100):
            assert await thing() is first
            await settled(clock)
        go_on.set()
        await settled(clock)
        assert await thing() is not first
        assert releases(thing) == {"replaced": 1}

    asyncio.run(main())


def test_a4_a_keeper_keeps_each_of_them(clock: Clock) -> None:
    order: list[str] = []
    number = 0

    @tenure.cache_resource(scope="loop", **BACKGROUND)
    async def thing() -> Any:
        nonlocal number
        number += 1
        mine = number
        async with asyncio.TaskGroup():
            order.append(f"set up {mine}")
            yield mine
            order.append(f"torn down {mine}")

    async def main() -> None:
        assert await thing() == 1
        clock.advance(60)
        assert await thing() == 1
        await settled(clock)
        assert await thing() == 2
        await settled(clock)
        assert order == ["set up 1", "set up 2", "torn down 1"]

    asyncio.run(main())
    assert order[3:] == ["torn down 2"]


def test_a4_a_failure_is_logged_and_pauses(clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    @tenure.cache_resource(max_stale="1h", **BACKGROUND)
    async def thing() -> object:
        if ledger.built:
            raise OSError("no route")
        return ledger.build()

    async def main() -> None:
        first = await thing()
        clock.advance(60)
        for _ in range(20):
            assert await thing() is first
            await settled(clock)

    asyncio.run(main())
    assert thing.info().failures == 1
    assert "thing could not be built anew" in caplog.text


def test_a4_in_the_foreground_the_old_one_stands_in(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(ttl=60, max_stale=60)
    async def thing() -> object:
        if ledger.built:
            raise OSError("no route")
        return ledger.build()

    async def main() -> None:
        first = await thing()
        clock.advance(60)
        assert await asyncio.gather(*(thing() for _ in range(10))) == [first] * 10
        clock.advance(60)
        with pytest.raises(OSError, match="no route"):
            await thing()

    asyncio.run(main())


def test_a4_it_runs_in_the_context_of_the_call(clock: Clock) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")

    @tenure.cache_resource(scope=tenant.get, **BACKGROUND)
    async def thing() -> list[str]:
        return [tenant.get()]

    async def main() -> None:
        for name in ("ada", "bob"):
            tenant.set(name)
            await thing()
        clock.advance(60)
        for name in ("ada", "bob"):
            tenant.set(name)
            await thing()
        tenant.set("eve")
        await settled(clock)
        assert thing.info().builds == 4
        for name in ("ada", "bob"):
            tenant.set(name)
            assert await thing() == [name]
            tenure.end_scope(name)

    asyncio.run(main())


def test_a4_ahead_goes_on_on_the_loop_that_built(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(ttl=60, refresh_mode="ahead", on_release=ledger.release)
    async def thing() -> object:
        return ledger.build()

    async def main() -> None:
        first = await thing()
        assert await thing() is first
        clock.advance(55)
        await settled(clock)
        assert len(ledger.built) == 2
        assert await thing() is not first

    asyncio.run(main())


def test_a4_a_loop_that_has_ended_refreshes_nothing(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(ttl=60, refresh_mode="ahead", max_stale="1h")
    async def thing() -> object:
        return ledger.build()

    async def main() -> object:
        await thing()
        return await thing()

    first = asyncio.run(main())
    clock.advance(55)
    assert len(ledger.built) == 1
    clock.advance(61)
    assert asyncio.run(main()) is first


def test_a4_checks_decide_first(clock: Clock, ledger: Ledger) -> None:
    async def validate(thing: object) -> bool:
        return False

    @tenure.cache_resource(validate=validate, on_release=ledger.release, **BACKGROUND)
    async def thing() -> object:
        return ledger.build()

    async def main() -> None:
        await thing()
        clock.advance(60)
        await thing()
        await settled(clock)

    asyncio.run(main())
    assert releases(thing) == {"invalid": 1}
    assert len(ledger.built) == 2


def test_l16_a_caller_waits_so_long_and_the_build_goes_on(clock: Clock, ledger: Ledger) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        @tenure.cache_resource(build_timeout="1m")
        async def slow() -> object:
            await go_on.wait()
            return ledger.build()

        early = asyncio.ensure_future(slow())
        await settled(clock)
        clock.advance(30)
        late = [asyncio.ensure_future(slow()) for _ in range(3)]
        await settled(clock)
        clock.advance(30)
        with pytest.raises(tenure.BuildTimeout, match="slow was not built within 60s"):
            await early
        await settled(clock)
        assert not any(it.done() for it in late), "each has its own minute"
        go_on.set()
        (thing,) = {*await asyncio.gather(*late)}
        assert await slow() is thing
        info = slow.info()
        assert (info.builds, info.misses) == (1, 4)

    asyncio.run(main())


def test_l14_idle_entries_of_a_loop_go_on_it(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(max_idle=60, scope="loop")
    async def thing() -> Any:
        yield [ledger.build()]
        assert asyncio.get_running_loop() is loop
        ledger.release(ledger.built[0])

    loop: asyncio.AbstractEventLoop

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        await thing()
        clock.advance(61)
        await settled(clock)
        assert releases(thing) == {"idle": 1}
        assert len(ledger.released) == 1

    asyncio.run(main())


def test_a4_a_refresh_that_would_end_the_program_ends_itself(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    @tenure.cache_resource(max_stale="1h", **BACKGROUND)
    async def thing() -> object:
        if ledger.built:
            raise SystemExit(3)
        return ledger.build()

    async def main() -> None:
        first = await thing()
        clock.advance(60)
        await thing()
        await settled(clock)
        assert await thing() is first

    asyncio.run(main())
    assert thing.info().failures == 1
    assert "thing could not be built anew" in caplog.text
