"""H9: Streamlit's own metrics endpoint shows Tenure's functions in Streamlit's own families."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import endpoint
import pytest
import stage
import streamlit
from endpoint import Server, of, series, series_of_proto
from streamlit.runtime.stats import StatsManager

import tenure
from tenure import _native
from tenure.hosts.streamlit import adapter, stats

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

counts = pytest.mark.skipif(not endpoint.HAS_COUNTS, reason="this Streamlit tells the memory alone")

MEMORY = "cache_memory_bytes"
LOOKUPS = "cache_lookups"
TIMES = "cache_compute_duration_seconds"
EVICTIONS = "cache_evictions"
REFRESHES = "cache_background_refreshes"
COUNTS = (LOOKUPS, TIMES, EVICTIONS, REFRESHES)

APP = """
    import streamlit as st

    @st.cache_resource
    def plain(name):
        return [name]

    @st.cache_resource(max_entries=1)
    def small(number):
        return [number]

    @st.cache_resource(validate=lambda it: it["good"])
    def checked():
        return {"good": True}

    @st.cache_resource
    def cleared():
        return []

    @st.cache_resource(ttl="1h", show_spinner=False)
    def failing():
        raise ValueError("no server")

    @st.cache_resource(scope="session")
    def own():
        return []

    @st.cache_resource
    def never():
        return []

    class Shop:
        @st.cache_resource
        def pool(_self, name):
            return [name]

    plain("tea"), plain("tea"), plain("rice")
    small(1), small(2)
    checked()["good"] = False
    checked()
    cleared()
    cleared.clear()
    cleared()
    try:
        failing()
    except ValueError:
        pass
    own(), own()
    Shop().pool("a"), Shop().pool("b")
"""

IN_THE_BACKGROUND = """
    import streamlit as st
    from streamlit import runtime

    runs = runtime.__dict__.setdefault("runs", {"rates": 0, "flaky": 0})

    @st.cache_resource(ttl=1e-9, refresh_mode="background")
    def rates():
        runs["rates"] += 1
        return [runs["rates"]]

    @st.cache_resource(ttl=1e-9, refresh_mode="background")
    def flaky():
        runs["flaky"] += 1
        if runs["flaky"] > 1:
            raise ValueError("no server")
        return []

    rates(), flaky()
"""


def told_of(server: Server, *families: str) -> dict[Any, float]:
    """All that is told, in either format, without what differs from run to run."""
    told = series(server.text(*families))
    assert series_of_proto(server.proto(*families)) == told
    return told


def without_times(told: dict[Any, float]) -> dict[Any, float]:
    """What does not depend on how long something took: of each histogram the labels, and the count."""
    varies = (f"{TIMES}_sum", f"{TIMES}_bucket")
    return {name: 0 if name[0] in varies else value for name, value in told.items() if name[0].startswith("cache_")}


def test_h9_an_app_has_the_same_series_with_st_cache_resource_and_with_tenure(tmp_path: Path) -> None:
    """Names, labels and values, after hits, misses, evictions, failures, clears, and the end of a session."""
    found = []
    for command in ("streamlit", "tenure"):
        with Server(tmp_path, command, APP) as server:
            server.run_app()
            server.run_app()
            # The end of a session holds up no event loop.
            server.until(lambda told: not of(told, "__main__.own").get(MEMORY), MEMORY)
            found.append(told_of(server))
    theirs, ours = map(without_times, found)
    if not endpoint.HAS_COUNTS:
        # Each measures the memory of what it keeps.
        assert theirs.keys() == ours.keys()
        assert all(value > 0 for value in ours.values())
        return
    assert ours == theirs
    told = of(found[1], "__main__.plain")
    assert told[f"{LOOKUPS}_total hit"] == 4
    assert told[f"{LOOKUPS}_total miss"] == 2
    assert told[f"{TIMES}_count miss"] == 2
    assert told[MEMORY] == 2
    assert of(found[1], "__main__.small")[f"{EVICTIONS}_total max_entries"] == 3
    assert of(found[1], "__main__.checked")[f"{EVICTIONS}_total validate"] == 2
    assert of(found[1], "__main__.failing")[f"{TIMES}_count miss"] == 2
    assert of(found[1], "__main__.Shop.pool")[f"{LOOKUPS}_total miss"] == 2


@counts
@pytest.mark.parametrize("workers", [4, 0])
def test_h9_refreshes_in_the_background_are_told_by_what_became_of_them(tmp_path: Path, workers: int) -> None:
    """One that succeeds, one that fails, and without workers two that are skipped."""
    options = {
        "runner.cacheBackgroundRefreshTTLMultiplier": 1e13,
        "runner.cacheBackgroundRefreshMaxWorkers": workers,
    }

    def number(told: dict[Any, float]) -> float:
        return sum(value for (name, _), value in told.items() if name == f"{REFRESHES}_total")

    found, heads = [], []
    for command in ("streamlit", "tenure"):
        with Server(tmp_path, command, IN_THE_BACKGROUND, **options) as server:
            server.run_app()
            assert number(series(server.text(REFRESHES))) == 0
            server.run_app()
            server.until(lambda told: number(told) == 2, REFRESHES)
            found.append(told_of(server, *COUNTS))
            heads.append([(it.name, it.type, it.unit, it.help) for it in server.proto().metric_families])
    theirs, ours = map(without_times, found)
    assert ours == theirs
    assert heads[1] == heads[0]
    assert {MEMORY, *COUNTS} <= {name for name, *_ in heads[0]}
    rates, flaky = of(found[1], "__main__.rates"), of(found[1], "__main__.flaky")
    outcomes = ("success", "error", "skipped")
    assert [rates[f"{REFRESHES}_total {it}"] for it in outcomes] == ([1, 0, 0] if workers else [0, 0, 1])
    assert [flaky[f"{REFRESHES}_total {it}"] for it in outcomes] == ([0, 1, 0] if workers else [0, 0, 1])
    assert (rates[f"{LOOKUPS}_total hit"], rates[f"{LOOKUPS}_total miss"]) == (1, 1)
    assert rates[f"{TIMES}_count refresh"] == flaky[f"{TIMES}_count refresh"] == bool(workers)


PLAIN_IMPORT = """
    import streamlit as st
    from tenure import cache_resource

    SECRET = "hunter2"

    def odd(token):
        return [bytes(100_000)]

    odd.__qualname__ = 'po"ol"} 1\\n<b>\\\\'
    odd = cache_resource(odd)
    odd(SECRET), odd(SECRET)

    def shared():
        return [1]

    for decorate in (st.cache_resource, cache_resource):
        kept = decorate(shared)
        kept(), kept()
