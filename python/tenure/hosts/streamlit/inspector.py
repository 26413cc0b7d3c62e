"""The inspector as a page of a Streamlit app, drawn with Streamlit's own elements.

What is looked at again and again is a fragment, and what is pressed stands outside of it: that stays as it is while
somebody chooses.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import streamlit as st

from tenure import _inspector, _native

__all__ = ["draw"]

EVERY = 2.0
"""How many seconds lie between two looks."""

FLEET_EVERY = 5.0
"""How many seconds lie between two questions to a fleet's server."""

REMEMBERED = 300
"""So many looks are drawn."""

SEEN, COUNTS, CHOICES, SAID = (f"tenure inspector: {what}" for what in ("seen", "counts", "choices", "said"))
"""In a session's state: what it has seen so far, the functions as they were last, what it can choose of, and what its
last end came to."""

Figures = dict[str, Any]


def draw(*, show_arguments: bool, read_only: bool) -> None:
    """Draws the page."""
    for name, value in (("show_arguments", show_arguments), ("read_only", read_only)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {value!r}")
    if show_arguments:
        _native.show_arguments(True)
    st.fragment(partial(_look, show_arguments), run_every=EVERY)()
    # By itself: nothing else waits for a server that does not answer.
    st.fragment(_fleet, run_every=FLEET_EVERY)()
    if not read_only:
        st.fragment(_ends)()


def _look(show_arguments: bool) -> None:
    seen = _inspector.snapshot(show_arguments=show_arguments)
    _total(seen["total"])
    _charts(seen)
    st.subheader("Functions")
    st.dataframe([_function(it) for it in seen["functions"]], hide_index=True, column_config=_columns())
    kept = seen["total"]["entries"]
    shown = len(seen["entries"])
    st.subheader("Entries")
    if shown < kept:
        st.caption(f"{shown} of {kept}: of each function its share")
    entries = [*map(_entry, seen["entries"]), *map(_draining, seen["draining"])]
    st.dataframe(entries, hide_index=True, column_config=_columns())
    _events(seen["events"])
    if seen["sessions"]:
        st.subheader("Sessions and scopes")
        names = ("scope", "entries", "hits", "weight", "oldest")
        sessions = [{"Session": it["owner"], **_titled(it, names)} for it in seen["sessions"]]
        st.dataframe(sessions, hide_index=True, column_config=_columns())


def _total(total: Figures) -> None:
    rate = total["hit_rate"]
    tiles = {
        "Hit rate": "–" if rate is None else f"{rate:.1%}",
        "Entries": total["entries"],
        "In use": total["entries"] - total["idle"],
        "Builds": total["builds"],
        "Failures": total["failures"],
        "Draining": total["draining"],
    }
    with st.container(horizontal=True):
        for name, value in tiles.items():
            st.metric(name, value, width=100)


def _charts(seen: Figures) -> None:
    looks: list[Figures] = st.session_state.setdefault(SEEN, [])
    functions = st.session_state.get(COUNTS, seen["functions"])
    st.session_state[COUNTS] = seen["functions"]
    total = seen["total"]
    since = _inspector.since(functions, seen["functions"])
    looks.append({"at": seen["at"], "entries": total["entries"], "weight": total["weight"], **since})
    del looks[:-REMEMBERED]
    # How things are now, and not since the process began.
    rates = [(it["at"], _part(it["hits"], it["hits"] + it["misses"])) for it in looks[1:]]
    builds = [(it["at"], _part(it["build_time"], it["builds"])) for it in looks[1:]]
    weighs = bool(total["weight"])
    kept = [(it["at"], it["weight" if weighs else "entries"]) for it in looks]
    charts = {"Hit rate": rates, "Build time in seconds": builds, "Weight" if weighs else "Entries": kept}
    for column, (name, points) in zip(st.columns(len(charts)), charts.items(), strict=True):
        column.caption(name)
        known = [{"Time": _time(at), name: value} for at, value in points if value is not None]
        if len(known) > 1:
            column.line_chart(known, x="Time", y=name, height=160, x_label="", y_label="")
        else:
            column.caption("gathering…")


def _part(part: float, whole: float) -> float | None:
    """How much of the whole it is; None where there was nothing."""
    return part / whole if whole else None


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()


def _titled(it: Figures, names: tuple[str, ...]) -> Figures:
    return {name.capitalize(): it[name] for name in names}


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    times = ("Age", "Build time", "Last use", "Oldest", "Lag")
    columns: dict[str, Any] = {name: number(f"{name} (s)", format="%.3f") for name in times}
    columns["Hit rate"] = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
    return columns


def _function(it: Figures) -> Figures:
    return {
        "Function": it["label"],
        "Scope": it["scope"],
        "Entries": it["entries"],
        "Hits": it["hits"],
        "Hit rate": it["hit_rate"],
        "Misses": it["misses"],
        "Builds": it["builds"],
        "Build time": it["build_mean"],
        "Failures": it["failures"],
        "In use": it["entries"] - it["idle"],
        "Stale": it["stale"],
        "Draining": it["draining"],
        "Waiting": it["waiting"],
        "Weight": it["weight"],
    }


def _entry(it: Figures) -> Figures:
    arguments = {"Arguments": it["arguments"]} if "arguments" in it else {}
    return {
        "Function": it["label"],
        **arguments,
        "State": "stale" if it["is_stale"] else "live",
        "Scope": it["scope"],
        "Session": it["owner"],
        "Age": it["age"],
        "Hits": it["hits"],
        "Build time": it["build_time"],
        "Last use": it["unused"],
        "In use": it["in_use"],
        "Weight": it["weight"],
        "Entry": it["number"],
    }


def _draining(it: Figures) -> Figures:
    return {
        "Function": it["label"],
        "State": "draining",
        "Age": it["age"],
        "In use": True,
        "Weight": it["weight"],
        "Entry": it["number"],
    }


def _events(events: list[Figures]) -> None:
    st.subheader("Builds and releases")
    if not events:
        st.caption("Nothing has happened")
        return
    told = [
        {"Time": _time(it["at"]), "Function": it["label"], "What": (it["cause"] or it["what"]).replace("_", " ")}
        for it in events
    ]
    st.scatter_chart(told, x="Time", y="Function", color="What", x_label="", y_label="", height=240)


def _fleet() -> None:
    fleet = _inspector.fleet()
    if fleet is None:
        return
    st.subheader("Fleet")
    if fleet["error"]:
        st.caption(fleet["error"])
        return
    names = ("host", "pid", "functions", "entries", "hits", "builds", "behind", "lag")
    members = [{"Member": it["id"][:8], **_titled(it, names)} for it in fleet["members"]]
    st.dataframe(members, hide_index=True, column_config=_columns())


def _ends() -> None:
    st.subheader("Clear and expire")
    what = str(st.selectbox("What", list(_KINDS), key="tenure inspector: what"))
    meant: tuple[str, str | None] | None = ("everything that is kept", None)
    if _KINDS[what] != "all":
        key = f"tenure inspector: {what}"
        there: dict[str, dict[str, str]] = st.session_state.setdefault(CHOICES, {})
        # A list that changed would take back what somebody has just chosen of it.
        if st.session_state.get(key) is None or what not in there:
            there[what] = _choices(_KINDS[what])
        chosen = st.selectbox("Which", list(there[what]), None, key=key)
        meant = (chosen, there[what][chosen]) if chosen in there[what] else None
    row = st.container(horizontal=True)
    for how in _SAYS:
        with row.popover(how, disabled=meant is None, width="content"):
            if meant is not None:
                name, number = meant
                # As text: a name may have anything in it.
                st.text(f"{how} {name}? {_SAYS[how]}")
                st.button(
                    f"Yes, {how.lower()}", key=f"tenure inspector: {how}", on_click=_end, args=(what, how, number)
                )
    said = st.session_state.pop(SAID, None)
    if said is not None:
        st.caption(said)


def _end(what: str, how: str, number: str | None) -> None:
    ended = _inspector.end(_inspector.End(_KINDS[what], how.lower(), number))
    st.session_state[SAID] = "Done." if ended else "It had ended already."
    if number is not None:
        st.session_state[f"tenure inspector: {what}"] = None


_KINDS = {"An entry": "entry", "A function": "function", "All": "all"}

_SAYS = {
    "Clear": "It is released once nobody uses it, and the next call builds anew.",
    "Expire": "It is handed out no longer than max_stale allows.",
}


def _choices(kind: str) -> dict[str, str]:
    """The numbers of what can be chosen by its text, which is a function's label, and the number of an entry too."""
    seen = _inspector.snapshot()
    if kind == "function":
        return {it["label"]: it["number"] for it in seen["functions"]}
    return {f"{it['label']}, entry {it['number']}": it["number"] for it in seen["entries"]}
