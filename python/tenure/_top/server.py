"""Shows the figures of this process to its owner: one JSON document for each connection, which closes then.

1. The program never waits for who looks. A thread of its own answers, one connection after another, each for so long
   at most.
2. That thread and its socket are the system's, also where gevent or eventlet have put theirs in the place of both, and
   the thread calls nothing that they have replaced.
3. The listening socket's file number is used while it is that socket's. A program that becomes a daemon closes all of
   them, and may be given the same number for another file.
4. A child process has nothing of its parent's server but two file numbers, which it closes, and begins its own.
"""

from __future__ import annotations

import _socket
import atexit
import json
import logging
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tenure import _native
from tenure._info import info
from tenure._top import places

__all__ = ["serve"]

PATIENCE = 2.0
"""So many seconds a connection may take to read, and the end of the process may wait for the thread."""

PAUSE = 1.0
"""So many seconds nothing is accepted after an error: the process has no more file numbers, say."""

NO_SIGNAL: int = getattr(_socket, "MSG_NOSIGNAL", 0)
"""A program may have set SIGPIPE to end it."""


def _original(name: str) -> Any:
    """A function of `_thread` as the interpreter has it, where a library has put its own in its place."""
    import _thread

    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None:
        return gevent.get_original("_thread", name)
    return getattr(_thread if eventlet is None else eventlet.original("_thread"), name)


_start_thread = _original("start_new_thread")
_lock = _original("allocate_lock")

_serving: dict[str, _Server] = {}
"""The server of this process, if it has one. Its methods are one step each, so that no lock is needed."""

_HERE = "here"


def serve(wanted: bool) -> None:
    """Has this process show its figures from now on, and each child that it forks; or no longer."""
    if not wanted:
        before = _serving.pop(_HERE, None)
        if before is not None:
            before.end()
        return
    server = _Server()
    if _serving.setdefault(_HERE, server) is server:
        server.begin()


class _Server:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._user = os.geteuid()
        self._listener: _Listener | None = None
        self._connection: _socket.socket | None = None
        self._file: tuple[str, tuple[int, int]] | None = None
        """The path in the file system, and which file that is."""
        self._open = _lock()
        """Held until it is to end."""
        self._running = _lock()
        """Held while the thread runs."""
        self._open.acquire()

    def begin(self) -> None:
        """Begins to serve; where that cannot be, the log says why."""
        try:
            self._listener = self._publish()
            self._running.acquire()
            try:
                _begin_thread(self._serve, self._listener)
            except RuntimeError:
                self._running.release()
                raise
        except (OSError, RuntimeError) as error:
            self._remove()
            self.close()
            logging.getLogger("tenure").error("`tenure top` cannot see this process: %s", error)

    def _publish(self) -> _Listener:
        """Gives a socket its name when it is ready: one that refuses connections is taken for a dead process's."""
        folder = places.made()
        _sweep(folder)
        path = places.socket_of(folder, os.getpid())
        unready = os.path.join(folder, f".{os.getpid()}")
        with suppress(FileNotFoundError):
            os.unlink(unready)
        listener = _Listener(unready)
        self._file = path, _identity(os.lstat(unready))
        os.rename(unready, path)
        return listener

    def end(self) -> None:
        """Ends it. The thread has let go of the interpreter then, so that the process may end."""
        self._open.release()
        self._remove()
        if self._listener is not None:
            self._listener.wake()
        connection = self._connection
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(_socket.SHUT_RDWR)
        if self._running.acquire(True, PATIENCE):
            self._running.release()

    def close(self) -> None:
        """Lets go of the sockets, which a parent process goes on with."""
        if self._listener is not None:
            self._listener.close()
        if self._connection is not None:
            self._connection.close()

    def _remove(self) -> None:
        """Removes the socket's file, unless it is another one by now."""
        if self._file is not None:
            path, file = self._file
            with suppress(OSError):
                if _identity(os.lstat(path)) == file:
                    os.unlink(path)

    def _serve(self, listener: _Listener) -> None:
        try:
            while self._open.locked() and listener.is_still():
                try:
                    connection = listener.accept()
                except OSError:
                    if self._open.acquire(True, PAUSE):
                        self._open.release()
                else:
                    self._answer(connection)
        finally:
            listener.close()
            self._remove()
            self._running.release()

    def _answer(self, connection: _socket.socket) -> None:
        self._connection = connection
        try:
            connection.settimeout(PATIENCE)
            # `end` either finds the connection, or is found here.
            if self._open.locked() and self._may_look(connection):
                connection.sendall(_document(time.monotonic() - self._began), NO_SIGNAL)
            # A child process that was forked meanwhile has the connection too: closed it is by this alone.
            connection.shutdown(_socket.SHUT_WR)
        except OSError:
            pass  # Whoever looks is gone, or does not read.
        finally:
            self._connection = None
            connection.close()

    def _may_look(self, connection: _socket.socket) -> bool:
        if not hasattr(_socket, "SO_PEERCRED"):
            return True  # The folder keeps others out.
        told = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, struct.calcsize("iII"))
        return bool(struct.unpack("iII", told)[1] == self._user)


