"""Arguments that tests of the walk share: instances of two classes that are alike, and nests of any depth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any


class Person:
    def __init__(self, name: str) -> None:
        self.name = name


class Other:
    def __init__(self, name: Any) -> None:
        self.name = name


def nested(depth: int, wrap: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    value: Any = ()
    for _ in range(depth):
        value = wrap(value)
    return value


def run(program: str) -> None:
    """Runs a program that may overflow its stack in a process of its own, which ends as soon as its text does."""
    program += "\nimport os; os._exit(0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
