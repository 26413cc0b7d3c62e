"""A7: one entry per thread, released when the thread has ended, on that thread."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tenure
from tenure.testing import Clock
from world import LOST, Job, Ledger, releases, together, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_a7_each_thread_has_its_own_released_there_at_its_end() -> None:
    where: list[tuple[int, int]] = []

    @tenure.cache_resource(scope="thread", on_release=lambda made: where.append((made[0], threading.get_ident())))
    def thing() -> list[int]:
        return [threading.get_ident()]

    def work(_: int) -> list[int]:
        assert thing() is thing()
        return thing()

    assert len({id(it) for it in together(4, work)}) == 4
    assert releases(thing) == {"session_ended": 4}
    assert all(made == here for made, here in where)
    assert thing.info().entries == 0


def test_a7_set_up_and_teardown_are_on_the_thread() -> None:
    where: list[int] = []

    @tenure.cache_resource(scope="thread")
    def thing() -> Iterator[object]:
        where.append(threading.get_ident())
        yield object()
        where.append(threading.get_ident())

    Job(thing).result()
    assert where[0] == where[1] != threading.get_ident()


@pytest.mark.parametrize("error", [SystemExit, OSError])
def test_a7_however_the_thread_ends(error: type[BaseException], ledger: Ledger) -> None:
    @tenure.cache_resource(scope="thread", on_release=ledger.release)
    def thing() -> object:
        return ledger.build()

    def work() -> None:
        thing()
        raise error

    assert isinstance(Job(work).error(), error)
    assert len(ledger.released) == 1


def test_a7_clears_reach_ones_own_and_a_clear_of_everything_all(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="thread", on_release=ledger.release)
    def thing() -> object:
        return ledger.build()

    built, may_end = threading.Event(), threading.Event()

    def work() -> None:
        thing()
        built.set()
        wait(may_end)

    job = Job(work)
    wait(built)
    mine = thing()
    thing.clear()
    assert ledger.released == [mine]
    tenure.cache_resource.clear()
    assert len(ledger.released) == 2
    may_end.set()
    job.result()
    assert len(ledger.released) == 2


def test_a7_ten_thousand_threads_leave_nothing(ledger: Ledger) -> None:
    @tenure.cache_resource(scope="thread", on_release=ledger.release)
    def thing() -> object:
        return ledger.build()

    for _ in range(100):
        threads = [threading.Thread(target=thing) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LOST)
    assert len(ledger.released) == 10_000
    assert thing.info().entries == 0


@pytest.mark.parametrize("asks_first", [False, True])
def test_a7_what_a_thread_asks_for_at_its_very_end_is_not_kept(asks_first: bool, ledger: Ledger, clock: Clock) -> None:
    @tenure.cache_resource(scope="thread", on_release=ledger.release)
    def connection() -> object:
        return ledger.build()

    mine = threading.local()

    class Flushes:
        def __del__(self) -> None:
            connection()

    def work() -> None:
        # The order in which a thread lets go of what is its own is the one in which it began to keep it.
        if asks_first:
            connection()
        mine.flushes = Flushes()
        connection()

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(LOST)
    assert connection.info().entries == 0
    clock.advance("1s")
    assert len(ledger.released) == len(ledger.built)
    assert releases(connection) == {"session_ended": 3, "orphaned": 3}


def test_a7_a_release_at_the_end_of_a_thread_builds_for_nobody(ledger: Ledger, clock: Clock) -> None:
    @tenure.cache_resource(scope="thread", on_release=ledger.release)
    def log() -> object:
        return ledger.build("log")

    @tenure.cache_resource(scope="thread", on_release=lambda it: log())
    def connection() -> list[object]:
        return []

    thread = threading.Thread(target=connection)
    thread.start()
    thread.join(LOST)
    assert log.info().entries == connection.info().entries == 0
    clock.advance("1s")
    assert releases(log) == {"orphaned": 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a7_a_child_releases_nothing_of_its_parents_threads(ledger: Ledger) -> None:
    """L7: the threads of the parent are not in the child, and their resources not either."""

    @tenure.cache_resource(scope="thread", on_release=ledger.release)
    def thing() -> Any:
        return ledger.build(os.getpid())

    built, may_end = threading.Event(), threading.Event()

    def work() -> None:
        thing()
        built.set()
        wait(may_end)

    job = Job(work)
    wait(built)
    thing()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert ledger.released == []
            assert thing().name == os.getpid()
            tenure.cache_resource.clear()
            assert [it.name for it in ledger.released] == [os.getpid()]
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert ledger.released == []
    may_end.set()
    job.result()
    assert len(ledger.released) == 1


def test_a7_an_async_function_may_have_the_thread_as_its_scope() -> None:
    import asyncio

    @tenure.cache_resource(scope="thread")
    async def thing() -> object:
        return object()

    async def main() -> object:
        assert await thing() is await thing()
        return await thing()

    here = asyncio.run(main())
    assert asyncio.run(main()) is here
    assert Job(lambda: asyncio.run(main())).result() is not here
    thing.clear()
