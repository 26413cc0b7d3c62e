"""What an app sets among Streamlit's own options: for refreshes in the background, and for its metrics."""

from __future__ import annotations

import logging
import math
from typing import Any

import streamlit

__all__ = ["measures_memory", "multiplier", "workers"]

_log = logging.getLogger("tenure.streamlit")

_MULTIPLIER = 2.0
_WORKERS = 4


def multiplier() -> float:
    """How many times its `ttl` an entry may be handed out for in all."""
    given = _option("runner.cacheBackgroundRefreshTTLMultiplier", _MULTIPLIER)
    try:
        times = float(given)
    except (TypeError, ValueError):
        times = math.nan
    if math.isfinite(times) and times > 1.0:
        return times
    _log.warning(
        "runner.cacheBackgroundRefreshTTLMultiplier is %r, and must be a number above 1.0; %s is used. "
        'To never hand out what is older than its ttl write refresh_mode="foreground" or max_stale=0',
        given,
        _MULTIPLIER,
    )
    return _MULTIPLIER


def workers() -> int:
    """How many refreshes may run at a time."""
    given = _option("runner.cacheBackgroundRefreshMaxWorkers", _WORKERS)
    try:
        return max(int(given), 0)
    except (TypeError, ValueError):
        return _WORKERS


def measures_memory() -> bool:
    """Whether the memory of what is kept is measured for the metrics endpoint, as every Streamlit did once."""
    return bool(_option("server.enableExpensiveMemoryStats", True))


def _option(name: str, default: Any) -> Any:
    """An option of the app, or what it is in a Streamlit that has no such option."""
    try:
        given = streamlit.config.get_option(name)
    except RuntimeError:
        return default
    return default if given is None else given
