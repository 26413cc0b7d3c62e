"""Where the sockets of processes are that show their figures: in a folder that only their user can enter.

Who serves and who looks trust that folder, so both ask the same of it (`check`). Who could enter it could put a socket
of their own in the place of another's.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress

__all__ = ["check", "folders", "in_folder", "made", "socket_of"]

LONGEST = 103
"""So many bytes fit into the address of a socket on every system."""


def folders() -> list[str]:
    """The folders for this user, in the order of preference: whoever looks cannot know the environment of a service."""
    user = os.geteuid()
    found = [os.path.join(tempfile.gettempdir(), f"tenure-{user}")]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # After `su` it is still that of the user before.
    if os.path.isabs(runtime) and _is_folder_of(user, runtime):
        found.insert(0, os.path.join(runtime, "tenure"))
    return found


def _is_folder_of(user: int, path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user


def made() -> str:
    """The folder to serve in, which is there then.

    Raises
    ------
    OSError
        It cannot be made, or others could enter it.
    """
    folder = folders()[0]
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    check(folder)
    return folder


def check(folder: str) -> None:
    """Raises a `PermissionError` with what to write where anybody else could enter the folder, or have put it there."""
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "a file"
        raise PermissionError(f"{folder} is {kind} and must be a folder. Remove it: rm {folder}")
    if found.st_uid != os.geteuid():
        raise PermissionError(
            f"{folder} belongs to another user (uid {found.st_uid}). Have it removed, or set XDG_RUNTIME_DIR to a "
            "folder of yours, for the program and for `tenure top`"
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise PermissionError(f"{folder} is open to others (mode {mode:04o}). Close it: chmod 700 {folder}")


def socket_of(folder: str, pid: int) -> str:
    """The path of the socket of a process.

    Raises
    ------
    OSError
        It is longer than the system allows.
    """
    path = os.path.join(folder, f"{pid}.sock")
    if len(os.fsencode(path)) > LONGEST:
        raise OSError(f"{path} is too long for a socket. Set XDG_RUNTIME_DIR or TMPDIR to a folder with a shorter path")
    return path


def in_folder(folder: str) -> dict[int, str]:
    """The sockets in a folder by their processes; none where there is no folder."""
    try:
        check(folder)
    except FileNotFoundError:
        return {}
    names = (re.fullmatch(r"([1-9][0-9]*)\.sock", name) for name in os.listdir(folder))
    return {int(name[1]): os.path.join(folder, name[0]) for name in names if name is not None}
