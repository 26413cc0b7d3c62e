"""C6 under `gunicorn -k gevent`: requests that share builds, a SIGTERM among them, and nothing lost."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from running import needs

from world import LOST, Job, together, until

pytestmark = [needs("gunicorn", "gevent"), pytest.mark.skipif(os.name != "posix", reason="a server for POSIX")]

APP = """
import os, random
import gevent, tenure

log = os.open(os.environ["TENURE_TEST_LOG"], os.O_WRONLY | os.O_APPEND)

def note(what, thing):
    os.write(log, f"{what} {os.getpid()} {thing}\\n".encode())

class Thing:
    def __init__(self, name):
        self.name, self.number = name, next(numbers)
        note("built", f"{name}/{self.number}")
        self.is_open = True

numbers = iter(range(10**9))

def release(thing):
    assert thing.is_open
    thing.is_open = False
    note("released", f"{thing.name}/{thing.number}")

@tenure.cache_resource(max_entries=6, drain="5s", on_release=release)
def thing(name):
    gevent.sleep(0)  # Others have their turn within a build and a request.
    return Thing(name)

@tenure.cache_resource(max_entries=3, drain="5s", validate=lambda it: random.random() < 0.9, on_release=release)
def nested(name):
    gevent.sleep(0)
    part = thing(name)
    assert part.name == name
    return Thing(f"nested-{name}")

def app(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    note("asked", name)
    one = nested(name) if len(name) % 2 else thing(name)
    gevent.sleep(0)
    ok = one.is_open and one.name in (name, f"nested-{name}")
    if name == "clear":
        thing.clear()
    start_response("200 OK" if ok else "500 Wrong", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
"""


class Server:
    def __init__(self, folder: Path) -> None:
        (folder / "web.py").write_text(APP)
        self.log = folder / "log"
        self.log.touch()
        self._errors = folder / "errors"
        # The server inherits a socket that listens, so that no port is guessed and none is awaited.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._socket.getsockname()[1]
        bind = f"--bind=fd://{self._socket.fileno()}"
        command = ["-m", "gunicorn", "-k", "gevent", "-w", "2", bind, "--graceful-timeout=10", "web:app"]
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={**os.environ, "HOME": str(folder), "TENURE_TEST_LOG": str(self.log)},
                pass_fds=[self._socket.fileno()],
                stderr=errors,
            )
        self._socket.close()

    def errors(self) -> str:
        return self._errors.read_text()

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LOST)
        try:
            connection.request("GET", f"/{path}", headers={"Connection": "close"})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def end(self) -> int:
        try:
            return self.process.wait(LOST)
        finally:
            self.process.kill()
            self.process.wait()

    def noted(self, what: str) -> Counter[str]:
        lines = [line.split(" ", 1) for line in self.log.read_text().splitlines()]
        return Counter(about for noted, about in lines if noted == what)


def test_c6_gunicorn_under_load_loses_nothing(tmp_path: Path) -> None:
    """L1, L6: no request fails, also those under way when the server is told to end, and built = released."""
    server = Server(tmp_path)
    statuses: list[int] = []

    def client(number: int) -> None:
        names = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg", "clear"]
        for turn in range(20):
            statuses.append(server.get(names[(number * 7 + turn * (number + 1)) % len(names)]))

    def late(number: int) -> None:
        # What the server never accepted is refused; everything that it answers, it answers well.
        with contextlib.suppress(ConnectionError):
            statuses.append(server.get(f"late{number:03}"))

    def was_late() -> bool:
        assert server.process.poll() is None, server.errors()
        return any(about.split()[1].startswith("late") for about in server.noted("asked"))

    try:
        together(20, client)
        assert Counter(statuses) == {200: 400}, server.errors()
        last = [Job(lambda number=number: late(number)) for number in range(20)]
        until(was_late)
        server.process.send_signal(signal.SIGTERM)
        for it in last:
            it.result()
    finally:
        status = server.end()
    assert status == 0, server.errors()
    assert set(statuses) == {200}
    assert sum(server.noted("asked").values()) == len(statuses), server.errors()
    assert server.noted("built") == server.noted("released"), server.errors()
    assert max(server.noted("built").values()) == 1
    assert "Traceback" not in server.errors()
