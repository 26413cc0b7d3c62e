"""What an inspector shows of this process, as plain data, and the ends that it asks for.

`page` shows it to browsers, and the Streamlit host to Streamlit's. A key is never in it, nor a session's own id.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tenure import _native
from tenure._info import info

__all__ = ["AT_MOST", "End", "end", "fleet", "since", "snapshot"]

AT_MOST = 1000
"""So many entries are shown: of each function its share."""

FLEET_TIMEOUT = 1.0
"""How many seconds a fleet's server is waited for."""

COUNTED = ("hits", "misses", "builds", "build_time")
"""The figures of functions that only grow."""


class Unclear(ValueError):
    """What is to end was not said; the text says how it is."""


class End:
    """What is to end, and how; checked, since it may come from a browser."""

    def __init__(self, what: object, how: object, number: object = None) -> None:
        if what not in ("entry", "function", "all") or how not in ("clear", "expire"):
            raise Unclear('what must be "entry", "function" or "all", and how must be "clear" or "expire"')
        if what != "all" and not (
            isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 20
        ):
            raise Unclear('number must be a string, as data gives it for each entry and function: "number": "7", say')
        self.what, self.how, self.number = what, str(how), int(str(number or 0))


def end(meant: End) -> bool:
    """Ends what is meant. Whether it was still there."""
    if meant.what == "entry":
        return _native.end_entry(meant.number, meant.how)
    if meant.what == "function":
        return _native.end_entries(meant.number, meant.how)
    return _native.end_all(meant.how)


def snapshot(*, at_most: int = AT_MOST, show_arguments: bool = False) -> dict[str, Any]:
    """What this process keeps now: functions, entries, sessions, what drains, and what has happened last."""
    now = time.time()
    seen: dict[str, Any] = json.loads(_native.listing(at_most, show_arguments))
    functions = seen["functions"]
    labels = _label(functions)
    scopes = {it["number"]: it["scope"] for it in functions}
    for entry in seen["entries"]:
        entry["label"], entry["scope"] = labels[entry["function"]], scopes[entry["function"]]
    for drains in seen["draining"]:
        drains["label"] = labels.get(drains["function"], "a function that is gone")
    for event in seen["events"]:
        event["label"] = labels.get(event["function"], event["name"])
        event["at"] = now - event["ago"]
    return {
        "at": now,
        "host": platform.node(),
        "pid": os.getpid(),
        "sessions": _sessions(seen["entries"]),
        **seen,
    }


def since(before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What the functions of a snapshot have counted since another one, all together.

    The sums of two snapshots do not tell: what a function has counted that has gone, by an edit say, is missing in the
    later one.
    """
    then = {it["number"]: it for it in before}
    new = dict.fromkeys(COUNTED, 0)
    pairs = [(then.get(it["number"], new), it) for it in now]
    return {name: sum(other[name] - one[name] for one, other in pairs) for name in COUNTED}


def fleet(timeout: float = FLEET_TIMEOUT) -> dict[str, Any] | None:
    """The members of the fleet as its server tells of them; None outside of one."""
    try:
        told = info(fleet=True, timeout=timeout)
    except RuntimeError:
        return None
    except ConnectionError as error:
        return {"error": str(error), "members": []}
    members = [dict(vars(member)) for member in told.members]
    return {"error": None, "lag": told.lag, "members": members}


def _label(functions: list[dict[str, Any]]) -> dict[str, str]:
    """Names each function, those of one name with their numbers too, and gives the labels by number."""
    many = Counter(it["name"] for it in functions)
    for function in functions:
        name, number = function["name"], function["number"]
        function["label"] = f"{name} #{number}" if many[name] > 1 else name
    return {it["number"]: it["label"] for it in functions}


def _sessions(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that entries are kept for, by their digests: sessions, and scopes of other kinds."""
    sessions: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["owner"] is not None:
            new = {
                "owner": entry["owner"],
                "scope": entry["scope"],
                "entries": 0,
                "hits": 0,
                "weight": 0,
                "oldest": 0.0,
            }
            session = sessions.setdefault(entry["owner"], new)
            session["entries"] += 1
            session["hits"] += entry["hits"]
            session["weight"] += entry["weight"]
            session["oldest"] = max(session["oldest"], entry["age"])
    return sorted(sessions.values(), key=lambda it: -it["oldest"])
