"""The app that `server.py` measures: does one case on the peer that `PEER` names, and writes what it took."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Iterable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if os.environ["PEER"] == "tenure":
    from tenure import cache_resource
else:
    cache_resource = st.cache_resource

RESULT = "result"


def shown() -> str:
    """Writes ten elements of as many kinds."""
    st.header("Quarterly figures")
    st.markdown("Orders **rose** in spring, as they do each year.")
    st.success("Loaded 1,347 rows")
    st.metric("Orders", 431, 12)
    st.code("select count(*) from orders", language="sql")
    st.json({"rows": 1347, "columns": ["day", "product", "pence"]})
    st.progress(0.7, "Of the year's plan")
    st.caption("Since January")
    st.text("By product")
    st.divider()
    return RESULT


def plain(name: str) -> str:
    """Writes nothing."""
    return RESULT


def missed(key: int) -> str:
    """Ends at once."""
    return RESULT


with_elements = cache_resource(shown)
without_elements = cache_resource(plain)
with_spinner = cache_resource(missed)


def timed(function: Callable[..., str], arguments: Iterable[tuple]) -> float:
    """The time that the script's thread spent on each of these calls, with the loop around them.

    What else the machine does is not in it.
    """
    turns = list(arguments)
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time()
        for turn in turns:
            assert function(*turn) is RESULT
        return (time.thread_time() - start) / len(turns)
    finally:
        gc.enable()


def counted(act: Callable[[], object]) -> int:
    """How many messages the script sends meanwhile."""
    ctx = get_script_run_ctx()
    send, sent = ctx._enqueue, []
    ctx._enqueue = lambda message: (sent.append(message), send(message))
    try:
        act()
    finally:
        ctx._enqueue = send
    return len(sent)


case, calls, number = (st.query_params[name] for name in ("case", "calls", "number"))
turns = int(calls)
keys = [(int(number) * turns + turn,) for turn in range(turns)]

if case == "elements":
    with_elements()
    figure = timed(with_elements, [()] * turns)
elif case == "plain":
    without_elements("report")
    figure = timed(without_elements, [("report",)] * turns)
elif case == "miss":
    figure = timed(with_spinner, keys)
    with_spinner.clear()
else:
    figure = counted(lambda: [with_spinner(*key) for key in keys]) / turns
    with_spinner.clear()
st.text(json.dumps({"number": number, "figure": figure}))
