"""What hits and misses cost in an app on a server that `streamlit run` has started, with a browser connected.

Each peer has a server of its own: Tenure wraps some of Streamlit's functions, and Streamlit's own figures are taken
without that. The browser is a connection that asks for runs of the script and takes every message; a round asks each
server in turn.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from rows import Row, at_most, faster, within

APP = Path(__file__).parent / "server_app.py"
PEERS = ("tenure", "streamlit")
PATIENCE = 120.0

ELEMENTS = "on a server: a hit with 10 replayed elements"
PLAIN = "on a server: a hit without elements"
MISS = "on a server: a miss, default spinner, a build that ends at once"
MESSAGES = "on a server: messages that such a miss sends"


class Server:
    """A server of one peer, and the connection to it."""

    def __init__(self, peer: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = {
            "server.port": port,
            "server.address": "127.0.0.1",
            "server.headless": "true",
            "server.fileWatcherType": "none",
            "server.enableXsrfProtection": "false",
            "browser.gatherUsageStats": "false",
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", str(APP)),
                *(part for name, value in options.items() for part in (f"--{name}", str(value))),
            ],
            env={**os.environ, "PEER": peer, "STREAMLIT_LOGGER_LEVEL": "error"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "URL:" in line:
                break
        else:
            raise RuntimeError(f"the server of {peer} did not start:\n{''.join(said)}")
        self._connection = connect(
            f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=["streamlit"], max_size=None, compression=None
        )
        self._numbers = itertools.count(1)

    def ask(self, case: str, calls: int) -> float:
        """Has the script do a case, and returns the figure that it wrote."""
        number = str(next(self._numbers))
        request = BackMsg()
        request.rerun_script.query_string = f"case={case}&calls={calls}&number={number}"
        self._connection.send(request.SerializeToString())
        while True:
            message = ForwardMsg()
            message.ParseFromString(self._connection.recv(PATIENCE))
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                raise RuntimeError(f"{element.exception.type}: {element.exception.message}")
            if element.WhichOneof("type") == "text" and element.text.body.startswith('{"number"'):
                answer: dict[str, Any] = json.loads(element.text.body)
                if answer["number"] == number:
                    self._finish()
                    return float(answer["figure"])

    def _finish(self) -> None:
        """Takes the rest of the run's messages."""
        message = ForwardMsg()
        while message.WhichOneof("type") != "script_finished":
            message.ParseFromString(self._connection.recv(PATIENCE))

    def stop(self) -> None:
        """Ends the server."""
        self._connection.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows whose name is wanted."""
    # A few percent are told apart by many short turns.
    cases = {
        ELEMENTS: ("elements", {"tenure": 30, "streamlit": 30}, 5 * rounds, "s", [within(1.05, "streamlit")]),
        PLAIN: ("plain", {"tenure": 100_000, "streamlit": 2000}, rounds, "s", [faster(100, "streamlit")]),
        MISS: ("miss", {"tenure": 300, "streamlit": 300}, rounds, "s", [faster(10, "streamlit")]),
        MESSAGES: ("messages", {"tenure": 20, "streamlit": 20}, 1, "messages", [at_most(0, "0")]),
    }
    if not any(wanted(name) for name in cases):
        return []
    rows = []
    with ExitStack() as stack:
        servers = {}
        for peer in PEERS:
            servers[peer] = Server(peer)
            stack.callback(servers[peer].stop)
        for name, (case, calls, turns, unit, goals) in cases.items():
            if wanted(name):
                rows.append(Row(name, _interleaved(servers, case, calls, turns), unit, goals))
    return rows


def _interleaved(servers: dict[str, Server], case: str, calls: dict[str, int], rounds: int) -> dict[str, float]:
    """The median of each peer; every round begins with another one, and the first does not count."""
    figures: dict[str, list[float]] = {peer: [] for peer in servers}
    peers = list(servers)
    for turn in range(rounds + 1):
        for peer in peers[turn % len(peers) :] + peers[: turn % len(peers)]:
            figure = servers[peer].ask(case, calls[peer])
            if turn:
                figures[peer].append(figure)
    return {peer: statistics.median(values) for peer, values in figures.items()}
