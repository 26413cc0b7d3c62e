"""A3, L1, L20: the end of a loop has one time for all, and loses nothing in silence."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import trio
import uvloop
from trio_runs import by_trio, on_every_run

import tenure
from loops import by_asyncio, by_uvloop, on_every_loop, outcome, until
from tenure import _loops, _native
from world import LOST, Ledger, Thing, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


async def never() -> None:
    """Waits for ever, on either kind of loop."""
    if trio.lowlevel.in_trio_task():
        await trio.sleep_forever()
    await asyncio.get_running_loop().create_future()


on_both = pytest.mark.parametrize("run", [by_asyncio, by_uvloop, by_trio], ids=["asyncio", "uvloop", "trio"])


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The times that ends were given, each of which is short."""
    given: list[float] = []
    ask = _native.shutdown_timeout

    def asked() -> float:
        given.append(ask())
        return given[-1]

    monkeypatch.setattr(_native, "shutdown_timeout", asked)
    tenure.configure(shutdown_timeout="20ms")
    yield given
    tenure.configure()


def ends_that_hang() -> dict[str, Any]:
    @tenure.cache_resource(scope="loop")
    async def torn() -> AsyncIterator[object]:
        yield object()
        await never()

    async def close(_: object) -> None:
        await never()

    @tenure.cache_resource(on_release=close)
    async def closed() -> object:
        return object()

    return {"torn": torn, "closed": closed}


