"""T3: a test moves time, by Tenure's own clock and by freezegun and time-machine."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine
from freezegun import freeze_time

import tenure
import tenure.metrics
from tenure.testing import clock, isolated
from world import Job

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:freezegun")


@pytest.fixture(autouse=True)
def begins_anew() -> Iterator[None]:
    with isolated():
        yield


@tenure.cache_resource(ttl="1h")
def token(name: str = "") -> object:
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
    assert token.info().releases["expired"] == 2  # The true time has moved by a moment.


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


def test_t3_the_way_back_up_from_the_past_is_no_time_that_passes() -> None:
    before = token()
    with freeze_time("2020-01-01"):
        first = token("in 2020")
    assert (token("in 2020"), token()) == (first, before)
    with freeze_time("2024-01-02") as outer:
        second = token("in 2024")
        with freeze_time("2024-01-01") as inner:
            third = token("a day before")
            inner.tick(dt.timedelta(minutes=59))
            assert token("a day before") is third
        assert (token("in 2024"), token("a day before")) == (second, third)
        outer.tick(60)
        assert token("a day before") is not third
        outer.tick(3600)
        assert token("in 2024") is not second


def test_t3_a_step_over_the_true_time_counts_in_full() -> None:
    now = dt.datetime.now(dt.UTC)
    with freeze_time(now - dt.timedelta(minutes=10)) as frozen:
        first = token()
        frozen.tick(dt.timedelta(minutes=59))
        assert token() is first
        frozen.tick(dt.timedelta(minutes=1))
        second = token()
        assert second is not first
    # Back from a time ahead, and ahead again: half of that has been.
    with freeze_time(now + dt.timedelta(minutes=70)):
        assert token() is second
    with freeze_time(now + dt.timedelta(minutes=110)):
        assert token() is not second


def test_t3_frozen_times_with_the_true_one_between_are_as_far_apart_as_without() -> None:
    with freeze_time("2024-01-01 12:00"):
        first = token()
    assert token() is first
    with freeze_time("2024-01-01 12:30"):
        assert token() is first
    assert token() is first
    with freeze_time("2024-01-01 13:00"):
        assert token() is not first


def test_t3_all_figures_are_of_the_time_that_is_shown() -> None:
    with freeze_time("2024-01-01") as frozen:
        token()
        frozen.tick(3600)
        assert tenure.info().entries == 0
        token()
        frozen.tick(3600)
        assert f'tenure_entries{{function="{__name__}.token"}} 0' in tenure.metrics.text()
        assert token.info().releases["expired"] == 2


def test_t3_a_clock_is_moved_by_a_span_that_ends() -> None:
    with clock() as mine:
        first = token()
        for never in (None, float("inf"), 1e30, dt.timedelta.max):
            with pytest.raises(ValueError, match=r"clock\.advance\(\"1h\"\)"):
                mine.advance(never)  # type: ignore[arg-type]
        assert token() is first
        for _ in range(10):
            mine.advance(dt.timedelta(days=36500))
        assert token() is not first


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
