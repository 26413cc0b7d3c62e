"""L20: the end of a process tells what it could not release."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import tenure


def test_l20_a_shutdown_names_the_functions_whose_callbacks_have_not_returned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    may_end = threading.Event()

    @tenure.cache_resource(on_release=lambda _: may_end.wait())
    def stuck() -> list[int]:
        return [7]

    stuck()
    tenure.configure(shutdown_timeout="1ms")
    try:
        assert not tenure.shutdown()
    finally:
        may_end.set()
        tenure.configure()
    assert any("stuck" in line and "resources=1" in line for line in caplog.messages), caplog.messages
    assert tenure.shutdown()


def test_l20_a_shutdown_that_runs_out_of_time_counts_what_it_did_not_come_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    may_end = threading.Event()

    @tenure.cache_resource(on_release=lambda _: may_end.wait())
    def many(key: int) -> list[int]:
        return [key]

    for key in range(5):
        many(key)
    tenure.configure(shutdown_timeout="1ms")
    try:
        assert not tenure.shutdown()
    finally:
        may_end.set()
        tenure.configure()
    counts = [re.search(r"\.many: .*resources=(\d+)", line) for line in caplog.messages]
    # One that just has its turn may be counted on both sides.
    assert sum(int(count[1]) for count in counts if count) in (5, 6), caplog.messages
    assert tenure.shutdown()


def test_l20_a_release_that_is_late_on_an_event_loop_is_told_in_words_of_python(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @tenure.cache_resource
    async def pool() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)

    async def main() -> None:
        await pool()
        pool.clear()  # Begins the teardown, which this task lets no turn.
        tenure.configure(shutdown_timeout="1ms")
        try:
            assert not tenure.shutdown()  # On the loop's own thread.
        finally:
            tenure.configure()

    asyncio.run(main())
    (line,) = [line for line in caplog.messages if "has not ended in the time" in line]
    assert "pool: a release has not ended in the time of the shutdown" in line
    assert "holds up the event loop of its own thread: in a task, await `shutdown_async` instead" in line
    assert "runtime" not in line
    assert "on_release" not in line


@pytest.fixture
def without_bound() -> Iterator[None]:
    """A wait that ends with its bound would not end."""
    tenure.configure(shutdown_timeout="1d")
    yield
    tenure.configure()


def shutting_down(name: str) -> tuple[Any, list[int]]:
    """A function of this name with three entries, whose releases shut down and then say which one it was."""
    released: list[int] = []

    def shut_down(it: list[int]) -> None:
        tenure.shutdown()
        released.append(it[0])

    def numbered(key: int) -> list[int]:
        return [key]

    # Another function for each test.
    numbered.__qualname__ = name
    cached = tenure.cache_resource(on_release=shut_down)(numbered)
    for key in range(3):
        cached(key)
    return cached, released


@pytest.mark.usefixtures("without_bound")
def test_l6_a_shutdown_within_a_release_does_not_wait_for_what_the_same_clear_releases_after_it() -> None:
    cached, released = shutting_down("of_one_clear")
    cached.clear()
    assert released == [2, 1, 0]
    assert tenure.shutdown()


@pytest.mark.usefixtures("without_bound")
def test_l6_a_shutdown_within_a_release_of_another_shutdown_does_not_wait_for_that() -> None:
    cached, released = shutting_down("of_a_shutdown")
    cached.clear(0)
    assert released == [2, 1, 0]
    assert tenure.shutdown()
