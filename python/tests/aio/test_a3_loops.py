"""A3, A1: loops that end in every way, and what becomes of what lives on them."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

import tenure
from loops import (
    Loop,
    by_hand,
    by_runner,
    cancels_all,
    closes,
    closes_generators,
    on_every_loop,
    outcome,
    stands_still,
    until,
    waiting,
)
from tenure import _aio, _carriers
from world import Job, Ledger, Thing, releases, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Client:
    """Belongs to the loop that it was made on."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_open = True
        self.requests: set[asyncio.Task[Any]] = set()

    async def get(self) -> str:
        assert self.is_open
        assert asyncio.get_running_loop() is self.loop
        await asyncio.sleep(0)
        return "got"

    async def aclose(self) -> None:
        assert self.is_open
        assert asyncio.get_running_loop() is self.loop, "on a foreign loop"
        await asyncio.sleep(0)
        assert not self.loop.is_closed()
        self.is_open = False


@on_every_loop
def test_a3_each_loop_has_its_own_released_on_it_before_it_closes(run: Any) -> None:
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


@on_every_loop
def test_a3_after_the_loops_own_tasks(run: Any) -> None:
    """What a task does with the client while it is cancelled still works."""
    clients: list[Client] = []
    said: list[str] = []

    @tenure.cache_resource(scope="loop")
    async def client() -> AsyncIterator[Client]:
        clients.append(Client())
        yield clients[-1]
        await clients[-1].aclose()

    async def worker(it: Client) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            said.append(await it.get())

    async def main() -> None:
        workers = [asyncio.create_task(worker(await client())) for _ in range(3)]
        await asyncio.sleep(0)
        if run is by_hand:  # Which cancels nothing.
            for it in workers:
                it.cancel()
            await asyncio.wait(workers)

    run(main)
    assert said == ["got"] * 3
    assert not clients[0].is_open


