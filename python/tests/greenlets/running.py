"""Programs that need a process of their own: what gevent and eventlet change holds for all of it."""

from __future__ import annotations

import subprocess
import sys

#: What a program waits for at most before it says that something hangs.
LOST = 60.0

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
