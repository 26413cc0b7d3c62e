"""V3: the figures as Prometheus reads them."""

from __future__ import annotations

import math
from typing import Any

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

import tenure
import tenure.metrics
import tenure.testing


def samples(text: str, function: str) -> dict[str, float]:
    """What is told of a function: the name of the metric, with the value of its other label behind it."""
    told = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("function") == function:
                more = [value for label, value in sample.labels.items() if label != "function"]
                told[" ".join([sample.name, *more])] = sample.value
    return told


def test_v3_each_figure_has_its_metric(clock: tenure.testing.Clock) -> None:
    @tenure.cache_resource(ttl="1 min", max_stale="1 min", weight=lambda it: 5)
    def pool(key: int, _takes: Any = None) -> list[int]:
        if key < 0:
            raise ValueError(key)
        if _takes:
            _takes(key)
        return [key]

    pool(2, clock.advance), pool(2), pool(90, clock.advance)
    with pytest.raises(ValueError, match="-1"):
        pool(-1)
    pool.clear(90)
    pool(90)
    name = f"{__name__}.{pool.__qualname__}"
    told = samples(tenure.metrics.text(), name)
    info = pool.info()
    assert told["tenure_hits_total"] == info.hits == 1
    assert {key.partition(" ")[2]: int(value) for key, value in told.items() if key.startswith("tenure_misses")} == {
        reason: number for reason, number in info.misses_by_reason.items() if number
    }
    assert told["tenure_releases_total cleared"] == 1
    assert told["tenure_build_failures_total"] == 1
    assert (told["tenure_entries"], told["tenure_stale_entries"], told["tenure_weight"]) == (2, 1, 10)
    assert told["tenure_oldest_entry_seconds"] == pytest.approx(90, abs=0.001)
    clock.advance("500ms")
    told = samples(tenure.metrics.text(), name)
    assert told["tenure_oldest_entry_seconds"] == pytest.approx(90.5, abs=0.001)
    assert told["tenure_builds_total"] == info.builds == 3
    # The one that failed took its time too.
    assert told["tenure_build_duration_seconds_count miss"] == 4
    assert told["tenure_build_duration_seconds_sum miss"] == pytest.approx(92, abs=0.001)
    buckets = {key.split()[2]: value for key, value in told.items() if "_bucket" in key}
    assert (buckets["0.001"], buckets["2.5"], buckets["300"], buckets["+Inf"]) == (2, 3, 4, 4)


def test_v3_no_argument_and_no_tag_is_shown_and_a_name_with_markup_is_a_value() -> None:
    def pool(token: str) -> list[str]:
        return [token]

    pool.__qualname__ = 'pool"} 1\n<b>\\'
    pool = tenure.cache_resource(tags=lambda token: [f"cred:{token}"])(pool)
    pool("hunter2")
    tenure.clear_tag("cred:hunter2")
    text = tenure.metrics.text()
    assert "hunter2" not in text
    assert samples(text, f'{__name__}.pool"}} 1\n<b>\\')["tenure_releases_total cleared"] == 1


def test_v3_a_registry_shows_them_and_lets_them_go() -> None:
    registry = prometheus_client.CollectorRegistry()
    collector = tenure.metrics.register(registry)

    @tenure.cache_resource
    def kept() -> list[int]:
        return []

    kept()
    shown = prometheus_client.generate_latest(registry).decode()
    assert samples(shown, f"{__name__}.{kept.__qualname__}")["tenure_entries"] == 1
    registry.unregister(collector)
    assert prometheus_client.generate_latest(registry) == b""


def test_v3_the_text_is_read_back_as_it_is_and_each_histogram_is_whole() -> None:
    for family in text_string_to_metric_families(tenure.metrics.text()):
        assert family.documentation
        for sample in family.samples:
            assert math.isfinite(sample.value)
            assert sample.value >= 0


def test_v3_counts_do_not_fall_where_a_function_goes_and_another_of_its_name_stays() -> None:
    def made(number: int) -> Any:
        @tenure.cache_resource
        def of_one_name() -> list[int]:
            return [number]

        return of_one_name

    stays = made(0)
    stays()
    name = f"{__name__}.{stays.__qualname__}"
    # More than are kept for the case that an edit is taken back.
    for number in range(1, 41):
        goes = made(number)
        goes(), goes(), goes()
        told = samples(tenure.metrics.text(), name)
        assert (told["tenure_hits_total"], told["tenure_builds_total"]) == (2 * number, number + 1)
    gone = told["tenure_builds_total"] - told["tenure_entries"]
    assert gone > 10
    assert told["tenure_releases_total superseded"] == gone
    assert [info.builds for it, info in tenure.info().by_function if it == name] == [1] * int(told["tenure_entries"])


def test_v3_a_registry_takes_the_figures_once() -> None:
    registry = prometheus_client.CollectorRegistry()
    collector = tenure.metrics.register(registry)
    with pytest.raises(ValueError, match="tenure_hits"):
        tenure.metrics.register(registry)
    (entries,) = registry.restricted_registry(["tenure_entries"]).collect()
    assert entries.name == "tenure_entries"
    registry.unregister(collector)
    tenure.metrics.register(registry)
