"""H1: Tenure finds a Streamlit app by itself, and runs without Streamlit where there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import stage
from streamlit.runtime import caching

from tenure import _native
from tenure.hosts import streamlit as adapter

pytestmark = pytest.mark.streamlit


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error::UserWarning", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=stage.PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_h1_an_app_is_found_by_the_first_miss(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        from tenure import cache_resource

        @cache_resource(scope="session")
        def connect():
            st.text("connected")
            return object()

        connect()

    _native.set_host(None)
    page = app(script)
    page.run()
    page.fine()
    assert _native.get_host() is adapter.attach()
    page.run()
    assert page.texts() == ["connected"]


def test_h1_without_streamlit_the_same_code_runs() -> None:
    """Streamlit is neither needed nor imported."""
    code = """
import sys
sys.modules["streamlit"] = None
from tenure import cache_resource

@cache_resource(show_spinner="Loading", show_time=True)
def load(path):
    return [path]

assert load("a") is load("a")
print(load.info().builds, [name for name in sys.modules if name.startswith("streamlit.")])
"""
    assert _python(code) == "1 []\n"


def test_h1_a_bare_script_with_streamlit_runs() -> None:
    """`python app.py`: Streamlit is there, and no session."""
    code = """
import logging, streamlit as st, tenure
logging.disable(logging.CRITICAL)

@tenure.cache_resource
def load():
    st.text("said")
    return object()

@tenure.cache_resource(scope="session")
def connect():
    return object()

assert load() is load()
try:
    connect()
except tenure.ScopeError as error:
    print(error)
"""
    assert "session" in _python(code)


def test_h1_attaching_is_done_once_by_however_many_threads() -> None:
    adapter.detach()
    original = caching.save_element_message
    ready = threading.Barrier(8)
    found: list[object] = []

    def look() -> None:
        ready.wait(stage.PATIENCE)
        found.append(adapter.find())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(stage.PATIENCE)
    assert found == [adapter.attach()] * 8
    adapter.detach()
    assert caching.save_element_message is original, "wrapped more than once"
