"""What it costs to look: the figures of 10,000 functions, as Prometheus reads them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import prometheus_client

import tenure
import tenure.metrics
from loops import interleaved
from rows import Row, at_most

SCRAPE = "figures of 10,000 functions as text for Prometheus"
CLIENT = "prometheus_client, a counter and a histogram for each"
FUNCTIONS = 10_000


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the row if it is wanted."""
    if not wanted(SCRAPE):
        return []
    kept = [_cached(number) for number in range(FUNCTIONS)]
    registry = prometheus_client.CollectorRegistry()
    hits = prometheus_client.Counter("hits", "Hits.", ["function"], registry=registry)
    builds = prometheus_client.Histogram("builds", "Builds.", ["function"], registry=registry)
    for number in range(FUNCTIONS):
        hits.labels(str(number)).inc()
        builds.labels(str(number)).observe(0.1)
    measures = {
        "tenure": lambda: _taken(tenure.metrics.text),
        CLIENT: lambda: _taken(lambda: prometheus_client.generate_latest(registry)),
    }
    figures = interleaved(rounds, measures)
    assert tenure.metrics.text().count("tenure_build_duration_seconds_count{") >= FUNCTIONS
    assert all(it.info().builds == 1 for it in kept[:10])
    return [Row(SCRAPE, figures, goals=[at_most(50e-3, "50 ms")])]


def _cached(number: int) -> Any:
    def build() -> list[int]:
        return [number]

    build.__qualname__ = f"build_{number}"
    cached = tenure.cache_resource(build)
    cached()
    return cached


def _taken(look: Callable[[], object]) -> float:
    begun = time.perf_counter()
    look()
    return time.perf_counter() - begun
