"""Browser tabs of a real server, reduced to their WebSocket: enough to hold a session."""

from __future__ import annotations

import base64
import os
import socket
import struct
from types import TracebackType

from streamlit.proto.BackMsg_pb2 import BackMsg

PATIENCE = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Tab:
    """Connects, and asks for a run of the app unless told not to. What the server sends is left unread."""

    def __init__(self, port: int, *, run: bool = True) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            "GET /_stcore/stream HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: streamlit\r\n\r\n"
        )
        self._socket.sendall(request.encode())
        answer = self._socket.recv(65536)
        assert b" 101 " in answer.splitlines()[0], answer
        if run:
            message = BackMsg()
            message.rerun_script.query_string = ""
            self._send(message.SerializeToString())

    def clear_caches(self) -> None:
        """What the app's menu asks for."""
        message = BackMsg()
        message.clear_cache = True
        self._send(message.SerializeToString())

    def _send(self, payload: bytes) -> None:
        """One binary frame; those of clients are masked."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        head = struct.pack("!BB", 0x82, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x82, 0x80 | 126, size)
        self._socket.sendall(head + mask + masked)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Tab:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()