@on_both
@pytest.mark.parametrize("name", ends_that_hang())
def test_a3_what_hangs_takes_one_time_is_counted_and_named(
    run: Any, name: str, times: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    function = ends_that_hang()[name]
    run(function)
    assert len(times) == 1
    assert function.info().release_failures == 1
    (said,) = [it for it in caplog.messages if "was not released to the end" in it]
    assert name in said
    assert "0.02 s" in said
    assert "shutdown_timeout" in said
    # Nobody waits for it any more.
    assert _native._inspect()["releasing"] == 0
    # In as long as it takes here, and not in what was set for the end of the loop.
    tenure.configure()
    assert tenure.shutdown()


@on_both
def test_a3_what_is_late_goes_by_what_it_is(run: Any, times: list[float], caplog: pytest.LogCaptureFixture) -> None:
    torn = ends_that_hang()["torn"]
    run(torn)
    (said,) = [it for it in caplog.messages if "before everything on it was released" in it]
    assert "tenure keeper" in said
    assert "tenure release" in said
    assert "tenure build" not in said


@on_both
def test_a3_a_lifespan_and_the_loop_around_it_have_one_time(run: Any, times: list[float]) -> None:
    torn = ends_that_hang()["torn"]

    async def main() -> None:
        await torn()
        await _loops.home().release_all()

    run(main)
    assert len(times) == 1
    assert torn.info().release_failures == 1


def test_a3_a_loop_that_goes_on_has_time_again(times: list[float]) -> None:
    @tenure.cache_resource
    async def thing(number: int) -> AsyncIterator[object]:
        yield object()

    async def main() -> None:
        for number in range(3):
            await thing(number)
            await _loops.home().release_all()

    asyncio.run(main())
    assert len(times) == 3


@on_both
def test_a3_a_lease_that_nobody_leaves_takes_one_time_and_is_said(
    run: Any, times: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    leases: list[Any] = []
    left: list[str] = []

    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[object]:
        yield object()
        left.append("left")

    async def main() -> None:
        leases.append(thing.lease())
        await leases[0].__aenter__()

    run(main)
    assert len(times) == 1
    assert left == ["left"]
    (said,) = [it for it in caplog.messages if "still leases" in it]
    assert "thing" in said
    assert "0.02 s" in said
    leases.clear()
    gc.collect()


CUT_OFF = """
import asyncio, gc, logging, sys
logging.basicConfig(format="%(message)s")
import tenure
tenure.configure(shutdown_timeout="20ms")

@tenure.cache_resource(scope="loop")
async def torn(number):
    yield [number]
    await asyncio.get_running_loop().create_future()

async def close(_):
    await asyncio.get_running_loop().create_future()

@tenure.cache_resource(on_release=close)
async def closed():
    return [1]

async def main():
    global lease
    await torn(1)
    await closed()
    lease = torn.lease(2)
    await lease.__aenter__()

asyncio.run(main())
tenure.configure()  # The process's end takes as long as it takes here.
del lease
gc.collect()
print(torn.info().release_failures, closed.info().release_failures)
"""


def test_a3_python_says_nothing_of_what_is_cut_off() -> None:
    done = subprocess.run([sys.executable, "-c", CUT_OFF], capture_output=True, text=True, timeout=LOST, check=True)
    assert "was not released to the end" in done.stderr
    assert "Task was destroyed" not in done.stderr
    assert "Event loop is closed" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "before everything was released" not in done.stderr
    assert done.stdout.split()[1] == "1"


def test_a3_a_task_that_runs_is_not_asked_what_it_awaits() -> None:
    """CPython 3.11 and 3.12 give some other memory for that, at some calls from the same place and not at others."""
    program = """
import asyncio, functools
from tenure import _aio

is_past = functools.partial(_aio._is_past)

async def main():
    loop = asyncio.get_running_loop()
    for _ in range(3000):
        assert not is_past(loop)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], timeout=LOST, check=True)


def test_l20_a_release_on_a_loop_that_was_closed_is_told_before_the_shutdown_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun: list[str] = []

    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[object]:
        yield object()
        begun.append("begun")
        await never()

    async def main() -> None:
        await thing()
        thing.clear()
        await until(lambda: bool(begun))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert tenure.shutdown()
    assert thing.info().release_failures == 1
    (said,) = [it for it in caplog.messages if "was not released to the end" in it]
    assert "closed without a word" in said
    assert "asyncio.run" in said


def test_l20_an_end_that_was_interrupted_is_told_as_that(caplog: pytest.LogCaptureFixture) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[object]:
        yield object()
        asyncio.get_running_loop().call_soon(interrupt)
        await never()

    @tenure.cache_resource(scope="loop")
    async def other() -> AsyncIterator[object]:
        yield object()

    async def main() -> None:
        await other()
        await thing()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert tenure.shutdown()
    assert thing.info().release_failures == other.info().release_failures == 1
    said = [it for it in caplog.messages if "was not released" in it]
    assert len(said) == 2
    assert all("Ctrl-C" in it for it in said)


def client_of(ledger: Ledger, sleep: Callable[[], Any]) -> Any:
    @tenure.cache_resource(scope="loop")
    async def client() -> AsyncIterator[Thing]:
        thing = ledger.build()
        yield thing
        await sleep()
        ledger.release(thing)

    return client


@on_both
def test_a3_one_that_hangs_costs_the_others_nothing(run: Any) -> None:
    left: list[str] = []
    torn = ends_that_hang()["torn"]

    @tenure.cache_resource(scope="loop")
    async def other() -> AsyncIterator[object]:
        yield object()
        for _ in range(5):
            await asyncio.sleep(0) if not trio.lowlevel.in_trio_task() else await trio.sleep(0)
        left.append("left")

    async def main() -> None:
        await other()
        await torn()

    # A tenth of it is left to those whose turn has not come: enough on a machine that does much else.
    tenure.configure(shutdown_timeout="3s")
    try:
        run(main)
    finally:
        tenure.configure()
    assert left == ["left"]
    assert (torn.info().release_failures, other.info().release_failures) == (1, 0)


@on_every_loop
@pytest.mark.parametrize("turns", [0, 1, 20])
def test_a3_what_a_generator_asks_for_while_the_loop_closes_it_is_released(
    run: Any, turns: int, ledger: Ledger
) -> None:
    client = client_of(ledger, lambda: asyncio.sleep(0))
    rows_open: list[Any] = []
    was_open: list[bool] = []

    async def rows() -> AsyncIterator[int]:
        await client()
        try:
            yield 1
        finally:
            for _ in range(turns):
                await asyncio.sleep(0)
            thing = await client()
            for _ in range(5):
                await asyncio.sleep(0)
            was_open.append(thing.is_open)

    async def main() -> None:
        # A loop closes its generators in any order, so that some of these come before the one that ends its home.
        for _ in range(8):
            rows_open.append(rows())
            await anext(rows_open[-1])

    run(main)
    assert was_open == [True] * 8
    assert ledger.released == sorted(ledger.built, key=lambda it: it.number)
    assert client.info().entries == 0
    assert client.info().release_failures == 0


@on_every_loop
def test_a3_what_a_generator_asks_for_first_when_the_loop_closes_it_is_refused(run: Any, ledger: Ledger) -> None:
    """Nothing lives on the loop until then, so nothing ends with it."""
    client = client_of(ledger, lambda: asyncio.sleep(0))
    rows_open: list[Any] = []
    results: list[object] = []

    async def rows() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            for _ in range(2):
                await asyncio.sleep(0)
                results.append(await outcome(client()))

    async def main() -> None:
        rows_open.append(rows())
        async for _ in rows_open[0]:
            break

    run(main)
    assert len(results) == 2
    assert all("its event loop ends" in str(it) for it in results), results
    assert not ledger.built


@pytest.mark.parametrize("run", [by_asyncio, by_uvloop])
def test_a3_what_only_a_closing_loop_could_release_is_refused(run: Any, ledger: Ledger) -> None:
    """By a thread of its executor, say, which the loop waits for when all else is over."""
    client = client_of(ledger, lambda: asyncio.sleep(0))
    results: list[Any] = []
    is_past = threading.Event()

    @tenure.cache_resource(on_release=ledger.release)
    async def plain() -> Thing:
        return ledger.build("plain")

    async def on_its_loop() -> None:
        results.append(await plain())
        with pytest.raises(RuntimeError, match="its event loop ends"):
            await client()
        results.append("refused")

    @tenure.cache_resource(scope="loop")
    async def told() -> AsyncIterator[object]:
        yield object()
        is_past.set()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await client()
        await told()

        def work() -> None:
            assert is_past.wait(LOST)
            while client.info().entries or told.info().entries or not home_is_over():
                time.sleep(0)
            asyncio.run_coroutine_threadsafe(on_its_loop(), loop).result(LOST)

        here = _loops.home()

        def home_is_over() -> bool:
            return bool(here.state.is_over)

        loop.run_in_executor(None, work)

    run(main)
    assert results[1] == "refused"
    assert len(ledger.built) == 2
    plain.clear()
    assert ledger.released == ledger.built
    assert client.info().release_failures == 0


@pytest.mark.filterwarnings("ignore:asynchronous generator .* was scheduled after:ResourceWarning")
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a3_a_loop_that_runs_again_keeps_again(loop_factory: Any, ledger: Ledger) -> None:
    client = client_of(ledger, lambda: asyncio.sleep(0))

    async def main() -> None:
        assert await client() is await client()

    loop = loop_factory()
    for _ in range(3):
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
        assert ledger.released == ledger.built
    loop.close()
    assert len(ledger.built) == 3
    assert releases(client) == {"session_ended": 3}


def uses_in_its_end(ledger: Ledger) -> Any:
    found: list[bool] = []

    @tenure.cache_resource(scope="loop")
    async def pool() -> AsyncIterator[Thing]:
        thing = ledger.build("pool")
        yield thing
        ledger.release(thing)

    @tenure.cache_resource(scope="loop", on_release=ledger.release)
    async def plain() -> Thing:
        return ledger.build("plain")

    @tenure.cache_resource(scope="loop")
    async def user(number: int) -> AsyncIterator[int]:
        thing, other = await pool(), await plain()
        yield number
        found.append(await pool() is thing and thing.is_open)
        found.append(await plain() is other and other.is_open)

    async def main() -> None:
        for number in range(2):
            await user(number)

    return main, found


@on_every_loop
def test_a3_a_teardown_finds_what_its_resource_was_built_with(run: Any, ledger: Ledger) -> None:
    main, found = uses_in_its_end(ledger)
    run(main)
    assert found == [True] * 4
    assert ledger.names() == ["plain", "pool"]


@on_every_run
def test_a3_trio_a_teardown_finds_what_its_resource_was_built_with(run: Any, ledger: Ledger) -> None:
    main, found = uses_in_its_end(ledger)
    run(main)
    assert found == [True] * 4
    assert ledger.names() == ["plain", "pool"]


def test_a3_a_lifespan_that_ends_finds_it_too(ledger: Ledger) -> None:
    main, found = uses_in_its_end(ledger)

    async def lives() -> None:
        await main()
        await _loops.home().release_all()
        assert found == [True] * 4

    asyncio.run(lives())
    assert ledger.names() == ["plain", "pool"]


RAISES = """
import asyncio, gc, logging, sys
import tenure
error = {"GeneratorExit": GeneratorExit, "KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit}[sys.argv[1]]

@tenure.cache_resource
async def torn():
    yield [1]
    await asyncio.sleep(0)
    raise error

@tenure.cache_resource
async def entered():
    await asyncio.sleep(0)
    raise error
    yield

@tenure.cache_resource
async def built():
    await asyncio.sleep(0)
    raise error

async def ends():
    await torn()
    torn.clear()
    while not torn.info().release_failures:
        await asyncio.sleep(0)

for main in (ends, entered, built):
    try:
        asyncio.run(main())
    except BaseException as raised:
        print(type(raised).__name__)
    gc.collect()
"""


@pytest.mark.parametrize("error", ["GeneratorExit", "KeyboardInterrupt", "SystemExit"])
def test_a5_what_is_no_exception_is_told_once_and_by_tenure(error: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAISES, error], capture_output=True, text=True, timeout=LOST, check=False
    )
    assert "never retrieved" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert set(done.stdout.split()) <= {error, "CancelledError"}, done.stderr
