"""A network line between browsers and a server that can be cut and mended."""

from __future__ import annotations

import contextlib
import socket
import threading


class Line:
    """Forwards connections to a port of this machine, until it is cut and while it is mended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._whole = True
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                near.close()
                continue
            with self._lock:
                if self._whole:
                    self._open |= {near, far}
                    for ends in ((near, far), (far, near)):
                        threading.Thread(target=self._pump, args=ends, daemon=True).start()
                    continue
            near.close()
            far.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        self._end(source, sink)

    def _end(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._open.difference_update(sockets)
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def cut(self) -> None:
        """End every connection, and let none through."""
        with self._lock:
            self._whole = False
            ends = list(self._open)
        self._end(*ends)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._whole = True

    def close(self) -> None:
        """The end of the line."""
        self.cut()
        self._door.close()
