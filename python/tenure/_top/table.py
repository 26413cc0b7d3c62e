"""The figures of a process as a table, and the orders that it can be in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tenure._top.words import age, at_most, program, shown

__all__ = ["ORDERS", "rates", "view"]

Function = Mapping[str, Any]

ORDERS: dict[str, Callable[[Function], Any]] = {
    "hits/s": lambda it: -(it["rate"] or 0),
    "hit rate": lambda it: -_hit_rate(it),
    "misses": lambda it: -it["misses"],
    "builds": lambda it: -it["builds"],
    "failures": lambda it: -it["failures"],
    "entries": lambda it: -it["entries"],
    "weight": lambda it: -it["weight"],
    "oldest": lambda it: -max(it["ages"], default=0),
    "function": lambda it: it["function"],
}
"""What the lines can be sorted by, each with what is least for the first one."""


def rates(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The functions as they are now, each with its hits per second since the look before; `None` where it is new."""
    hits: dict[tuple[str, int], int] = {key: it["hits"] for key, it in _told_apart(before)}
    seconds: float = now["uptime"] - before["uptime"]

    def rate(key: tuple[str, int], function: Function) -> float | None:
        if key not in hits or seconds <= 0:
            return None
        return max(0.0, (int(function["hits"]) - hits[key]) / seconds)

    return [{**it, "rate": rate(key, it)} for key, it in _told_apart(now)]


def _told_apart(process: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int], Function]]:
    """The functions by their names, and by their places among those of one name."""
    seen: Counter[str] = Counter()
    for function in process["functions"]:
        name = function["function"]
        seen[name] += 1
        yield (name, seen[name]), function


def view(process: Mapping[str, Any], functions: list[dict[str, Any]], order: str, *, keys: bool) -> Group:
    """All that is on the screen."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(_head("function", order), no_wrap=True)
    for name in ("entries", "idle", "stale", "hits/s", "hit rate", "misses"):
        table.add_column(_head(name, order), justify="right", no_wrap=True)
    table.add_column("by reason", overflow="fold")
    for name in ("builds", "median", "95 %", "failures", "weight", "oldest"):
        table.add_column(_head(name, order), justify="right", no_wrap=True)
    for function in sorted(functions, key=ORDERS[order]):
        table.add_row(*map(Text, _cells(function)))
    parts = [Text(program(process), style="bold"), table]
    if keys:
        parts.append(Text(f"s  sort by the next figure, now {order}    q  quit", style="dim"))
    return Group(*parts)


def _head(name: str, order: str) -> Text:
    return Text(f"{name} ▼" if name == order else name)


def _cells(it: Function) -> list[str]:
    calls = it["hits"] + it["misses"]
    reasons = (f"{number} {reason}" for reason, number in it["misses_by_reason"].items() if number)
    return [
        shown(it["function"]),
        str(it["entries"]),
        str(it["idle"]),
        str(it["stale"]),
        "–" if it["rate"] is None else f"{it['rate']:.1f}",
        f"{_hit_rate(it):.1%}".replace("%", " %") if calls else "–",
        str(it["misses"]),
        ", ".join(reasons),
        str(it["builds"]),
        at_most(it["build_median"]) if it["builds"] else "–",
        at_most(it["build_95"]) if it["builds"] else "–",
        str(it["failures"]),
        str(it["weight"]),
        age(max(it["ages"])) if it["ages"] else "–",
    ]


def _hit_rate(it: Function) -> float:
    return float(it["hits"] / max(it["hits"] + it["misses"], 1))
