"""Programs that need a process of their own: what gevent and eventlet change holds for all of it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from world import LOST

BEGINNING = f"""
import faulthandler, sys, threading
faulthandler.dump_traceback_later({LOST}, exit=True)
import tenure

built, released = [], []

class Thing:
    def __init__(self, name):
        self.name = name
        built.append(name)

def release(thing):
    released.append(thing.name)
"""


def run(text: str, *, first: str = "") -> None:
    """Runs a program, whose assertions hold. `first` comes before any import of it."""
    program = first + BEGINNING + text
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=2 * LOST, check=False
    )
    assert done.returncode == 0, done.stderr


def needs(*packages: str) -> pytest.MarkDecorator:
    """For packages that come late to a new Python."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not to be had for this Python: {', '.join(missing)}")
