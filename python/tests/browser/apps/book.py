"""What the small apps of the browser tests tell the test, and the gate at which their builds wait.

There is no state in this module: an edit of an app has Streamlit load it anew.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from types import SimpleNamespace
from typing import Any

import streamlit as st


def note(event: str, **about: Any) -> None:
    """Tell the test what happened."""
    line = json.dumps({"event": event, "at": time.time(), **about}) + "\n"
    with open(os.environ["BOOK"], "ab", buffering=0) as pipe:
        pipe.write(line.encode())


def built(kind: str, **about: Any) -> SimpleNamespace:
    """A new object with a name of its own; the test hears of it."""
    name = f"{kind} {secrets.token_hex(4)}"
    note("built", kind=kind, name=name)
    return SimpleNamespace(kind=kind, name=name, **about)


def released(thing: SimpleNamespace) -> None:
    """Tell the test that an object is released."""
    note("released", kind=thing.kind, name=thing.name)


def wait_at_gate(kind: str) -> None:
    """Wait until the test opens the gate."""
    note("waits", kind=kind)
    with open(os.environ["GATE"], "rb", buffering=0) as pipe:
        pipe.read(1)


def tell(name: str, value: object) -> None:
    """Write a line for the test on the page."""
    st.text(f"{name}: {value}")


def end_of_run() -> None:
    """The last line of each page: how often the script has run in this session."""
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.text(f"run {st.session_state['runs']}")
