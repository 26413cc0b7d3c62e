"""T3: a test moves time, by Tenure's own clock and by freezegun and time-machine."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine
from freezegun import freeze_time

import tenure
from tenure.testing import clock, isolated
from world import Job

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:freezegun")


@pytest.fixture(autouse=True)
def begins_anew() -> Iterator[None]:
    with isolated():
        yield


@tenure.cache_resource(ttl="1h")
def token() -> object:
    return object()


@tenure.cache_resource(ttl="1h")
async def session() -> object:
    return object()


def test_t3_freezegun_ticks_and_moves() -> None:
    before = token()
    with freeze_time("2024-01-01 12:00") as frozen:
        assert token() is before  # A time that has been is no step back.
        first = token()
        frozen.tick(dt.timedelta(minutes=59))
        assert token() is first
        frozen.tick(dt.timedelta(minutes=1))
        second = token()
        assert second is not first
        frozen.move_to("2024-01-01 13:59")
        assert token() is second
        frozen.move_to("2024-01-01 12:00")
        assert token() is second
        frozen.tick(3600)
        assert token() is not second
        assert token.info().releases["expired"] == 2
    assert token.info().releases["expired"] == 3  # The true time is years on.


def test_t3_from_one_frozen_time_to_the_next() -> None:
    with freeze_time("2024-01-01 12:00"):
        first = token()
    with freeze_time("2024-01-01 12:30"):
        assert token() is first
    with freeze_time("2024-01-01 13:00"):
        assert token() is not first


def test_t3_frozen_far_ahead_and_back_again() -> None:
    first = token()
    with freeze_time(dt.datetime.now() + dt.timedelta(days=400)):
        second = token()
        assert second is not first
    assert token() is second


def test_t3_frozen_time_that_steps_is_not_moved_by_the_look() -> None:
    with freeze_time("2024-01-01", auto_tick_seconds=3600):
        first = token()
        assert token() is first
        dt.datetime.now()
        assert token() is not first


def test_t3_frozen_time_on_other_threads() -> None:
    with freeze_time("2024-01-01") as frozen:
        first = Job(token).result()
        assert Job(token).result() is first
        frozen.tick(3600)
        assert Job(token).result() is not first


def test_t3_time_machine_travels() -> None:
    with time_machine.travel(dt.datetime(2024, 1, 1, 12), tick=False) as traveller:
        first = token()
        traveller.shift(dt.timedelta(minutes=59))
        assert token() is first
        traveller.shift(60)
        second = token()
        assert second is not first
        traveller.move_to(dt.datetime(2024, 1, 2))
        assert token() is not second
    # Back at the true time, which is later still.
    assert token.info().builds == 3


def test_t3_time_machine_that_ticks() -> None:
    with time_machine.travel(dt.datetime(2024, 1, 1, 12)):
        first = token()
        assert token() is first
    with time_machine.travel(dt.datetime(2024, 1, 1, 14)):
        assert token() is not first


def test_t3_async_functions_go_by_it_too() -> None:
    async def main() -> None:
        first = await session()
        assert await session() is first
        traveller.shift(3600)
        assert await session() is not first

    with time_machine.travel(dt.datetime(2024, 1, 1), tick=False) as traveller:
        asyncio.run(main())


def test_t3_idle_resources_are_released_with_the_next_call() -> None:
    released: list[object] = []

    @tenure.cache_resource(max_idle="10m", on_release=released.append)
    def pool(name: str) -> object:
        return [name]

    with freeze_time("2024-01-01") as frozen:
        pool("a")
        frozen.tick(dt.timedelta(minutes=11))
        pool("b")
        assert released == [["a"]]


def test_t3_tenures_own_clock_comes_first() -> None:
    with clock() as mine, freeze_time("2024-01-01") as frozen:
        first = token()
        frozen.tick(dt.timedelta(days=1))
        assert token() is first
        mine.advance("1h")
        assert token() is not first


def test_t3_what_is_isolated_under_a_clock_goes_by_it() -> None:
    with clock() as mine:
        outer = token()
        with isolated():
            first = token()
            assert first is not outer
            mine.advance("1h")
            assert token() is not first
        assert token() is not outer
