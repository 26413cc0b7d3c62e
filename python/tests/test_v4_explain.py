"""V1 and V4: figures that say why calls were misses, and what a call would meet."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tenure
import tenure.testing

LINE = __file__ + ":"


def pool(key: int = 1) -> list[int]:
    return [key]


def reasons(function: Any) -> dict[str, int]:
    return {reason: number for reason, number in function.info().misses_by_reason.items() if number}


def discard(function: Any, _: tenure.testing.Clock) -> None:
    function.discard(function.peek(1))


WAYS: list[tuple[str, dict[str, Any], Callable[[Any, tenure.testing.Clock], object]]] = [
    ("cleared", {}, lambda function, _: function.clear()),
    ("cleared", {}, lambda function, _: function.clear(1)),
    ("cleared", {}, lambda function, _: function.clear_if(lambda *_: True)),
    ("cleared", {}, lambda *_: tenure.cache_resource.clear()),
    ("cleared", {"tags": ["a"]}, lambda *_: tenure.clear_tag("a")),
    ("expired", {"ttl": 60}, lambda _, clock: clock.advance(60)),
    ("expired", {}, lambda function, _: function.expire()),
    ("evicted", {"max_entries": 1}, lambda function, _: function(2)),
    ("invalid", {}, discard),
]


@pytest.mark.parametrize(("reason", "settings", "end"), WAYS)
def test_v4_a_miss_says_for_what_cause_what_was_kept_has_ended(
    reason: str,
    settings: dict[str, Any],
    end: Callable[[Any, tenure.testing.Clock], object],
    clock: tenure.testing.Clock,
) -> None:
    function = tenure.cache_resource(pool, **settings)
    assert tenure.explain(function, 1).reason == "absent"
    function(1)
    why = tenure.explain(function, 1)
    assert (why.is_hit, why.reason, why.age) == (True, None, 0.0)
    end(function, clock)
    why = tenure.explain(function, key=1)
    assert (why.is_hit, why.reason, why.age) == (False, reason, 0.0)
    if reason in ("cleared", "invalid") or not settings:
        assert why.by is not None
        assert LINE in why.by
    else:
        assert why.by is None
    assert (function.info().hits, reasons(function).get(reason)) == (0, None)
    function(1)
    assert reasons(function)[reason] == 1


def test_v4_whoever_clears_is_named_with_the_line(clock: tenure.testing.Clock) -> None:
    function = tenure.cache_resource(tags=lambda key: [f"tenant:{key}"])(pool)
    function()
    tenure.clear_tag("tenant:1")
    clock.advance("3 min")
    text = str(tenure.explain(function))
    assert "pool would be a miss: it was cleared, 3 min ago, by clear_tag() at " in text
    assert repr(tenure.explain(function)) == f"<Explanation: {text}>"


def test_v4_what_a_release_clears_is_ended_by_whoever_had_the_release() -> None:
    inner = tenure.cache_resource(pool)
    outer = tenure.cache_resource(on_release=lambda _: inner.clear())(lambda: [])
    inner()
    outer()
    outer.clear()
    by = tenure.explain(inner).by
    assert by is not None
    assert by.startswith("clear() at ")
    assert LINE in by


def test_v4_an_edit_is_named(tmp_path: Any) -> None:
    script = tmp_path / "app.py"

    def run(text: str) -> dict[str, Any]:
        script.write_text(text)
        space = {"__name__": "__main__", "__file__": str(script)}
        exec(compile(text, str(script), "exec"), space)
        return space

    code = "import tenure\n@tenure.cache_resource\ndef pool():\n    return [{}]\n"
    before = run(code.format(1))
    before["pool"]()
    after = run(code.format(22))
    assert tenure.explain(after["pool"]).reason == "superseded"
    assert "was edited" in str(tenure.explain(after["pool"]))


def test_v4_methods_are_explained_with_their_instance() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        def __tenure_key__(self) -> str:
            return self.name

        @tenure.cache_resource
        def pool(self, size: int) -> list[int]:
            return [size]

    Shop("a").pool(1)
    assert tenure.explain(Shop("a").pool, 1).is_hit
    assert tenure.explain(Shop("a").pool, 2).reason == "absent"
    assert tenure.explain(Shop("b").pool, 1).reason == "absent"
    assert tenure.explain(Shop.pool, Shop("a"), 1).is_hit


def test_v4_in_a_session_it_is_the_sessions_own(host: Any) -> None:
    function = tenure.cache_resource(scope="session")(pool)
    with host.serving("a"):
        function()
        assert tenure.explain(function).is_hit
    with host.serving("b"):
        assert tenure.explain(function).reason == "absent"


def test_v4_nothing_is_made_for_a_scope_that_is_only_asked_about(clock: tenure.testing.Clock) -> None:
    tenant = "a"

    @tenure.cache_resource(scope=lambda: tenant)
    def of_tenant() -> list[int]:
        return []

    of_tenant()
    assert tenure.explain(of_tenant).is_hit
    before = tenure._native._inspect()
    for number in range(100):
        tenant = f"tenant {number}"
        assert tenure.explain(of_tenant).reason == "absent"
    assert tenure._native._inspect() == before


@pytest.mark.parametrize("mode", ["background", "ahead"])
def test_a4_a_refresh_that_has_not_begun_holds_nobody_up(mode: Any, clock: tenure.testing.Clock) -> None:
    function = tenure.cache_resource(ttl=10, refresh_mode=mode, max_stale=60)(pool)
    function(1)
    clock.advance(9.5 if mode == "ahead" else 11)
    function(1)
    function.discard(function.peek(1))
    assert tenure.explain(function, 1).reason == "invalid"
    assert function(1) == [1]  # on this very thread, which alone could move the clock


def test_v4_what_cannot_be_explained_is_refused_with_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"tenure\.explain\(pool, url\)"):
        tenure.explain(pool)
    function = tenure.cache_resource(pool)
    with pytest.raises(TypeError, match="pool"):
        tenure.explain(function, 1, 2)
    with pytest.raises(tenure.UnhashableParamError):
        tenure.explain(function, threading.Lock())


def test_v4_a_function_that_a_test_overrides_says_so() -> None:
    function = tenure.cache_resource(pool)
    before = tenure.explain(function).reason
    with tenure.testing.override(function, [7]):
        assert tenure.explain(function).reason == "overridden"
    assert tenure.explain(function).reason == before


def test_v1_the_figures_are_typed_printed_and_written_as_json(clock: tenure.testing.Clock) -> None:
    @tenure.cache_resource(weight=lambda it: 5)
    def slow(key: int, _takes: Callable[[int], object]) -> list[int]:
        _takes(key)
        return [key]

    kept = [slow(key, clock.advance) for key in (2, 2, 20)]
    info = slow.info()
    assert (info.hits, info.misses, info.entries, info.idle, info.weight) == (1, 2, 2, 0, 10)
    assert (info.build_quantile(0.5), info.build_quantile(1), info.build_times[-1]) == (2.5, 30.0, (math.inf, 2))
    text = str(info)
    assert "hits      1 (33.3 % of calls)" in text
    assert "misses    2 (2 absent)" in text
    assert "builds    2 (half within 2.5 s, 95 % within 30 s)" in text
    told = json.loads(info.to_json())
    assert told["misses_by_reason"]["absent"] == 2
    assert told["build_times"][-1] == [None, 2]
    assert told["ages"] == pytest.approx([20.0, 0.0], abs=0.001)
    del kept
    assert slow.info().idle == 2


class Page:
    """What a notebook hands to an object that is the result of a cell."""

    def __init__(self, it: Any) -> None:
        self.shown = ""
        it._repr_pretty_(self, False)

    def text(self, text: str) -> None:
        self.shown += text


def test_v1_v4_a_notebook_shows_what_print_does() -> None:
    @tenure.cache_resource
    def shown_in_a_cell() -> list[int]:
        return []

    kept = shown_in_a_cell()
    for told in (shown_in_a_cell.info(), tenure.info(), tenure.explain(shown_in_a_cell)):
        assert Page(told).shown == str(told) != repr(told)
    found = tenure.holders(shown_in_a_cell)
    assert Page(found).shown == str(found) == str(found[0]) == Page(found[0]).shown
    del kept


def test_v4_an_argument_that_alone_differs_from_what_is_kept_is_named_and_no_value() -> None:
    @tenure.cache_resource
    def report(shop: str, *cities: str, at: float = 0.0, _log: bool = True, **more: str) -> list[str]:
        return [shop]

    report("north", at=1.0)
    report("north", at=2.0)
    report("south", at=9.0, _log=False)
    why = tenure.explain(report, "north", at=9.0)
    assert list(why.differs.items()) == [("at", 2), ("shop", 1)]
    assert str(why).endswith("; 2 entries differ in `at` alone; 1 entry differs in `shop` alone")
    assert "north" not in str(why)
    assert tenure.explain(report, "south").differs == {"at": 1}
    assert tenure.explain(report, "east").differs == {}
    report("west", "a", "b", unit="m")
    assert tenure.explain(report, "west", "a", "c", unit="m").differs == {"*cities": 1}
    assert tenure.explain(report, "west", "a", "b", unit="km").differs == {"**more": 1}
    assert tenure.explain(report, "west", "a", unit="m").differs == {"*cities": 1}
    assert tenure.explain(report, "west", "a", "b", unit="m").differs == {}
    report.clear("north", at=1.0)
    assert tenure.explain(report, "north", at=1.0).differs == {}


def test_v1_what_is_past_its_time_is_stale_until_it_has_a_successor(clock: tenure.testing.Clock) -> None:
    fails: list[bool] = []

    @tenure.cache_resource(ttl="1 min", max_stale="1 h")
    def rates() -> list[int]:
        if fails:
            raise OSError("no server")
        return []

    rates()
    assert rates.info().stale == 0
    clock.advance(61)
    fails.append(True)
    assert rates.info().stale == 1
    rates()  # Its successor could not be built.
    assert (rates.info().failures, rates.info().stale) == (1, 1)
    fails.clear()
    clock.advance(120)
    rates()
    assert (rates.info().builds, rates.info().stale) == (2, 0)


def test_v1_all_functions_are_a_table_with_a_line_for_each() -> None:
    @tenure.cache_resource
    def line_of_a_table() -> list[int]:
        return []

    line_of_a_table()
    line_of_a_table()
    told = tenure.info()
    mine = [(info.hits, info.misses) for name, info in told.by_function if name.endswith("line_of_a_table")]
    assert mine == [(1, 1)]
    assert sum(info.entries for _, info in told.by_function) == told.entries
    head, *lines = str(told).splitlines()
    assert head.split()[:3] == ["function", "entries", "hits"]
    assert len(lines) == len(told.by_function) == told.functions
    written = json.loads(told.to_json())["functions"]
    assert [it["function"] for it in written] == [name for name, _ in told.by_function]
    assert "_report=" not in repr(told)
