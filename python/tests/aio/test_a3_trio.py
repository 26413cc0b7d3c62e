"""A3 on trio: what lives on a run is released when the program's tasks are over, in order, once, and in time."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio_runs import Run, as_a_guest, by_trio, on_every_run, outcome, until, waiting

import tenure
import tenure.testing
from tenure import _trio
from world import LOST, Job, Ledger, Thing, releases, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Client:
    """Belongs to the run that it was made on."""

    def __init__(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        self.is_open = True

    async def get(self) -> str:
        assert self.is_open
        assert trio.lowlevel.current_trio_token() is self.token
        with trio.CancelScope(shield=True):
            await trio.sleep(0)
        return "got"

    async def aclose(self) -> None:
        assert self.is_open
        assert trio.lowlevel.current_trio_token() is self.token, "on a foreign run"
        await trio.sleep(0)
        self.is_open = False


@on_every_run
def test_a3_trio_each_run_has_its_own_released_on_it_before_it_ends(run: Any) -> None:
    clients: list[Client] = []

    @tenure.cache_resource(scope="loop", on_release=lambda it: it.aclose())
    async def client() -> Client:
        clients.append(Client())
        return clients[-1]

    async def main() -> None:
        assert await client() is await client()
        assert await (await client()).get() == "got"

    for _ in range(3):
        run(main)
    assert len(clients) == 3
    assert not any(it.is_open for it in clients)
    assert releases(client) == {"session_ended": 3}
    assert client.info().release_failures == 0


@on_every_run
@pytest.mark.parametrize("crashes", [False, True])
def test_a3_trio_after_the_programs_own_tasks(run: Any, crashes: bool) -> None:
    """What a task does with the client in its `finally` still works, however the program ends."""
    clients: list[Client] = []
    said: list[str] = []

    @tenure.cache_resource(scope="loop")
    async def client() -> AsyncIterator[Client]:
        clients.append(Client())
        yield clients[-1]
        await clients[-1].aclose()

    async def worker(it: Client) -> None:
        try:
            await trio.sleep_forever()
        finally:
            said.append(await it.get())

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(worker, await client())
            await trio.sleep(0)
            if crashes:
                raise OSError("the program has failed")
            nursery.cancel_scope.cancel()

    if crashes:
        with pytest.raises(ExceptionGroup) as raised:
            run(main)
        assert str(raised.value.exceptions[0]) == "the program has failed"
    else:
        run(main)
    assert said == ["got"] * 3
    assert not clients[0].is_open
    assert client.info().release_failures == 0


@on_every_run
@pytest.mark.parametrize("form", ["yield", "async on_release", "on_release"])
def test_a3_trio_the_last_built_first_each_when_the_one_before_has_ended(run: Any, form: str) -> None:
    ended: list[str] = []

    async def close(name: str) -> None:
        for _ in range(3):
            await trio.sleep(0)
        ended.append(name)

    if form == "yield":

        @tenure.cache_resource(scope="loop")
        async def thing(name: str) -> AsyncIterator[str]:
            yield name
            await close(name)
    else:

        @tenure.cache_resource(scope="loop", on_release=close if form == "async on_release" else ended.append)
        async def thing(name: str) -> str:
            return name

    async def main() -> None:
        for name in "abc":
            await thing(name)

    run(main)
    assert ended == ["c", "b", "a"] if form != "on_release" else sorted(ended) == ["a", "b", "c"]


@on_every_run
def test_a3_trio_what_is_global_and_can_only_be_released_there_is_released_there(run: Any, ledger: Ledger) -> None:
    @tenure.cache_resource
    async def held() -> AsyncIterator[Thing]:
        thing = ledger.build("held")
        yield thing
        await trio.sleep(0)
        ledger.release(thing)

    @tenure.cache_resource(on_release=ledger.release)
    async def kept() -> Thing:
        return ledger.build("kept")

    async def main() -> None:
        await held()
        await kept()

    run(main)
    run(main)
    assert ledger.names() == ["held", "held"]
    assert kept.info().builds == 1


@on_every_run
def test_a3_trio_a_build_that_the_end_meets_is_cancelled_and_not_kept(run: Any, ledger: Ledger) -> None:
    was_cancelled: list[bool] = []

    @tenure.cache_resource
    async def thing() -> AsyncIterator[Thing]:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            was_cancelled.append(True)
            raise
        yield ledger.build()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(thing)
            await waiting(thing, 1)
            nursery.cancel_scope.cancel()

    run(main)
    assert was_cancelled == [True]
    assert (thing.info().entries, thing.info().failures) == (0, 0)


def test_a3_trio_what_has_entered_when_the_end_comes_is_left_as_it_should_be(ledger: Ledger) -> None:
    """The cancellation comes when the build has its last step before it."""
    tasks: list[trio.lowlevel.Task] = []

    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[Thing]:
        async with trio.open_nursery():
            tasks.append(trio.lowlevel.current_task())
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
            it = ledger.build()
            yield it
            await trio.sleep(0)
            ledger.release(it)

    async def main() -> None:
        with trio.move_on_after(0):
            await thing()
        await until(lambda: bool(tasks))

    async def ends() -> None:
        """A system task, which runs when the main task has ended."""
        try:
            await trio.sleep_forever()
        finally:
            trio.lowlevel.reschedule(tasks[0])

    async def with_system_task() -> None:
        trio.lowlevel.spawn_system_task(swallowing)
        await main()

    async def swallowing() -> None:
        try:
            await ends()
        except trio.Cancelled:
            pass

    trio.run(with_system_task)
    assert ledger.released == ledger.built
    assert len(ledger.built) == 1
    assert thing.info().release_failures == 0


@on_every_run
def test_a3_trio_a_release_at_the_end_may_build_and_that_is_released_too(run: Any, ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop")
    async def tools() -> AsyncIterator[Thing]:
        await trio.sleep(0)
        thing = ledger.build("tools")
        yield thing
        ledger.release(thing)

    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build("thing")
        yield it
        await tools()
        ledger.release(it)

    run(thing)
    assert ledger.names() == ["thing", "tools"]


@on_every_run
def test_a3_trio_a_teardown_that_raises_is_told_and_the_rest_goes_on(
    run: Any, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    class Stop(BaseException):
        pass

    @tenure.cache_resource(scope="loop")
    async def bad(error: int) -> AsyncIterator[object]:
        yield object()
        await trio.sleep(0)
        raise (OSError, Stop, SystemExit, KeyboardInterrupt, GeneratorExit)[error]("in the teardown")

    @tenure.cache_resource(scope="loop", on_release=ledger.release)
    async def good() -> Thing:
        return ledger.build()

    async def main() -> str:
        await good()
        for error in range(5):
            await bad(error)
        return "returned"

    assert run(main) == "returned"
    assert ledger.released == ledger.built
    assert bad.info().release_failures == 5
    assert sum("in the teardown" in (it.exc_text or "") for it in caplog.records) >= 5


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("is_async", [False, True])
def test_a3_trio_an_on_release_that_raises_what_is_no_exception_does_not_crash_the_run(
    is_async: bool, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def leaves_later(_: object) -> None:
        raise error("in on_release")

    def leaves(_: object) -> None:
        raise error("in on_release")

    @tenure.cache_resource(scope="loop", on_release=leaves_later if is_async else leaves)
    async def thing() -> object:
        return object()

    async def main() -> str:
        await thing()
        return "returned"

    assert trio.run(main) == "returned"
    assert any("in on_release" in (it.exc_text or "") for it in caplog.records)


def test_a3_trio_what_is_late_is_named_and_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    steps: list[str] = []

    @tenure.cache_resource(scope="loop")
    async def slow() -> AsyncIterator[object]:
        yield object()
        try:
            await trio.sleep_forever()
        finally:
            steps.append("cancelled")

    tenure.configure(shutdown_timeout=0.01)
    try:
        with caplog.at_level(logging.WARNING, "tenure"):
            trio.run(slow)
    finally:
        tenure.configure(shutdown_timeout=10)
    assert steps == ["cancelled"]
    assert any("slow" in it.getMessage() and "shutdown_timeout" in it.getMessage() for it in caplog.records)


def test_a3_trio_what_is_built_when_the_end_is_over_holds_up_the_run_no_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A build that shields itself ends when it likes; its keeper is told nothing any more."""
    steps: list[str] = []

    @tenure.cache_resource(scope="loop")
    async def slow() -> AsyncIterator[object]:
        here = _trio.home()
        with trio.CancelScope(shield=True):
            while not here.state.is_over:
                await trio.sleep(0)
        yield object()
        steps.append("left")

    async def main() -> None:
        with trio.move_on_after(0):
            await slow()

    tenure.configure(shutdown_timeout=0.01)
    try:
        with caplog.at_level(logging.WARNING, "tenure"):
            trio.run(main)
    finally:
        tenure.configure(shutdown_timeout=10)
    assert steps == ["left"]
    assert any("slow" in it.getMessage() and "shutdown_timeout" in it.getMessage() for it in caplog.records)