def test_a3_a_synchronous_function_may_have_the_loop_as_its_scope(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop", on_release=ledger.release)
    def thing() -> Thing:
        return ledger.build()

    async def main() -> None:
        assert thing() is thing()

    by_runner(main)
    by_runner(main)
    assert len(ledger.released) == 2
    with pytest.raises(tenure.ScopeError, match="no event loop runs here"):
        thing()


def test_a3_two_loops_at_a_time_by_turns_on_one_thread(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="loop", on_release=ledger.release)
    async def thing() -> Thing:
        return ledger.build()

    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    first, second = one.run_until_complete(thing()), two.run_until_complete(thing())
    assert first is not second
    # Runs in turns, as in a notebook, are one loop's.
    assert one.run_until_complete(thing()) is first
    cancels_all(one)
    assert ledger.released == [first]
    assert two.run_until_complete(thing()) is second
    cancels_all(two)
    assert ledger.released == [first, second]


ENDS = [cancels_all, closes_generators, closes, stands_still]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("own", ["scope", "yield", "on_release"])
def test_a3_whatever_ends_the_loop_a_resource_is_released_or_said_to_be_lost(
    end: Any, own: str, caplog: pytest.LogCaptureFixture
) -> None:
    clients: list[Client] = []
    if own == "yield":

        @tenure.cache_resource
        async def client() -> AsyncIterator[Client]:
            clients.append(Client())
            yield clients[-1]
            await clients[-1].aclose()
    else:

        async def close(it: Client) -> None:
            await it.aclose()

        @tenure.cache_resource(on_release=close, scope="loop" if own == "scope" else "global")
        async def client() -> Client:
            clients.append(Client())
            return clients[-1]

    loop = asyncio.new_event_loop()
    loop.run_until_complete(client())
    end(loop)
    info = client.info()
    if end in (cancels_all, closes_generators):
        assert not clients[0].is_open
        assert info.release_failures == 0
        assert releases(client) == {"session_ended": 1}
        return
    if end is closes:
        # Whoever looks next: another loop.
        asyncio.run(other())
        assert clients[0].is_open
        assert client.info().release_failures == 1
        (said,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert "closed without a word" in said.getMessage()
        assert "asyncio.run" in said.getMessage()
        return
    # Nothing is lost while the loop only stands still.
    if own != "scope":
        client.clear()
    assert clients[0].is_open
    cancels_all(loop)
    assert not clients[0].is_open
    assert client.info().release_failures == 0


@tenure.cache_resource
async def other() -> object:
    return object()


@pytest.mark.parametrize("end", ENDS)
def test_a1_a_build_is_handed_on_when_its_loop_dies(end: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_carriers, "LOOK", 0.01)
    builds: list[asyncio.AbstractEventLoop] = []
    loop = Loop()

    @tenure.cache_resource
    async def thing() -> object:
        builds.append(asyncio.get_running_loop())
        if builds[-1] is loop.loop:
            await asyncio.get_running_loop().create_future()
        return ledger.build()

    loop.start(outcome(thing()))

    async def main() -> object:
        await until(lambda: bool(builds))
        caller = asyncio.create_task(thing())
        await waiting(thing, 2)
        await asyncio.to_thread(loop.end, end)
        return await caller

    assert asyncio.run(main()) is ledger.built[0]
    assert len(builds) == 2
    if end is stands_still:
        cancels_all(loop.loop)
    if end is closes:
        # Python's own words on what was under way.
        loop.loop = None  # type: ignore[assignment]
        builds.clear()


@pytest.mark.parametrize("end", ENDS)
def test_a1_a_call_after_the_loop_of_the_build_has_died(
    end: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waited then: the next caller does not wait for what nobody builds."""
    monkeypatch.setattr(_carriers, "LOOK", 0.01)
    builds: list[asyncio.AbstractEventLoop] = []
    loop = asyncio.new_event_loop()

    @tenure.cache_resource
    async def thing() -> object:
        builds.append(asyncio.get_running_loop())
        if builds[-1] is loop:
            await asyncio.get_running_loop().create_future()
        return ledger.build()

    async def begin() -> None:
        asyncio.create_task(thing())  # noqa: RUF006
        await until(lambda: bool(builds))

    loop.run_until_complete(begin())
    end(loop)
    assert asyncio.run(thing()) is ledger.built[0]
    if end is stands_still:
        cancels_all(loop)


def test_a1_a_build_that_was_handed_on_and_goes_on_is_released(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that only stood still: what it gives in the end has nobody."""
    monkeypatch.setattr(_carriers, "LOOK", 0.01)
    loop = asyncio.new_event_loop()
    gates: list[asyncio.Event] = []

    @tenure.cache_resource(on_release=ledger.release)
    async def thing() -> Thing:
        if asyncio.get_running_loop() is loop:
            gates.append(asyncio.Event())
            await gates[0].wait()
        return ledger.build(asyncio.get_running_loop())

    async def begin() -> asyncio.Task[Any]:
        task = asyncio.create_task(thing())
        await until(lambda: bool(gates))
        return task

    first = loop.run_until_complete(begin())
    theirs = asyncio.run(thing())
    gates[0].set()
    # Its own caller gets what is kept.
    assert loop.run_until_complete(first) is theirs
    loop.run_until_complete(until(lambda: len(ledger.built) == 2))
    cancels_all(loop)
    del first
    assert [it.name for it in ledger.released] == [loop]
    assert thing.info().entries == 1


def test_a3_a_thread_that_ends_by_system_exit(ledger: Ledger) -> None:
    clients: list[Client] = []

    @tenure.cache_resource(scope="loop")
    async def client() -> AsyncIterator[Client]:
        clients.append(Client())
        yield clients[-1]
        await clients[-1].aclose()

    async def main() -> None:
        await client()
        sys.exit(3)

    error = Job(lambda: asyncio.run(main())).error()
    assert isinstance(error, SystemExit)
    assert not clients[0].is_open


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError, asyncio.CancelledError])
def test_a3_whatever_ends_the_main_task(error: type[BaseException]) -> None:
    clients: list[Client] = []

    @tenure.cache_resource(scope="loop")
    async def client() -> AsyncIterator[Client]:
        clients.append(Client())
        yield clients[-1]
        await clients[-1].aclose()

    async def main() -> None:
        await client()
        raise error

    with pytest.raises(error):
        asyncio.run(main())
    assert not clients[0].is_open
    assert client.info().release_failures == 0


def test_a3_what_was_built_last_is_left_first(ledger: Ledger) -> None:
    """What uses another resource has ended before that does."""

    @tenure.cache_resource
    async def pool() -> AsyncIterator[Client]:
        it = Client()
        yield it
        ledger.release(ledger.build("pool"))
        await it.aclose()

    @tenure.cache_resource
    async def session(number: int) -> AsyncIterator[Client]:
        under = await (pool() if number == 0 else session(number - 1))
        yield under
        await under.get()
        await asyncio.sleep(0)
        ledger.release(ledger.build(number))

    async def main() -> None:
        await session(2)

    asyncio.run(main())
    assert ledger.names() == [2, 1, 0, "pool"]
    by_hand(main)
    assert ledger.names() == [2, 1, 0, "pool"] * 2
    assert session.info().release_failures == 0


def test_a3_a_release_asked_for_on_another_thread_runs_on_its_own_loop() -> None:
    clients: list[Client] = []
    loop = Loop()

    async def close(it: Client) -> None:
        await it.aclose()

    @tenure.cache_resource(on_release=close)
    async def client() -> Client:
        clients.append(Client())
        return clients[-1]

    loop.do(client())
    client.clear()
    asyncio.run(until(lambda: not clients[0].is_open))
    # From a loop of one's own, too.
    second = loop.do(client())

    async def main() -> None:
        assert await client() is second
        client.clear()
        await until(lambda: not second.is_open)

    asyncio.run(main())
    loop.end(cancels_all)
    assert client.info().release_failures == 0


def test_a3_a_global_resource_on_a_second_loop_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    @tenure.cache_resource
    async def client() -> object:
        return object()

    first = asyncio.run(client())
    for _ in range(3):
        assert asyncio.run(client()) is first
    (said,) = [it for it in caplog.messages if 'scope="loop"' in it]
    assert "has ended" in said


def test_a3_a_loop_whose_release_takes_too_long_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def never(_: object) -> None:
        await asyncio.get_running_loop().create_future()

    @tenure.cache_resource(on_release=never)
    async def client() -> object:
        return object()

    tenure.configure(shutdown_timeout="10ms")
    try:
        asyncio.run(client())
    finally:
        tenure.configure()
    (said,) = [it for it in caplog.messages if "before everything on it was released" in it]
    assert "client" in said
    gc.collect()


def test_a3_a_thousand_loops_leave_nothing() -> None:
    """Neither homes, nor loops, nor entries, nor memory. In a process of its own, where nothing else takes any."""
    done = subprocess.run([sys.executable, "-c", _THOUSAND], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


_THOUSAND = """
import asyncio, gc, sys, tracemalloc, warnings, weakref
import tenure
from tenure import _aio

seen = []

class Weak:
    pass

@tenure.cache_resource(scope="loop")
async def thing():
    it = Weak()
    seen.append(weakref.ref(it))
    seen.append(weakref.ref(asyncio.get_running_loop()))
    seen.append(weakref.ref(_aio.home()))
    yield it

def rounds(count):
    for _ in range(count):
        with asyncio.Runner() as runner:
            runner.run(thing())
    gc.collect()
    assert {it() for it in seen} == {None}
    seen.clear()

# The interpreter's cache of attributes keeps the names that it was asked by, some thousands of them.
warnings.simplefilter("ignore", DeprecationWarning)
forget_names = getattr(sys, "_clear_type_cache", None)
rounds(200)
forget_names and forget_names()
tracemalloc.start()
for _ in range(10):
    rounds(80)
forget_names and forget_names()
grown = tracemalloc.get_traced_memory()[0]
assert grown < (8_000 if forget_names else 400_000), grown
assert (thing.info().builds, thing.info().entries) == (1_000, 0)
"""


@pytest.mark.parametrize("end", [cancels_all, closes_generators, closes])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a3_what_lived_on_a_loop_is_garbage_with_it(end: Any) -> None:
    class Weak:
        pass

    seen: list[weakref.ref[Any]] = []

    @tenure.cache_resource
    async def thing() -> AsyncIterator[Weak]:
        it = Weak()
        seen.append(weakref.ref(it))
        seen.append(weakref.ref(_aio.home()))
        yield it
        del it
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    seen.append(weakref.ref(loop))
    loop.run_until_complete(thing())
    end(loop)
    del loop
    asyncio.run(other())
    gc.collect()
    assert [it() for it in seen] == [None] * 3


def test_a1_callers_on_many_loops_that_end_at_any_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever still waits gets the resource, whichever loops have died."""
    monkeypatch.setattr(_carriers, "LOOK", 0.01)
    release = threading.Event()
    turns = 6

    @tenure.cache_resource
    async def thing(key: int) -> object:
        while not release.is_set():
            await asyncio.sleep(0.001)
        return ledger.build(key)

    def work(number: int) -> list[object]:
        async def main() -> list[object]:
            callers = [asyncio.create_task(thing(key)) for key in range(turns)]
            await asyncio.sleep(0)
            if number < turns:
                # Leads some of the builds, and dies.
                return []
            await until(lambda: thing.info().waiting == turns)
            release.set()
            return list(await asyncio.gather(*callers))

        return asyncio.run(main())

    everything = together(turns + 1, work)[-1]
    assert [it.name for it in everything] == list(range(turns))
    assert len(ledger.built) == turns


def test_a3_a_hit_on_another_loop_is_one_hit() -> None:
    """A3, V1: also the one that says that the resource outlives its loop."""

    @tenure.cache_resource
    async def model(name: str) -> list[str]:
        return [name]

    async def main() -> int:
        await model("a")
        return model.info().hits

    assert [asyncio.run(main()) for _ in range(4)] == [0, 1, 2, 3]
