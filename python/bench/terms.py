"""What refreshes, idle times and weights cost: a hit with all of it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tenure
from loops import call_loop, per_call
from machine import one_core
from rows import Row, within

EVERYTHING = "hit with ttl, refresh, max_stale, max_idle, weight and build_timeout"
PLAIN = "a plain hit"


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows whose name is wanted."""
    rows = []
    if wanted(EVERYTHING):
        rows.append(Row(EVERYTHING, _everything(rounds, seconds), goals=[within(1.10, PLAIN)]))
    return rows


def _everything(rounds: int, seconds: float) -> dict[str, float]:
    result = object()
    settings: dict[str, Any] = {"ttl": "1h", "refresh_mode": "ahead", "max_stale": "1h", "max_idle": "1h"}
    cached = {
        "tenure": tenure.cache_resource(weight=1, max_weight=100, build_timeout="1m", **settings)(lambda: result),
        PLAIN: tenure.cache_resource(lambda: result),
    }
    for function in cached.values():
        assert function() is result
    with one_core():
        figures = per_call(rounds, {name: call_loop(it, {}) for name, it in cached.items()}, seconds)
    assert all(function.info().builds == 1 for function in cached.values())
    for function in cached.values():
        function.clear()
    return figures