def test_a3_trio_what_another_thread_has_let_go_of_is_released_before_what_it_was_built_on() -> None:
    notes: list[str] = []

    @tenure.cache_resource
    async def pool() -> AsyncIterator[str]:
        yield "pool"
        notes.append("pool closes")

    @tenure.cache_resource
    async def desk() -> AsyncIterator[str]:
        yield f"desk on {await pool()}"
        for _ in range(10):
            await trio.sleep(0)
        notes.append("desk closes")

    async def main() -> None:
        await desk()
        # Its release comes to the run while that is busy, and has not begun when everything ends.
        Job(desk.clear).result()

    trio.run(main)
    assert notes == ["desk closes", "pool closes"]


@on_every_run
@pytest.mark.parametrize("form", ["yield", "enter", "on_release"])
def test_a3_trio_each_is_released_once_whoever_clears_it(run: Any, form: str, ledger: Ledger) -> None:
    """By the run's own tasks, by other threads, and by its end, at a time."""

    @asynccontextmanager
    async def manager() -> AsyncIterator[Thing]:
        it = ledger.build()
        yield it
        await trio.sleep(0)
        ledger.release(it)

    async def close(it: Thing) -> None:
        await trio.sleep(0)
        ledger.release(it)

    if form == "yield":

        @tenure.cache_resource
        async def thing(key: int) -> AsyncIterator[Thing]:
            async with manager() as it:
                yield it
    elif form == "enter":

        @tenure.cache_resource(enter=True)
        async def thing(key: int) -> Any:
            return manager()
    else:

        @tenure.cache_resource(on_release=close)
        async def thing(key: int) -> Thing:
            return ledger.build()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(trio.to_thread.run_sync, lambda: [thing.clear() for _ in range(20)])
            for turn in range(50):
                await thing(turn % 5)
                if turn % 7 == 0:
                    thing.clear(turn % 5)

    run(main)
    assert len(ledger.released) == len(ledger.built)
    assert thing.info().release_failures == 0


