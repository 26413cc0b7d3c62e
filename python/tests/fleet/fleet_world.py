"""Members of a fleet, each a process that does as it is told, and the numbers that they build from."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis_server import Server

from world import LOST

HERE = Path(__file__).parent
SECRET = "a secret that all members share"
KEYS = 8


class Member:
    """A process of the fleet."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, HERE / "member.py", folder],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid

    def begin(self, do: str, *args: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([do, *args]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the member has gone"
        return json.loads(line)

    def do(self, do: str, *args: Any) -> Any:
        self.begin(do, *args)
        return self.answer()

    def get(self, key: int) -> int:
        number: int = self.do("get", key)
        return number

    def close(self) -> None:
        try:
            self.process.communicate(timeout=LOST)
        finally:
            self.process.kill()
        assert self.process.returncode == 0


class Line:
    """A way to the server that can be cut in two without either end noticing: what comes later has another."""

    def __init__(self, port: int) -> None:
        self.there = ("127.0.0.1", port)
        self.listens = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listens.getsockname()[1]}"
        self.is_dead = [False]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.listens.accept()
            except OSError:
                return
            far = socket.create_connection(self.there)
            for reads, writes in ((near, far), (far, near)):
                threading.Thread(target=self.pass_on, args=(reads, writes, self.is_dead), daemon=True).start()

    @staticmethod
    def pass_on(reads: socket.socket, writes: socket.socket, is_dead: list[bool]) -> None:
        with reads, contextlib.suppress(OSError):
            while some := reads.recv(65536):
                if not is_dead[0]:
                    writes.sendall(some)
            writes.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Nothing that is sent on the connections there are arrives any more."""
        dead, self.is_dead = self.is_dead, [False]
        dead[0] = True


class World:
    """The numbers that members build from, their server, and the members."""

    def __init__(self, folder: Path, server: Server | None) -> None:
        self.folder, self.server = folder, server
        path = folder / "numbers"
        path.write_bytes(bytes(8 * KEYS))
        self.file = path.open("r+b")
        self.numbers = mmap.mmap(self.file.fileno(), 0)
        self.members: list[Member] = []

    def number(self, key: int) -> int:
        return int.from_bytes(self.numbers[8 * key : 8 * key + 8], "little")

    def change(self, key: int) -> int:
        """What is built from now on is a greater number."""
        number = self.number(key) + 1
        self.numbers[8 * key : 8 * key + 8] = number.to_bytes(8, "little")
        return number

    def join(self, count: int = 1, **env: str) -> list[Member]:
        url = self.server.url if self.server else "redis://127.0.0.1:1"
        env = {"TENURE_FLEET": url, "TENURE_FLEET_SECRET": SECRET, **env}
        members = [Member(self.folder, env) for _ in range(count)]
        self.members += members
        for member in members:
            if self.server is not None:
                await_true(lambda member=member: member.do("joined"), "a member has joined")
        return members

    def all_serve(self, key: int, number: int) -> None:
        for member in self.members:
            await_true(lambda member=member: member.get(key) >= number, f"a member serves {number} of key {key}")

    def close(self) -> None:
        for member in self.members:
            member.close()
        self.numbers.close()
        self.file.close()


def await_true(is_true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LOST
    while not is_true():
        assert time.monotonic() < until, f"it never came that {what}"
