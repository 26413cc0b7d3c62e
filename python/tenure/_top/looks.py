"""What processes show of themselves to whoever looks: which there are, and the figures of one."""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import suppress
from typing import Any

from tenure._top import places

__all__ = ["Unseen", "all_shown", "of"]

PATIENCE = 5.0
"""So many seconds a process has to answer."""

LONGEST = 1 << 28
"""No answer has more bytes."""

HOW = "Start it with TENURE_TOP=1 in its environment, or write tenure.configure(top=True) in it"


class Unseen(Exception):
    """There is nothing to be seen: the text says why, and what to write."""


def all_shown() -> dict[int, dict[str, Any] | None]:
    """What each process shows that there is; `None` for one that does not answer."""
    found: dict[int, dict[str, Any] | None] = {}
    wrong: list[str] = []
    for folder in places.folders():
        try:
            sockets = places.in_folder(folder)
        except OSError as error:
            wrong.append(str(error))
            continue
        for pid, path in sockets.items():
            try:
                found[pid] = _at(path)
            except ConnectionRefusedError:
                _remove(path)
            except OSError:
                found[pid] = None
    if not found:
        none = (
            "no process of yours shows its figures. Start one with TENURE_TOP=1, as in TENURE_TOP=1 python app.py, or "
            "write tenure.configure(top=True) in it"
        )
        raise Unseen("; ".join(wrong) or none)
    return dict(sorted(found.items()))


def _path_of(pid: int) -> str:
    """The socket of a process."""
    wrong: list[str] = []
    for folder in places.folders():
        try:
            path = places.in_folder(folder).get(pid)
        except OSError as error:
            wrong.append(str(error))
            continue
        if path is not None:
            return path
    raise Unseen("; ".join([_why_not(pid), *wrong]))


def _why_not(pid: int) -> str:
    """Why a process has no socket."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return f"there is no process {pid}. `tenure top` alone lists those that show their figures"
    except PermissionError:
        return _is_anothers(pid)
    # Root may send signals to all.
    with suppress(OSError):
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
            return _is_anothers(pid)
    return f"process {pid} does not show its figures. {HOW}"


def _is_anothers(pid: int) -> str:
    return f"process {pid} is another user's, and only that one can look: sudo -u NAME tenure top {pid}"


def _at(path: str) -> dict[str, Any]:
    """What the process with this socket shows now.

    Raises
    ------
    ConnectionRefusedError
        Its process is gone. The socket is in the way of nobody, and may be removed.
    OSError
        It cannot be reached, or does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        _check_peer(connection, path)
        answer = bytearray()
        while more := connection.recv(1 << 16):
            answer += more
            if len(answer) > LONGEST:
                raise ConnectionResetError("its answer has no end")
    try:
        shown: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise ConnectionResetError("it ended while it answered") from None
    try:
        for function, (median, most) in zip(shown["functions"], shown.pop("quantiles"), strict=True):
            function["build_median"], function["build_95"] = median, most
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ConnectionResetError("its answer is that of another version of Tenure") from None
    return shown


def _check_peer(connection: socket.socket, path: str) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        return  # The folder keeps others out.
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    _, user, _ = struct.unpack("iII", told)
    if user != os.geteuid():
        raise PermissionError(f"{path} is served by another user (uid {user})")


def of(pid: int) -> dict[str, Any]:
    """What a process shows now."""
    path = _path_of(pid)
    try:
        return _at(path)
    except (ConnectionRefusedError, FileNotFoundError):
        _remove(path)
        raise Unseen(_why_not(pid)) from None
    except TimeoutError:
        raise Unseen(
            f"process {pid} does not answer within {PATIENCE:.0f} s. Is it stopped? kill -CONT {pid}"
        ) from None
    except OSError as error:
        raise Unseen(f"process {pid} shows nothing: {error}") from None


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