@on_every_run
def test_a3_trio_a_lease_keeps_it_from_being_released(run: Any, ledger: Ledger, clock: tenure.testing.Clock) -> None:
    @tenure.cache_resource
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build()
        yield it
        ledger.release(it)

    async def main() -> None:
        async with thing.lease() as it:
            thing.clear()
            for _ in range(5):
                await trio.sleep(0)
            assert it.is_open
            assert await thing() is not it
        clock.advance("1m")
        await until(lambda: not it.is_open)

    run(main)
    assert len(ledger.released) == len(ledger.built) == 2


def test_a3_trio_the_end_waits_for_a_lease_of_another_thread(ledger: Ledger) -> None:
    theirs = Run()
    leased, may_leave = threading.Event(), threading.Event()

    @tenure.cache_resource
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build()
        yield it
        await trio.sleep(0)
        ledger.release(it)

    async def main() -> None:
        async with thing.lease() as it:
            leased.set()
            await asyncio.to_thread(may_leave.wait, LOST)
            assert it.is_open

    theirs.do(thing)
    ours = Job(lambda: asyncio.run(main()))
    assert leased.wait(LOST)
    ending = Job(theirs.end)
    may_leave.set()
    ours.result()
    ending.result()
    assert ledger.released == ledger.built
    assert thing.info().release_failures == 0


