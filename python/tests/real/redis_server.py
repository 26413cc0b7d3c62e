"""A Redis or Valkey server of the test's own, in a temporary folder."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LOST = 60


class Missing(Exception):
    """There is no server here; the text says why."""


class Server:
    """A server that a test may kill, stop, and start again with what it has saved."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise Missing("there is no redis-server on the path (on Debian: apt-get install redis-server)")
        self.folder = folder
        self._program = program
        for _ in range(1 if port else 10):
            self.port = port or free_port()
            self.url = f"redis://127.0.0.1:{self.port}"
            if self._starts():
                return
        raise Missing("the Redis server does not start: its port is taken")

    def run(self) -> None:
        """Starts it once more, with what the folder has, and waits until it answers."""
        if not self._starts():
            raise Missing("the Redis server does not start again")

    def _starts(self) -> bool:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.folder}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen([self._program, *words], stdout=subprocess.DEVNULL)
        until = time.monotonic() + LOST
        while not self.answers():
            # Another test's server may have taken the port since it was looked for.
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                return False
        return True

    def answers(self) -> bool:
        """Whether it answers, and no other server does so in its place."""
        try:
            with self._asked("INFO", "server") as answer:
                size = int(answer.readline()[1:])
                return f"process_id:{self.process.pid}\r\n".encode() in answer.read(size)
        except (OSError, ValueError):
            return False

    def command(self, *words: str) -> bytes:
        """The first line of its answer to a command."""
        with self._asked(*words) as answer:
            return answer.readline().rstrip()

    @contextmanager
    def _asked(self, *words: str) -> Iterator[BinaryIO]:
        packed = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(packed.encode())
            with connection.makefile("rb") as answer:
                yield answer

    def uptime(self) -> int:
        """For how many seconds it has run."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"INFO server\r\nQUIT\r\n")
            with connection.makefile("r") as answer:
                lines = [line for line in answer if line.startswith("uptime_in_seconds:")]
        return int(lines[0].split(":")[1])

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Ends it as a crash does."""
        self.process.kill()
        self.process.wait()


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
        try:
            yield running
        finally:
            running.signal(signal.SIGCONT)
            running.kill()
