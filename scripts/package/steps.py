"""Steps: commands that are silent unless they fail, and a line for each that says how long it took."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A step that failed, with what it said."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Says that something was done, and in how long; lanes run side by side, so that a line is written at the end."""
    began = time.monotonic()
    yield
    print(f"  {time.monotonic() - began:5.0f} s  {what}", flush=True)


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Runs a command and gives what it wrote to standard output."""
    words = [str(word) for word in command]
    # The Makefile names an interpreter to cargo, which here is for each wheel another.
    around = {name: value for name, value in os.environ.items() if name != "PYO3_PYTHON"}
    done = subprocess.run(words, cwd=cwd, env={**around, **(env or {})}, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"failed in {cwd}: {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def lacking(package: str, what: list[str]) -> None:
    if what:
        raise Failed(f"{package} lacks {', '.join(what)}")