def test_a3_trio_a_release_goes_to_the_run_that_built_it() -> None:
    """Whoever clears: here a thread without a loop, and a loop of asyncio."""
    clients: list[Client] = []
    theirs = Run()

    @tenure.cache_resource(on_release=lambda it: it.aclose())
    async def client() -> Client:
        clients.append(Client())
        return clients[-1]

    async def clears() -> None:
        client.clear()

    theirs.do(client)
    client.clear()
    theirs.do(client)
    asyncio.run(clears())
    theirs.do(lambda: until(lambda: not any(it.is_open for it in clients)))
    theirs.end()
    assert len(clients) == 2
    assert client.info().release_failures == 0


def test_a3_trio_synchronous_functions_may_have_the_run_as_their_scope(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop", on_release=ledger.release)
    def thing() -> Thing:
        return ledger.build()

    async def main() -> None:
        assert thing() is thing()

    by_trio(main)
    by_trio(main)
    assert len(ledger.released) == 2


def test_a3_trio_a_guest_and_its_host_have_each_their_own(ledger: Ledger) -> None:
    """The loop of asyncio and the run of trio that it hosts are two, on one thread."""
    tokens: list[object] = []

    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build("trio" if trio.lowlevel.in_trio_task() else "asyncio")
        yield it
        ledger.release(it)

    async def main() -> None:
        ended = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            thing,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        theirs, ours = (await ended).unwrap(), await thing()
        tokens.extend([theirs.name, ours.name])

    asyncio.run(main())
    assert tokens == ["trio", "asyncio"]
    assert ledger.names() == ["trio", "asyncio"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a3_trio_a_child_process_leaves_nothing_of_its_parents(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build()
        yield it
        ledger.release(it)

    async def main() -> None:
        await thing()
        child = os.fork()
        if child == 0:
            try:
                thing.clear()
                tenure.cache_resource.clear()
            finally:
                os._exit(len(ledger.released))
        assert os.waitpid(child, 0)[1] == 0
        assert ledger.released == []

    trio.run(main)
    assert ledger.released == ledger.built


def test_a3_trio_a_shutdown_in_a_task_lets_async_releases_go_on(ledger: Ledger) -> None:
    async def close(it: Thing) -> None:
        await trio.sleep(0)
        ledger.release(it)

    @tenure.cache_resource(on_release=close)
    async def thing() -> Thing:
        return ledger.build()

    async def main() -> None:
        await thing()
        assert await tenure.shutdown_async()
        assert ledger.released == ledger.built

    trio.run(main)
    assert releases(thing) == {"shutdown": 1}


@pytest.mark.parametrize("is_shielded", [False, True])
@pytest.mark.parametrize("is_busy", [False, True])
def test_a3_trio_a_system_task_that_waits_when_the_end_comes(is_busy: bool, is_shielded: bool, ledger: Ledger) -> None:
    """One that is shielded has it built after all, and the end releases that too.

    The order in which trio runs what it has cancelled is a dice's: the build may be over after the end or before it.
    """
    results: list[object] = []
    begun: list[bool] = []

    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[Thing]:
        begun.append(True)
        if len(begun) == 1 and not is_busy:
            await trio.sleep_forever()
        for _ in range(5 if len(begun) > 1 else 1000):
            await trio.sleep(0)
        it = ledger.build()
        yield it
        await trio.sleep(0)
        ledger.release(it)

    async def waits() -> None:
        with trio.CancelScope(shield=is_shielded):
            results.append(await outcome(thing()))

    async def main() -> None:
        trio.lowlevel.spawn_system_task(waits)
        await waiting(thing, 1)

    for _ in range(10):
        begun.clear()
        results.clear()
        trio.run(main)
        if is_shielded:
            assert results == ledger.built[-1:] == ledger.released[-1:]
            assert len(begun) == 2
        else:
            assert isinstance(results[0], trio.Cancelled)
            assert len(begun) == 1
    assert thing.info().release_failures == 0


def test_a3_trio_an_interrupt_ends_the_program_and_then_what_it_held() -> None:
    """In a process of its own, since a signal is for all of one."""
    program = """
import signal, tenure, trio

steps = []

@tenure.cache_resource(scope="loop")
async def thing():
    yield object()
    await trio.sleep(0)
    steps.append("released")

async def main():
    await thing()
    try:
        signal.raise_signal(signal.SIGINT)
        await trio.sleep_forever()
    finally:
        steps.append("the program's end")

try:
    trio.run(main)
except KeyboardInterrupt:
    steps.append("interrupted")
assert steps == ["the program's end", "released", "interrupted"], steps
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LOST, check=False)
    assert done.returncode == 0, done.stderr


def test_a3_trio_a_lease_on_another_thread_that_outlasts_the_timeout_is_cut_off(
    ledger: Ledger, clock: tenure.testing.Clock
) -> None:
    """As the end of any loop does it: the run does not wait for ever."""
    theirs = Run()
    leased, may_leave = threading.Event(), threading.Event()

    @tenure.cache_resource
    async def thing() -> AsyncIterator[Thing]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            it = ledger.build()
            yield it
            ledger.release(it)
            nursery.cancel_scope.cancel()

    async def main() -> None:
        async with thing.lease():
            leased.set()
            await asyncio.to_thread(may_leave.wait, LOST)

    theirs.do(thing)
    ours = Job(lambda: asyncio.run(main()))
    assert leased.wait(LOST)
    tenure.configure(shutdown_timeout=0.01)
    try:
        theirs.end()
    finally:
        tenure.configure(shutdown_timeout=10)
    assert ledger.released == ledger.built
    may_leave.set()
    ours.result()
    clock.advance("1m")


def test_a3_trio_a_system_task_that_crashes_ends_the_run_and_all_is_released(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop")
    async def thing() -> AsyncIterator[Thing]:
        it = ledger.build()
        yield it
        await trio.sleep(0)
        ledger.release(it)

    async def crash() -> None:
        raise OSError("somebody else's")

    async def main() -> None:
        await thing()
        trio.lowlevel.spawn_system_task(crash)
        await trio.sleep_forever()

    with pytest.raises(trio.TrioInternalError):
        trio.run(main)
    assert ledger.released == ledger.built
    assert thing.info().release_failures == 0


GIVEN_UP = """
import os
import trio
import tenure

released = []

async def close(it):
    released.append(it)

@tenure.cache_resource(scope="loop", on_release=released.append)
async def free():
    return "free"

@tenure.cache_resource(scope="loop", on_release=close)
async def bound():
    return "bound"

@tenure.cache_resource
async def shared():
    if not released:
        await trio.sleep_forever()
    return "shared"

def gives_up(_):
    raise OSError("in the middle of trio")

async def main():
    await free()
    await bound()
    with trio.move_on_after(0):
        await shared()
    with trio.move_on_after(0):
        await trio.lowlevel.wait_task_rescheduled(gives_up)

try:
    trio.run(main)
except trio.TrioInternalError:
    assert trio.run(shared) == "shared"
    print(released, bound.info().release_failures, flush=True)
# Without what trio itself says when it is dropped.
os._exit(0)
"""


def test_a3_trio_a_run_that_trio_gives_up_is_found_out_by_the_next_one() -> None:
    """What can be released without it is; the rest is said to be lost; its builds are built by others."""
    done = subprocess.run([sys.executable, "-c", GIVEN_UP], capture_output=True, text=True, timeout=LOST)
    assert done.stdout == "['free'] 1\n", done.stderr
    assert "a resource of bound was not released" in done.stderr


def test_a3_trio_many_runs_at_a_time_leave_nothing(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop")
    async def thing(key: int) -> AsyncIterator[Thing]:
        async with trio.open_nursery() as nursery:
            it = ledger.build()
            nursery.start_soon(trio.sleep_forever)
            yield it
            nursery.cancel_scope.cancel()
        ledger.release(it)

    async def main() -> None:
        for key in range(5):
            assert isinstance(await outcome(thing(key)), Thing)

    together(4, lambda _: [trio.run(main) for _ in range(5)])
    as_a_guest(main)
    assert len(ledger.released) == len(ledger.built) == 4 * 5 * 5 + 5
