"""Programs that show their figures to `tenure top`, and the command as their user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from world import LOST

BEGINNING = """
import os, sys
import tenure

@tenure.cache_resource(weight=7)
def connect(token):
    return [token]

for token in ("hunter2", "hunter2", "swordfish"):
    connect(token)
"""

WAITING = """
print("ready", flush=True)
sys.stdin.readline()
"""


def command(first: str = "") -> list[str]:
    """The command, which waits as long as any test does. `first` comes before it."""
    patient = f"import sys\nfrom tenure import _cli\nfrom tenure._top import looks\nlooks.PATIENCE = {LOST}\n"
    return [sys.executable, "-c", f"{patient}{first}\nsys.exit(_cli.main(['top', *sys.argv[1:]]))"]


class User:
    """Somebody with a folder for sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets = folder / "tenure"
        self.said = ""
        """What the last program wrote to its log."""
        temporary = folder / "tmp"
        temporary.mkdir()
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(temporary)}
        for name in ("TENURE_TOP", "COLUMNS", "FORCE_COLOR"):
            self.environment.pop(name, None)

    @contextmanager
    def program(
        self, text: str = "", *, first: str = "", wanted: str = "1", status: int = 0
    ) -> Iterator[subprocess.Popen[str]]:
        """A program that is ready, and ends when the block does. `first` comes before any import of it."""
        program = subprocess.Popen(
            [sys.executable, "-c", first + BEGINNING + text + WAITING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, "TENURE_TOP": wanted},
        )
        with program:
            try:
                assert program.stdout is not None
                said = program.stdout.readline()
                if said != "ready\n":
                    program.kill()
                    raise AssertionError(f"{said!r} {program.communicate()[1]}")
                yield program
                _, self.said = program.communicate("\n", LOST)
                assert program.returncode == status, self.said
            finally:
                program.kill()

    def top(self, *arguments: object, first: str = "") -> subprocess.CompletedProcess[str]:
        """The command, which opts in to nothing."""
        return subprocess.run(
            [*command(first), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LOST,
            check=False,
            env=self.environment,
        )

    def shown(self, *arguments: object) -> dict[str, Any]:
        """What the command prints as JSON."""
        done = self.top(*arguments, "--json")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def refusal(self, *arguments: object, first: str = "") -> str:
        """The line with which the command ends where there is nothing to be seen."""
        done = self.top(*arguments, first=first)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.startswith("tenure top: "), done.stderr
        return done.stderr.removeprefix("tenure top: ").rstrip("\n")

    def names(self) -> list[str]:
        """The files in the folder for sockets."""
        return sorted(os.listdir(self.sockets)) if self.sockets.is_dir() else []
