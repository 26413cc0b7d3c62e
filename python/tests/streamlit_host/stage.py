"""What a test and the app it runs have in common: the app is run as a script, and reaches this as a module.

`deltas` is what a run put out, in order, in a form that two runs can be compared by.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# Long beyond what any event here takes: a test that waits for it in vain fails, and says where.
PATIENCE = 60

# Streamlit leaves a session's event loop open when its server stops first, and the collector says so at any later time.
LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TESTED = [
    line
    for line in (Path(__file__).parents[1] / "streamlit-versions.txt").read_text().splitlines()
    if not line.startswith("#")
]
"""The versions of Streamlit that are tested, oldest first."""

things: dict[str, Any] = {}
"""Whatever the test under way shares with its apps; emptied after it."""


def wait(event: threading.Event) -> None:
    assert event.wait(PATIENCE), "what was waited for did not happen"


_happened = threading.Condition()


class Log(list[str]):
    """Releases as they happen, so that a test can wait for one."""

    def append(self, what: str) -> None:
        with _happened:
            super().append(what)
            _happened.notify_all()


def build(name: str) -> str:
    """What a cached function of an app returns: named, and numbered over all builds."""
    with _happened:
        what = f"{name} {len(things['built']) + 1}"
        things["built"].append(what)
    return what


def released(count: int) -> list[str]:
    """The first so many releases, once they have happened."""
    with _happened:
        assert _happened.wait_for(lambda: len(things["released"]) >= count, PATIENCE), things["released"]
        return list(things["released"])


class Delta:
    """One change to the page."""

    def __init__(self, message: ForwardMsg) -> None:
        self.path = list(message.metadata.delta_path)
        self.proto = message.delta
        self.kind = self.proto.WhichOneof("type")

    @property
    def what(self) -> str:
        """The element's or the block's own kind: `markdown`, `column`, `spinner`…"""
        if self.kind == "new_element":
            return self.proto.new_element.WhichOneof("type")
        if self.kind == "add_block":
            return self.proto.add_block.WhichOneof("type") or "container"
        return "transient"

    @property
    def spinners(self) -> list[Any]:
        return [element.spinner for element in self.proto.new_transient.elements]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delta) and self.path == other.path and self.proto == other.proto

    def __repr__(self) -> str:
        return f"<{self.what} at {self.path}: {str(self.proto).strip()}>"


def deltas(messages: list[ForwardMsg]) -> list[Delta]:
    return [Delta(message) for message in messages if message.WhichOneof("type") == "delta"]


def finished(messages: list[ForwardMsg]) -> bool:
    return any(message.WhichOneof("type") == "script_finished" for message in messages)


def texts(messages: list[ForwardMsg]) -> list[str]:
    return [delta.proto.new_element.text.body for delta in deltas(messages) if delta.what == "text"]


def elements(found: list[Delta]) -> list[Delta]:
    """What stays on the page: all but the spinners."""
    return [delta for delta in found if delta.kind != "new_transient"]


def files(runtime: Any) -> set[str]:
    """The files that the pages of all sessions show."""
    sessions = runtime.media_file_mgr._files_by_session_and_coord.values()
    return {name for places in sessions for name in places.values()}


class Watched:
    """A host that lets a test see its builds, and hold back or await their spinners.

    `quiet` keeps the engine's own delay out of a test: no spinner is shown but by `builds[i].show()`.
    """

    def __init__(self, host: Any, *, quiet: bool) -> None:
        self.host = host
        self.quiet = quiet
        self.builds: list[Any] = []
        self.shown = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.host, name)

    def begin(self, *args: Any) -> Any:
        return self._watch(self.host.begin(*args))

    def wait(self, *args: Any) -> Any:
        return self._watch(self.host.wait(*args))

    def _watch(self, build: Any) -> Any:
        if build is None:
            return None
        self.builds.append(build)
        return _Watched(build, self)


class _Watched:
    def __init__(self, build: Any, host: Watched) -> None:
        self._build = build
        self._host = host

    def show(self) -> None:
        if not self._host.quiet:
            self._build.show()
            self._host.shown.set()

    def end(self, ok: bool) -> Any:
        return self._build.end(ok)
