"""A4, A6, L16: a failure that nobody gets is logged once, with its traceback; one that somebody gets is not."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable

import pytest

import tenure
from tenure.testing import Clock
from world import LOST, Ledger

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

UNTOLD = "thing could not be built, and nobody waited for it any more"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, without what the functions stand in; each line with a traceback of the function's own error."""
    gc.collect()  # What asyncio says of a task whose exception nobody has seen it says then.
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    for record in errors:
        assert record.name == "tenure"
        assert record.exc_info is not None
        error = record.exc_info[1]
        assert isinstance(error, OSError)
        assert str(error) == "no route"
        assert error.__traceback__ is not None
    return [record.getMessage().rpartition("<locals>.")[2] for record in errors]


def until(is_so: Callable[[], object]) -> None:
    """Waits for what another thread does."""
    while not is_so():
        pass


class Failing:
    """A function that fails once the test says so."""

    def __init__(self, **settings: object) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

        def thing() -> object:
            self.begun.set()
            assert self.go_on.wait(LOST)
            raise OSError("no route")

        self.cached = tenure.cache_resource(**settings)(thing)


def test_l16_a_build_that_fails_after_its_caller_has_gone_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(build_timeout=0.02)
    with pytest.raises(tenure.BuildTimeout):
        failing.cached()
    assert told(caplog) == []
    failing.go_on.set()
    until(lambda: caplog.records)
    assert told(caplog) == [UNTOLD]
    assert failing.cached.info().failures == 1


def test_l16_a_failure_that_a_caller_gets_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(build_timeout="1h")
    failing.go_on.set()
    with pytest.raises(OSError, match="no route"):
        failing.cached()
    in_the_call = Failing()
    in_the_call.go_on.set()
    with pytest.raises(OSError, match="no route"):
        in_the_call.cached()
    assert told(caplog) == []


def test_l16_it_is_enough_that_one_of_two_callers_gets_it(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(build_timeout="1m")
    outcomes: list[BaseException] = []

    def call() -> None:
        try:
            failing.cached()
        except BaseException as error:
            outcomes.append(error)

    impatient = threading.Thread(target=call)
    impatient.start()
    assert failing.begun.wait(LOST)
    until(lambda: failing.cached.info().waiting == 1)
    clock.advance(30)
    other = threading.Thread(target=call)
    other.start()
    until(lambda: failing.cached.info().waiting == 2)
    clock.advance(31)
    impatient.join(LOST)
    failing.go_on.set()
    other.join(LOST)
    assert [type(it) for it in outcomes] == [tenure.BuildTimeout, OSError]
    assert told(caplog) == []


def test_a4_a_refresh_that_fails_after_the_old_one_has_gone_is_logged_as_a_build(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    @tenure.cache_resource(ttl=60, refresh_mode="background", max_stale=60)
    def thing() -> object:
        if ledger.built:
            thing.clear()  # It is the build's own, and ends the old one.
            raise OSError("no route")
        return ledger.build()

    thing()
    clock.advance(60)
    thing()
    clock.advance(0)
    assert told(caplog) == [UNTOLD]


def test_a6_what_fails_to_be_warm_is_logged_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    failing.go_on.set()
    warming = failing.cached.warm()
    clock.advance(0)
    assert len(warming.failures) == 1
    assert told(caplog) == ["thing could not be built to be warm"]


def async_thing(go_on: asyncio.Event) -> Callable[[], object]:
    @tenure.cache_resource
    async def thing() -> object:
        await go_on.wait()
        raise OSError("no route")

    return thing


async def ended(thing: Callable[[], object]) -> None:
    """The build has failed, and the loop has had its turns."""
    while not thing.info().failures:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "as it is woken"])
def test_a4_an_async_build_whose_callers_were_cancelled_is_logged_once(
    caplog: pytest.LogCaptureFixture, is_late: bool
) -> None:
    async def main() -> None:
        go_on = asyncio.Event()
        thing = async_thing(go_on)

        async def call() -> object:
            return await thing()  # type: ignore[misc]

        callers = [asyncio.create_task(call()) for _ in range(2)]
        while thing.info().waiting < 2:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        if is_late:
            go_on.set()
            while not thing.info().failures:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert all(caller.cancelled() for caller in callers)
        go_on.set()
        await ended(thing)

    asyncio.run(main())
    assert told(caplog) == [UNTOLD]


def test_a4_an_async_failure_that_one_caller_gets_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        go_on = asyncio.Event()
        thing = async_thing(go_on)

        async def call() -> object:
            return await thing()  # type: ignore[misc]

        first, other = (asyncio.create_task(call()) for _ in range(2))
        while thing.info().waiting < 2:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        first.cancel()
        go_on.set()
        with pytest.raises(OSError, match="no route"):
            await other
        await ended(thing)

    asyncio.run(main())
    assert told(caplog) == []


def test_a4_in_trio_too(caplog: pytest.LogCaptureFixture) -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        go_on = trio.Event()

        @tenure.cache_resource
        async def thing() -> object:
            await go_on.wait()
            raise OSError("no route")

        async def call(scope: object) -> None:
            with scope:  # type: ignore[attr-defined]
                await thing()

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(call, scope)
            while not thing.info().waiting:
                await trio.lowlevel.checkpoint()
            scope.cancel()
        go_on.set()
        while not thing.info().failures:
            await trio.lowlevel.checkpoint()
        for _ in range(5):
            await trio.lowlevel.checkpoint()

    trio.run(main)
    assert told(caplog) == [UNTOLD]
