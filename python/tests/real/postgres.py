"""A PostgreSQL server of the test's own, in a temporary folder, reached by a socket in it."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOST = 60


class Missing(Exception):
    """There is no server here; the text says why."""


class Server:
    def __init__(self, folder: Path, user: str) -> None:
        self.log = folder / "log"
        self.address = f"host={folder} user={user} dbname=postgres"
        self.url = f"postgresql://{user}@/postgres?host={folder}"

    def seen(self) -> tuple[int, int]:
        """The connections and the disconnections that the server has seen, by the test's own clients."""
        lines = self.log.read_text(errors="replace").splitlines()
        connects = sum("connection authorized" in line for line in lines)
        return connects, sum("disconnection: session time" in line for line in lines)


def programs() -> Path:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += [Path(path).parent for path in sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True)]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise Missing("PostgreSQL is not installed (on Debian: apt-get install postgresql)")


@contextmanager
def server(*settings: str) -> Iterator[Server]:
    """Runs a server, with further settings such as `log_min_messages=debug1`."""
    folder_of_programs = programs()
    become: list[str] = []
    user = pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        # The server refuses to run as root.
        user = "postgres"
        become = ["runuser", "-u", user, "--"]
        if shutil.which("runuser") is None or not any(entry.pw_name == user for entry in pwd.getpwall()):
            raise Missing("PostgreSQL does not run as root, and there is no user postgres to become")
    # Not pytest's folder: its path may be too long for a socket, and only its owner may enter it.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if become:
            shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            command = [*become, str(folder_of_programs / program), *arguments]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LOST, check=False)
            if done.returncode != 0:
                raise Missing(f"{program} failed: {done.stderr or done.stdout}")

        data = str(folder / "data")
        run("initdb", "-D", data, "-A", "trust", "-U", user, "-E", "UTF8", "--no-sync")
        options = (
            f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=100 "
            "-c log_connections=on -c log_disconnections=on"
        ) + "".join(f" -c {setting}" for setting in settings)
        run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
        try:
            server = Server(folder, user)
            if become:
                (folder / "log").chmod(0o644)
            yield server
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
