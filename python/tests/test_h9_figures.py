"""H9: what a function's runs, refreshes and ends have come to, as Streamlit's families need it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tenure
import tenure.metrics
from tenure.testing import Clock
from test_v3_metrics import samples
from world import Ledger

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

BACKGROUND: dict[str, Any] = {"ttl": 60, "max_stale": "1h", "refresh_mode": "background"}


def test_h9_refreshes_are_counted_by_what_became_of_them(clock: Clock) -> None:
    broken = False

    @tenure.cache_resource(**BACKGROUND)
    def rates(_takes: int) -> object:
        clock.advance(_takes)
        if broken:
            raise OSError("no route")
        return object()

    def refreshed() -> tuple[int, int, int]:
        clock.advance(60)
        rates(2)
        clock.advance(0)
        outcomes = rates.info().refreshes
        return outcomes["success"], outcomes["error"], outcomes["skipped"]

    assert rates.info().refreshes_itself
    rates(7)
    assert rates.info().refreshes == {"success": 0, "error": 0, "skipped": 0}
    assert refreshed() == (1, 0, 0)
    broken = True
    assert refreshed() == (1, 1, 0)
    # What has failed is not tried again at once.
    rates(2)
    clock.advance(0)
    info = rates.info()
    assert info.refreshes == {"success": 1, "error": 1, "skipped": 0}
    assert "refreshes 1 success, 1 error" in str(info)
    # Each run, also the one that failed, for what it was run for.
    assert info.run_time == pytest.approx({"miss": 7, "refresh": 4}, abs=0.001)
    assert {trigger: times[-1][1] for trigger, times in info.run_times.items()} == {"miss": 1, "refresh": 2}
    assert (info.builds, info.failures, info.hits, info.misses) == (2, 1, 3, 1)


def test_h9_a_failed_run_for_a_call_counts_with_its_time(clock: Clock) -> None:
    @tenure.cache_resource
    def broken(_takes: int) -> object:
        clock.advance(_takes)
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        broken(3)
    info = broken.info()
    assert not info.refreshes_itself
    assert info.run_time == pytest.approx({"miss": 3, "refresh": 0}, abs=0.001)
    assert dict(info.run_times["miss"])[5.0] == 1
    assert dict(info.run_times["miss"])[2.5] == 0
    assert info.build_time == 0


def test_h9_an_entry_ends_before_it_is_released(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(max_entries=1, on_release=ledger.release)
    def pool(number: int) -> object:
        return ledger.build(number)

    with pool.lease(1):
        pool(2)
        info = pool.info()
        assert (info.ends["evicted"], info.releases["evicted"]) == (1, 0)
    clock.advance(1)
    pool.clear()
    info = pool.info()
    assert {cause: number for cause, number in info.ends.items() if number} == {"evicted": 1, "cleared": 1}
    assert info.ends == info.releases


def test_h9_all_of_it_is_in_the_json_and_in_the_text_for_prometheus(clock: Clock) -> None:
    @tenure.cache_resource(**BACKGROUND)
    def rates(key: str) -> object:
        return object()

    rates("hunter2")
    clock.advance(60)
    rates("hunter2")
    clock.advance(0)
    rates.clear()
    told = json.loads(rates.info().to_json())
    assert told["refreshes"] == {"success": 1, "error": 0, "skipped": 0}
    assert told["refreshes_itself"]
    assert (told["ends"]["replaced"], told["ends"]["cleared"]) == (1, 1)
    assert [told["runs"][it]["times"][-1] for it in ("miss", "refresh")] == [[None, 1], [None, 1]]
    text = tenure.metrics.text()
    assert "hunter2" not in text
    shown = samples(text, f"{__name__}.{rates.__qualname__}")
    assert shown["tenure_refreshes_total success"] == 1
    assert "tenure_refreshes_total error" not in shown
    assert (shown["tenure_ends_total replaced"], shown["tenure_ends_total cleared"]) == (1, 1)
    assert shown["tenure_build_duration_seconds_count miss"] == 1
    assert shown["tenure_build_duration_seconds_count refresh"] == 1
    assert shown["tenure_build_duration_seconds_bucket refresh +Inf"] == 1
