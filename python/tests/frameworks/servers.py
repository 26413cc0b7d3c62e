"""Servers that listen on a port of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from world import LOST


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()


@contextmanager
def listening(app: Any, **settings: Any) -> Iterator[str]:
    """The address of a server of an app, on a thread, for a block."""
    server = _Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1, **settings))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.has_started.wait(LOST)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(LOST)
