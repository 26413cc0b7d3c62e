"""A real marimo server, and those who have a notebook of it open, as a browser has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from ports import free_port
from world import LOST, until


class Server:
    """`marimo run` or `marimo edit` in a folder, and what the resources of its notebook have noted."""

    def __init__(self, folder: Path, notebook: str, mode: str, *options: str) -> None:
        self.mode = mode
        self.file = folder / "app.py"
        self.file.write_text(notebook)
        self._notes = folder / "notes"
        self._notes.touch()
        self._said = folder / "said"
        self.port = free_port()
        command = [
            sys.executable,
            "-m",
            "marimo",
            "-y",
            mode,
            "app.py",
            "--headless",
            "--no-token",
            "--no-skew-protection",
        ]
        env = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder)}
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port), *options],
                cwd=folder,
                env=env,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        until(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.said()
        try:
            return bool(self.post("/health", None))
        except OSError:
            return False

    def said(self) -> str:
        return self._said.read_text()

    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines()

    def await_note(self, note: str, times: int = 1) -> None:
        until(lambda: self.notes().count(note) >= times)

    def post(self, path: str, content: Any, session: str = "") -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if content is None else json.dumps(content).encode(),
            {"Content-Type": "application/json", "Marimo-Session-Id": session},
        )
        with urllib.request.urlopen(request, timeout=LOST) as response:
            body: bytes = response.read()
            return body

    @contextmanager
    def open(self, session: str) -> Iterator[Tab]:
        with connect(f"ws://127.0.0.1:{self.port}/ws?session_id={session}", max_size=None) as socket:
            yield Tab(self, session, socket)

    def stop(self) -> None:
        """Stops it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(LOST) == 0, self.said()


class Tab:
    """A tab in which somebody has the notebook open."""

    def __init__(self, server: Server, session: str, socket: Any) -> None:
        self._server, self._session, self._socket = server, session, socket
        self.cells: dict[str, str] = {}
        """The ids of the cells, by their names."""
        self.shown: dict[str, str] = {}
        """The output of each cell, by its id."""
        self.codes: dict[str, str] = {}
        ready = self._hear("kernel-ready")
        self.cells = dict(zip(ready["names"], ready["cell_ids"], strict=True))
        self.codes = dict(zip(ready["names"], ready["codes"], strict=True))
        if server.mode == "edit":
            server.post("/api/kernel/instantiate", {"objectIds": [], "values": [], "autoRun": True}, session)
        self._hear("completed-run")

    def _hear(self, kind: str) -> Any:
        while True:
            message = json.loads(self._socket.recv(LOST))
            data = message.get("data", {})
            if message["op"] == "cell-op" and data.get("output"):
                self.shown[data["cell_id"]] = str(data["output"]["data"])
            if message["op"] == kind:
                return data

    def run(self, **cells: str) -> None:
        """Runs these cells with this code, and what depends on them."""
        self.begin(**cells)
        self.ended()

    def begin(self, **cells: str) -> None:
        self.codes |= cells
        content = {"cellIds": [self.cells[name] for name in cells], "codes": list(cells.values())}
        self._server.post("/api/kernel/run", content, self._session)

    def ended(self) -> None:
        self._hear("completed-run")

    def set(self, element: str, value: Any) -> None:
        """Moves a control."""
        content = {"objectIds": [element], "values": [value]}
        self._server.post("/api/kernel/set_ui_element_value", content, self._session)
        self._hear("completed-run")

    def ask(self, path: str) -> None:
        self._server.post(f"/api/kernel/{path}", {}, self._session)

    def shows(self, name: str) -> str:
        return self.shown.get(self.cells[name], "")


@contextmanager
def serving(folder: Path, notebook: str, mode: str, *options: str) -> Iterator[Server]:
    server = Server(folder, notebook, mode, *options)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
