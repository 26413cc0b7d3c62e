"""Tenure's functions on Streamlit's own metrics endpoint, in the families of `st.cache_resource`.

No provider is registered beside Streamlit's: what those give is added to. So every runtime of the process shows the
figures, whenever it began; a family that a version does not have is never asked for; and a function that Streamlit's
own cache knows by the same name stays one series, as the format demands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from streamlit.runtime.caching import cache_resource_api
from streamlit.runtime.stats import CACHE_MEMORY_FAMILY, CacheStat, CounterStat

from tenure import _native
from tenure.hosts.streamlit import config

try:
    from streamlit.runtime.caching import cache_metrics
    from streamlit.runtime.stats import HistogramStat
except ImportError:
    cache_metrics = None  # type: ignore[assignment]

__all__ = ["PROVIDERS", "Memory"]

_CACHE_TYPE = "st_cache_resource"

_REASONS = {"expired": "ttl", "evicted": "max_entries", "invalid": "validate"}
"""Streamlit's reasons by Tenure's causes. To Streamlit the other ends are clears, which it does not count."""

_HELP = {
    "cache_lookups": "Total calls to a cached function by lookup result.",
    "cache_compute_duration_seconds": (
        "Time spent running a cached function, on a cache miss or a background refresh."
    ),
    "cache_evictions": "Total cache entries removed automatically, by reason. Explicit clear() calls are not counted.",
    "cache_background_refreshes": (
        "Total background refreshes of stale entries by result. skipped means the refresh could not be scheduled."
    ),
}


class Memory(CacheStat):
    """The memory of one function's entries. `CacheStat` writes a name as it is, whatever stands in it."""

    __slots__ = ()

    def to_metric_str(self) -> str:
        name = self.cache_name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.family_name}{{cache_type="{self.category_name}",cache="{name}"}} {self.byte_length}'


def _adding_memory(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_stats(*args: Any, **kwargs: Any) -> Any:
        theirs = original(*args, **kwargs)
        sizes = _sizes()
        if not sizes:
            return theirs
        for stat in theirs.get(CACHE_MEMORY_FAMILY, ()):
            sizes[stat.cache_name] = sizes.get(stat.cache_name, 0) + stat.byte_length
        ours = [Memory(_CACHE_TYPE, name, size) for name, size in sorted(sizes.items())]
        return {**theirs, CACHE_MEMORY_FAMILY: ours}

    return get_stats


def _sizes() -> dict[str, int]:
    """The bytes that the entries of each function take, or their number where the app does not have them measured."""
    if not config.measures_memory():
        return {name: info.entries for name, info in _native.info_in_full() if info.entries}
    sizes: dict[str, int] = {}
    for name, resource in _native.kept():
        sizes[name] = sizes.get(name, 0) + _size(resource)
    return sizes


def _size(resource: object) -> int:
    from streamlit.vendor.pympler.asizeof import asizeof

    try:
        return int(asizeof(resource))
    except Exception:
        return 0  # It is made of something that cannot be measured.


def _adding_counts(original: Callable[..., Any]) -> Callable[..., Any]:
    bind = inspect.signature(original).bind

    def get_stats(*args: Any, **kwargs: Any) -> Any:
        theirs = original(*args, **kwargs)
        asked = bind(*args, **kwargs).arguments.get("family_names")
        merged = {family: {_series(stat): stat for stat in stats} for family, stats in theirs.items()}
        for stat in _counts():
            if asked is None or stat.family_name in asked:
                series = merged.setdefault(stat.family_name, {})
                there = series.get(_series(stat))
                series[_series(stat)] = stat if there is None else _sum(there, stat)
        return {family: list(series.values()) for family, series in merged.items()}

    return get_stats


def _counts() -> Iterator[Any]:
    for name, info in _native.info_in_full():
        labels = {"cache_type": _CACHE_TYPE, "cache": name}
        yield from _each("cache_lookups", labels, "result", {"hit": info.hits, "miss": info.misses})
        evictions = {reason: info.ends[cause] for cause, reason in _REASONS.items()}
        if info.ends["idle"]:
            evictions["idle"] = info.ends["idle"]
        yield from _each("cache_evictions", labels, "reason", evictions)
        refreshes = info.refreshes
        # As Streamlit does, which spares the other functions series that are always zero.
        refreshes_itself = info.refreshes_itself or any(refreshes.values())
        if refreshes_itself:
            yield from _each("cache_background_refreshes", labels, "result", refreshes)
        for trigger, times in info.run_times.items():
            if trigger == "miss" or refreshes_itself:
                yield _histogram({**labels, "trigger": trigger}, times, info.run_time[trigger])


def _each(family: str, labels: dict[str, str], label: str, values: Mapping[str, int]) -> Iterator[CounterStat]:
    for name, value in values.items():
        yield CounterStat(family, value, {**labels, label: name}, help=_HELP[family])


def _histogram(labels: dict[str, str], times: Sequence[tuple[float, int]], seconds: float) -> HistogramStat:
    family = "cache_compute_duration_seconds"
    bounds = {*cache_metrics.COMPUTE_DURATION_BUCKETS, times[-1][0]}
    buckets = tuple((bound, count) for bound, count in times if bound in bounds)
    return HistogramStat(family, buckets, seconds, times[-1][1], labels, unit="seconds", help=_HELP[family])


def _series(stat: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(stat.labels.items()))


def _sum(one: Any, other: Any) -> Any:
    """Two stats of one series as one."""
    if isinstance(one, CounterStat):
        return one._replace(value=one.value + other.value)
    more = dict(other.buckets)
    return one._replace(
        buckets=tuple((bound, count + more[bound]) for bound, count in one.buckets if bound in more),
        observation_sum=one.observation_sum + other.observation_sum,
        observation_count=one.observation_count + other.observation_count,
    )


PROVIDERS: list[tuple[type, Callable[[Callable[..., Any]], Callable[..., Any]]]] = [
    (cache_resource_api.ResourceCaches, _adding_memory)
]
"""The classes whose `get_stats` is wrapped, and what makes the wrapper."""

if cache_metrics is not None:
    PROVIDERS.append((cache_metrics.CacheMetrics, _adding_counts))
