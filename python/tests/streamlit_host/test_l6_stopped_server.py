"""L6 under a server: a real `streamlit run` with live sessions is stopped, and its resources write that all of them
were released."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tabs import PATIENCE, Tab, free_port

pytestmark = [
    pytest.mark.streamlit,
    pytest.mark.skipif(os.name != "posix", reason="sends signals"),
]

APP = """
import os
import streamlit as st
{front}

def note(*what):
    with open({log!r}, "a") as log:
        log.write(" ".join(map(str, what)) + "\\n")

@cache_resource(on_release=lambda it: note("released", it))
def everyones(name):
    note("built", name)
    return name

@cache_resource(scope="session", on_release=lambda it: note("released", it))
def of_session():
    name = f"session-{{os.urandom(4).hex()}}"
    note("built", name)
    return name

everyones("first")
of_session()
everyones("last")
note("ran", "script")
"""

FRONTS = {
    "streamlit": "from tenure import cache_resource",
    "tenure": "cache_resource = st.cache_resource",
}


class App:
    """A server under way, with what its resources wrote."""

    def __init__(self, folder: Path, module: str, sessions: int) -> None:
        self.log = folder / "log"
        self.log.touch()
        app = folder / "app.py"
        app.write_text(APP.format(front=FRONTS[module], log=str(self.log)))
        port = free_port()
        command = [sys.executable, "-m", module, "run", str(app), "--server.port", str(port)]
        command += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
        command += ["--server.fileWatcherType", "none", "--server.address", "127.0.0.1"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.tabs = ExitStack()
        try:
            self.await_serving()
            for _ in range(sessions):
                self.tabs.enter_context(Tab(port))
            # Not until all is built: what a function notes it notes before it has returned.
            self.await_noted("ran", sessions)
        except BaseException:
            self.kill()
            raise

    def await_serving(self) -> None:
        """It says where it can be reached once it can."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "URL:" in line:
                return
        raise AssertionError(f"the server ended: {self.process.returncode}")

    def await_noted(self, what: str, count: int) -> None:
        turn = threading.Event()
        for _ in range(int(PATIENCE / 0.01)):
            if len(self.names(what)) >= count:
                return
            assert self.process.poll() is None, self.process.communicate()[0]
            turn.wait(0.01)
        raise AssertionError(self.log.read_text())

    def names(self, what: str) -> list[str]:
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [name for kind, name in lines if kind == what]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.output, _ = self.process.communicate(timeout=PATIENCE)
        assert self.output is not None
        return self.process.returncode

    def kill(self) -> None:
        self.tabs.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture(params=list(FRONTS))
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path, request.param, sessions=3)
    yield app
    app.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP] if os.name == "posix" else [])
def test_l6_a_stopped_server_releases_everything(app: App, number: signal.Signals) -> None:
    status = app.end(number)
    built, released = app.names("built"), app.names("released")
    assert sorted(built) == sorted(released), app.output
    assert len(set(released)) == len(released)
    # What is everyone's goes after what was built with it and later.
    assert released.index("last") < released.index("first")
    assert "Traceback" not in app.output
    # Streamlit handles the first two itself, and ends in its own way; nobody handles the last.
    assert status == (-number if number == signal.SIGHUP else 0)
