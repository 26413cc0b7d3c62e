"""Ports of this machine, for servers that tests start."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from world import LOST


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


def until_listening(port: int, lives: Callable[[], bool] = lambda: True) -> None:
    """Waits until someone listens on a port, for as long as they live."""
    deadline = time.monotonic() + LOST
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert lives(), "whoever was to listen has ended"
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.02)
