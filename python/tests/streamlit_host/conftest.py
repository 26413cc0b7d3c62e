"""Apps under test: in Streamlit's own harness, and on a real runtime with sessions that connect and disconnect."""

from __future__ import annotations

import textwrap
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stage
from live import Live
from streamlit.runtime import Runtime, caching
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

import tenure.streamlit
from tenure import _native
from tenure.hosts import streamlit as adapter

pytestmark = pytest.mark.streamlit


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Nothing that a test caches, sets or installs meets the next one."""
    yield
    tenure.streamlit.uninstall()
    _native.clear_all()
    caching.cache_data.clear()
    caching.cache_resource.clear()
    _native.set_host(adapter.attach())
    stage.things.clear()


class App:
    """An AppTest that also gives the messages of its last run, and the names of the files that its page shows."""

    runner: LocalScriptRunner

    def __init__(self, test: AppTest) -> None:
        self.test = test
        self.sent: list[list[Any]] = []
        self.files: set[str] = set()

    def run(self, step: Callable[[AppTest], Any] | None = None) -> list[stage.Delta]:
        """Runs the app, or the widget step that is given, and returns what the run put out."""
        if step is None:
            self.test.run(timeout=stage.PATIENCE)
        else:
            step(self.test).run(timeout=stage.PATIENCE)
        return stage.deltas(self.sent[-1])

    def sent_so_far(self) -> list[Any]:
        """The messages of the run under way; for what the app calls while it runs."""
        return list(self.runner.forward_msgs())

    def texts(self) -> list[str]:
        return [text.value for text in self.test.text]

    def fine(self) -> None:
        assert not self.test.exception, self.test.exception[0].message


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., App]:
    """Makes an App of a script, or of a function whose body is one; what else is given reaches that by keyword."""
    run = LocalScriptRunner.run

    def watched(self: LocalScriptRunner, *args: Any, **options: Any) -> Any:
        page = made[id(self._session_state._state)]
        page.runner = self
        tree = run(self, *args, **options)
        page.sent.append(list(self.forward_msgs()))
        page.files = stage.files(Runtime.instance())
        return tree

    def make(script: Callable[..., Any] | str, **kwargs: Any) -> App:
        if isinstance(script, str):
            test = AppTest.from_string(script, default_timeout=stage.PATIENCE)
        else:
            test = AppTest.from_function(script, kwargs=kwargs, default_timeout=stage.PATIENCE)
        page = App(test)
        made[id(_state(test))] = page
        return page

    made: weakref.WeakValueDictionary[int, App] = weakref.WeakValueDictionary()
    monkeypatch.setattr(LocalScriptRunner, "run", watched)
    return make


def _state(test: AppTest) -> Any:
    safe = getattr(test, "_session_state", None) or test.session_state
    return safe._state


@pytest.fixture
def quiet() -> stage.Watched:
    """The host with its spinners in the test's hands."""
    watched = stage.Watched(adapter.attach(), quiet=True)
    _native.set_host(watched)
    return watched


@pytest.fixture
def watched() -> stage.Watched:
    """The host as it is, with its builds in the test's sight."""
    seen = stage.Watched(adapter.attach(), quiet=False)
    _native.set_host(seen)
    return seen


@pytest.fixture
def live(tmp_path: Any) -> Iterator[Callable[[str], Live]]:
    """Starts a Streamlit runtime for a script, and stops it after the test."""
    servers: list[Live] = []

    def start(script: str) -> Live:
        path = tmp_path / "app.py"
        path.write_text(textwrap.dedent(script))
        servers.append(Live(str(path)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
