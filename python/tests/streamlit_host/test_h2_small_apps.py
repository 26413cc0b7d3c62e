"""H2: small apps as their authors write them show the same on Streamlit and, unchanged, on Tenure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stage
from streamlit.testing.v1 import AppTest

import tenure.streamlit
from tenure import _native
from tenure.hosts import streamlit as adapter

pytestmark = pytest.mark.streamlit

Step = Callable[[AppTest], Any]

STEPS: dict[str, list[Step]] = {
    "chat": [lambda at: at.chat_input[0].set_value("Hello"), lambda at: at.chat_input[0].set_value("again")],
    "clearing": [
        lambda at: at.radio[0].set_value(5),
        lambda at: at.button[0].click(),
        lambda at: at.radio[0].set_value(3),
        lambda at: at.button[1].click(),
        lambda at: at.button[2].click(),
    ],
    "connection": [lambda at: at.toggle[0].set_value(True), lambda at: at.toggle[0].set_value(False)],
    "database": [lambda at: at.selectbox[0].set_value("John")],
    "errors": [lambda at: at.checkbox[0].uncheck(), lambda at: at.checkbox[0].check()],
    "fragments": [lambda at: at.button[0].click(), lambda at: at.button[0].click(), lambda at: at.button[1].click()],
    "methods": [
        lambda at: at.text_input[0].set_value("db.example"),
        lambda at: at.text_input[0].set_value("localhost"),
    ],
    "model": [
        lambda at: at.slider[0].set_value(7),
        lambda at: at.button[0].click(),
        lambda at: at.selectbox[0].set_value("large"),
    ],
    "replayed": [lambda at: at.checkbox[0].check(), lambda at: at.checkbox[0].uncheck()],
    "sessions": [
        lambda at: (at.text_input[0].set_value("tea"), at.button[0].click())[1],
        lambda at: (at.text_input[0].set_value("cup"), at.button[0].click())[1],
    ],
}
"""What a user does, by app; the page runs again after each step, and once more with nothing done."""

APPS = {path.stem: path for path in (Path(__file__).parent / "small_apps").glob("*.py")}


def _shown(app: Callable[..., Any], name: str) -> list[tuple[list[stage.Delta], set[str]]]:
    """What each run of the app puts out, and the files that its page then shows."""
    page = app(APPS[name].read_text())
    shown = []
    for step in [None, None, *STEPS[name], None]:
        run = stage.elements(page.run(step))
        page.fine()
        shown.append((run, page.files))
    return shown


def test_h2_every_small_app_is_used() -> None:
    assert APPS.keys() == STEPS.keys()


@pytest.mark.parametrize("name", APPS)
def test_h2_a_small_app_shows_the_same(app: Callable[..., Any], name: str) -> None:
    """H2, H10: at each run, whatever the user does."""
    adapter.detach()
    _native.set_host(None)
    expected = _shown(app, name)
    assert all(run for run, _ in expected)
    tenure.streamlit.install()
    got = _shown(app, name)
    for turn, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
        assert ours == theirs, f"run {turn}"
