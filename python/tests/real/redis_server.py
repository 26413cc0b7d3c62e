"""A Redis or Valkey server of the test's own, in a temporary folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOST = 60


class Missing(Exception):
    """There is no server here; the text says why."""


class Server:
    """The server as a process that a test stops and starts again at the same address."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise Missing("there is no Redis or Valkey (on Debian: apt-get install redis-server)")
        self._program = found
        self._folder = folder
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it with what the folder has, and waits until it answers."""
        self.process = subprocess.Popen(
            [
                self._program,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                *("--save", "", "--appendonly", "no", "--logfile", str(self._folder / "log")),
            ]
        )
        until = time.monotonic() + LOST
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise Missing(f"the server did not start: {(self._folder / 'log').read_text()}")
            time.sleep(0.01)

    def answers(self) -> bool:
        """Whether it answers a ping."""
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False

    def ask(self, *words: str) -> str:
        """The first line of the server's answer to a command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LOST) as link:
            link.sendall((" ".join(words) + "\r\n").encode())
            return link.makefile().readline().rstrip()

    def kill(self) -> None:
        """Ends it as a crash does; nothing of what it had is kept."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(LOST)
            self.process = None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def server(port: int | None = None) -> Iterator[Server]:
    """Runs a server on this port, or on a free one."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        running = Server(Path(folder), port)
        running.start()
        try:
            yield running
        finally:
            running.kill()
