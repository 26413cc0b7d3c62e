"""The cost of a look: the figures of 10,000 functions as Prometheus reads them, and an inspector that is open."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import prometheus_client

import tenure
import tenure.metrics
from loops import interleaved
from rows import Row, at_most
from tenure import _inspector

SCRAPE = "figures of 10,000 functions as text for Prometheus"
CLIENT = "prometheus_client, a counter and a histogram for each"
FUNCTIONS = 10_000
LOOK = "an open inspector's look at 1,000 functions, every 2 s"
FEW = 1_000


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows that are wanted."""
    rows = []
    # First, since a function stays once it is there.
    if wanted(LOOK):
        rows.append(_look(rounds))
    if wanted(SCRAPE):
        rows.append(_scrape(rounds))
    return rows


def _look(rounds: int) -> Row:
    """While it looks no other thread has the interpreter: this is what it takes of their time."""
    kept = [_cached(number) for number in range(FEW)]
    figures = interleaved(rounds, {"tenure": lambda: _taken(lambda: json.dumps(_inspector.snapshot()))})
    assert len(_inspector.snapshot()["functions"]) >= FEW
    assert all(it.info().hits == 0 for it in kept)
    return Row(LOOK, figures, goals=[at_most(0.1, "5 % of the time")])


def _scrape(rounds: int) -> Row:
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
    return Row(SCRAPE, figures, goals=[at_most(50e-3, "50 ms")])


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