class _Listener:
    """A socket that takes connections, for as long as its file number is its own."""

    def __init__(self, path: str) -> None:
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        # Whatever `socket.setdefaulttimeout` says.
        self._socket.settimeout(None)
        self._socket.bind(path)
        os.chmod(path, 0o600)
        self._socket.listen(16)
        self._own = _identity(os.fstat(self._socket.fileno()))

    def is_still(self) -> bool:
        try:
            return _identity(os.fstat(self._socket.fileno())) == self._own
        except OSError:
            return False

    def accept(self) -> _socket.socket:
        number, _ = self._socket._accept()  # type: ignore[attr-defined]  # the stubs have it elsewhere
        return _socket.socket(fileno=number)

    def wake(self) -> None:
        """Ends the wait for a connection."""
        if self.is_still():
            with suppress(OSError):
                self._socket.shutdown(_socket.SHUT_RDWR)

    def close(self) -> None:
        if self.is_still():
            self._socket.close()
        else:
            self._socket.detach()


def _sweep(folder: str) -> None:
    """Removes what is left of processes that are gone: of workers that end by a signal, and nobody may ever look."""
    for pid, path in places.in_folder(folder).items():
        if _is_gone(pid) and _is_refused(path):
            with suppress(OSError):
                os.unlink(path)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def _is_refused(path: str) -> bool:
    """Whether nobody listens there: a process of another container may, whose number means nothing here."""
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    probe.setblocking(False)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    finally:
        probe.close()
    return False


def _identity(file: os.stat_result) -> tuple[int, int]:
    return file.st_dev, file.st_ino


def _begin_thread(work: Callable[..., None], *arguments: object) -> None:
    """Begins a thread that gets no signals: those are for the program's own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        _start_thread(work, arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _document(uptime: float) -> bytes:
    """What is told of this process: what it is, and its figures. Neither arguments nor keys are among them."""
    figures = info()
    about = {
        "pid": os.getpid(),
        "program": _program(),
        "version": _native.__version__,
        "uptime": uptime,
        "fleet": _fleet(),
        "quantiles": [(it.build_quantile(0.5), it.build_quantile(0.95)) for _, it in figures.by_function],
    }
    # The figures are not read again here: with many functions, or entries, they are long.
    return f"{json.dumps(about)[:-1]}, {figures.to_json()[1:]}".encode()


def _program() -> str:
    """The name of the program, without its arguments: those may hold a secret."""
    module = getattr(getattr(sys.modules.get("__main__"), "__spec__", None), "name", None)
    if module is not None:
        return f"python -m {module.removesuffix('.__main__')}"
    script = os.path.basename(str((getattr(sys, "argv", None) or [""])[0]))
    return f"python {script}" if script in ("", "-c") else script


def _fleet() -> dict[str, object] | None:
    """How this process stands with its fleet; `None` where it is in none."""
    lines = (line.split() for line in _native.fleet_metrics().splitlines() if not line.startswith("#"))
    told = {name: float(value) for name, value in lines}
    if not told:
        return None
    return {"caught_up": told["tenure_fleet_caught_up"] == 1, "lag": told.get("tenure_fleet_lag_seconds")}


def _after_fork() -> None:
    parents = _serving.pop(_HERE, None)
    if parents is not None:
        parents.close()
        serve(True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    serve(False)
