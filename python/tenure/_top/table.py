"""The figures of a process as a table, and the orders that it can be in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tenure._top.words import age, at_most, program, shown

__all__ = ["ORDERS", "WIDEST", "rates", "view"]

Function = Mapping[str, Any]

ORDERS: dict[str, Callable[[Function], Any]] = {
    "hits/s": lambda it: -(it["rate"] or 0),
    "hit rate": lambda it: -(it["hit_rate"] or 0),
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


def view(console: Console, process: Mapping[str, Any], functions: list[dict[str, Any]], order: str) -> Group:
    """A line about the process, and as much of the table as the console has room for."""
    lines = sorted(functions, key=ORDERS[order])[: _room(console)]
    for number in range(len(FIRST_TO_GO) + 1):
        table = _table(lines, order, FIRST_TO_GO[:number])
        if Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum <= console.width:
            break
    parts = [Text(program(process), style="bold", no_wrap=True), table]
    if console.is_terminal:
        keys = f"s  sort by the next figure, now {order}    q  quit    {len(lines)} of {len(functions)} functions"
        parts.append(Text(keys, style="dim", no_wrap=True))
    return Group(*parts)


def _room(console: Console) -> int | None:
    """So many functions fit between the other lines; what is no terminal has room for all."""
    return max(console.height - OTHER_LINES, 1) if console.is_terminal else None


def _table(functions: list[dict[str, Any]], order: str, without: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    columns = {name: cell for name, cell in COLUMNS.items() if name not in without}
    for name in columns:
        head = Text(f"{name} ▼" if name == order else name)
        table.add_column(head, justify="left" if name in TEXTS else "right", no_wrap=True)
    for function in functions:
        table.add_row(*(Text(cell(function)) for cell in columns.values()))
    return table


def _reasons(it: Function) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in it["misses_by_reason"].items() if number)


COLUMNS: dict[str, Callable[[Function], str]] = {
    "function": lambda it: shown(it["function"]),
    "entries": lambda it: str(it["entries"]),
    "idle": lambda it: str(it["idle"]),
    "stale": lambda it: str(it["stale"]),
    "hits/s": lambda it: "–" if it["rate"] is None else f"{it['rate']:.1f}",
    "hit rate": lambda it: "–" if it["hit_rate"] is None else f"{100 * it['hit_rate']:.1f} %",
    "misses": lambda it: str(it["misses"]),
    "by reason": _reasons,
    "builds": lambda it: str(it["builds"]),
    "median": lambda it: at_most(it["build_median"]) if it["builds"] else "–",
    "95 %": lambda it: at_most(it["build_95"]) if it["builds"] else "–",
    "failures": lambda it: str(it["failures"]),
    "weight": lambda it: str(it["weight"]),
    "oldest": lambda it: age(max(it["ages"])) if it["ages"] else "–",
}

TEXTS = ("function", "by reason")

FIRST_TO_GO = ("by reason", "idle", "stale", "weight", "oldest", "median", "builds", "misses", "95 %", "failures")
"""What a narrow terminal has no room for, in this order."""

OTHER_LINES = 6
"""The line about the process, the head of the table with what is around it, and the line about the keys."""

WIDEST = 10_000
"""No table is wider."""