"""

ODD = '__main__.po"ol"} 1\n<b>\\'


def test_h9_a_plain_import_is_enough_and_a_name_is_a_value_whatever_stands_in_it(tmp_path: Path) -> None:
    """Nothing of a key or an argument is told, and a function that Streamlit keeps too is one series."""
    with Server(tmp_path, "streamlit", PLAIN_IMPORT) as server:
        server.run_app()
        text, told = server.text(), told_of(server)
    assert "hunter2" not in text
    odd, shared = of(told, ODD), of(told, "__main__.shared")
    if endpoint.MEASURES:
        assert odd[MEMORY] > 100_000
        assert shared[MEMORY] > 0
    else:
        assert (odd[MEMORY], shared[MEMORY]) == (1, 2)
    if not endpoint.HAS_COUNTS:
        return
    assert (odd[f"{LOOKUPS}_total hit"], odd[f"{LOOKUPS}_total miss"]) == (1, 1)
    assert (shared[f"{LOOKUPS}_total hit"], shared[f"{LOOKUPS}_total miss"]) == (2, 2)
    assert shared[f"{TIMES}_count miss"] == shared[f"{TIMES}_bucket +Inf miss"] == 2
    assert f"{REFRESHES}_total success" not in shared


class Unmeasured:
    """What `asizeof` cannot measure."""

    @property
    def __class__(self) -> Any:
        raise ReferenceError("it is gone")


@pytest.fixture
def memory_option(monkeypatch: pytest.MonkeyPatch) -> None:
    known = streamlit.config.get_option

    def get_option(name: str) -> Any:
        return True if name == "server.enableExpensiveMemoryStats" else known(name)

    monkeypatch.setattr(streamlit.config, "get_option", get_option)


def managed() -> StatsManager:
    """A further runtime's manager, as it is when it begins."""
    manager = StatsManager()
    for owner, _ in stats.PROVIDERS:
        manager.register_provider(owner())
    return manager


def test_h9_memory_is_measured_where_the_app_has_it_so(memory_option: None) -> None:
    @tenure.cache_resource
    def heavy(number: int) -> bytes:
        return bytes(number)

    @tenure.cache_resource
    def unmeasured() -> list[Unmeasured]:
        return [Unmeasured()]

    adapter.attach()
    heavy(1000), heavy(2000), unmeasured()
    told = {stat.cache_name: stat.byte_length for stat in managed().get_stats([MEMORY])[MEMORY]}
    assert 3000 < told[f"{__name__}.{heavy.__qualname__}"] < 4000
    assert f"{__name__}.{unmeasured.__qualname__}" in told
    assert (heavy.info().hits, heavy.info().ends["cleared"]) == (0, 0)


@pytest.fixture
def functions() -> SimpleNamespace:
    adapter.attach()

    @tenure.cache_resource
    def pool(number: int) -> list[int]:
        return [number]

    return SimpleNamespace(pool=pool, name=f"{__name__}.{pool.__qualname__}")


def test_h9_every_runtime_tells_it_once_and_none_after_a_detach(functions: SimpleNamespace) -> None:
    functions.pool(1), functions.pool(1)
    for manager in (managed(), managed()):
        told = manager.get_stats()
        mine = [stat for stat in told[MEMORY] if stat.cache_name == functions.name]
        assert len(mine) == 1
    adapter.detach()
    try:
        assert MEMORY not in managed().get_stats()
    finally:
        _native.set_host(adapter.attach())


@counts
def test_h9_a_family_that_is_not_asked_for_is_not_given(functions: SimpleNamespace) -> None:
    functions.pool(1)
    assert set(managed().get_stats([EVICTIONS])) == {EVICTIONS}
    assert set(managed().get_stats()) >= {MEMORY, LOOKUPS, TIMES, EVICTIONS}


@counts
def test_h9_the_bounds_are_streamlits(functions: SimpleNamespace) -> None:
    from streamlit.runtime.caching import cache_metrics

    functions.pool(1)
    (told,) = [it for it in managed().get_stats([TIMES])[TIMES] if it.labels["cache"] == functions.name]
    bounds = [bound for bound, _ in told.buckets]
    assert bounds == [*cache_metrics.COMPUTE_DURATION_BUCKETS, float("inf")]


@counts
def test_h9_an_entry_that_was_idle_is_an_eviction_too(functions: SimpleNamespace) -> None:
    with tenure.testing.clock() as clock:

        @tenure.cache_resource(max_idle="1 min")
        def pool() -> list[int]:
            return []

        pool()
        clock.advance(60)
        name = f"{__name__}.{pool.__qualname__}"
        found = managed().get_stats([EVICTIONS])[EVICTIONS]
        told = {it.labels["reason"]: it.value for it in found if it.labels["cache"] == name}
    assert told == {"ttl": 0, "max_entries": 0, "validate": 0, "idle": 1}
