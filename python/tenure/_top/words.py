"""Names and times as a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["age", "at_most", "program", "shown"]


def shown(name: str) -> str:
    """A name with its control characters written out: none of them may reach the terminal as such."""
    return "".join(it if it.isprintable() else it.encode("unicode_escape").decode() for it in name)


def program(process: Mapping[str, Any]) -> str:
    """A line about a process."""
    line = f"{shown(process['program'])}  process {process['pid']}, seen for {age(process['uptime'])}"
    line += f", tenure {shown(process['version'])}"
    fleet = process["fleet"]
    if fleet is None:
        return line
    if not fleet["caught_up"]:
        return f"{line}, cut off from its fleet"
    lag = "" if fleet["lag"] is None else f", lag {fleet['lag'] * 1000:.0f} ms"
    return f"{line}, in its fleet{lag}"


def age(seconds: float) -> str:
    """A time in the unit in which it is not long."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def at_most(bound: float | None) -> str:
    """A time that is known by the bound that it is below; `None` is beyond the last of them."""
    if bound is None:
        return "> 5 min"
    if bound < 1:
        return f"≤ {bound * 1000:g} ms"
    return f"≤ {bound:g} s" if bound < 60 else f"≤ {bound / 60:g} min"
