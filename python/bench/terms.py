"""What refreshes, idle times and weights cost: a hit with all of it on, and one that finds the old resource."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

import tenure
from loops import call_loop, per_call
from machine import one_core
from rows import Row, within

EVERYTHING = "hit with ttl, refresh, max_stale, max_idle, weight and build_timeout"
STALE = "stale hit while its successor is being built"

PLAIN = "a plain hit"
FRESH = "a fresh hit"


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows whose name is wanted."""
    rows = []
    if wanted(EVERYTHING):
        rows.append(Row(EVERYTHING, _everything(rounds, seconds), goals=[within(1.10, PLAIN)]))
    if wanted(STALE):
        rows.append(Row(STALE, _stale(rounds, seconds), goals=[within(1.2, FRESH)]))
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


def _stale(rounds: int, seconds: float) -> dict[str, float]:
    with _refreshing(tenure.cache_resource, max_stale="1h") as ours, _refreshing(st.cache_resource) as theirs:
        fresh = tenure.cache_resource(ttl="1h", refresh_mode="background")(object)
        fresh()
        loops = {"tenure": ours, "streamlit": theirs, FRESH: fresh}
        with one_core():
            return per_call(rounds, {name: call_loop(it, {}) for name, it in loops.items()}, seconds)


@contextmanager
def _refreshing(decorate: Callable[..., Any], **settings: Any) -> Iterator[Callable[[], Any]]:
    """A cached function whose resource is too old, and whose refresh takes as long as this lasts."""
    builds = 0
    begun, go_on = threading.Event(), threading.Event()

    def resource() -> object:
        nonlocal builds
        builds += 1
        if builds > 1:
            begun.set()
            go_on.wait()
        return object()

    # As old as it may be handed out in Streamlit: as long again as its ttl.
    ttl = 1e-6 if settings else 60.0
    st.config.get_option("server.port")
    cached = decorate(ttl=ttl, refresh_mode="background", **settings)(resource)
    first = cached()
    if not settings:
        # Its clock is the module's own.
        from streamlit.runtime.caching import cache_utils

        timer = cache_utils.TTLCACHE_TIMER
        cache_utils.TTLCACHE_TIMER = lambda: timer() + ttl * 1.5
    time.sleep(0.001)
    assert cached() is first
    assert begun.wait(60)
    try:
        yield cached
        assert cached() is first
        assert builds == 2
    finally:
        go_on.set()
        if not settings:
            cache_utils.TTLCACHE_TIMER = timer
