"""Runs small programs to their end; their resources write down themselves what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

LOST = 60.0

BEGIN = """
import os, select, signal, sys, threading
import tenure

log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note(*what):
    os.write(log, (" ".join(map(str, what)) + "\\n").encode())

def ready():
    note("ready")
    print("ready", flush=True)

def release(name):
    note("released", name)

@tenure.cache_resource(on_release=release)
def thing(name):
    note("built", name)
    return name

def handled(number):
    # Gives what waits for the signal. Not an event: its lock may be held by the very code that the handler interrupts.
    reads, writes = os.pipe()
    signal.signal(number, lambda *_: os.write(writes, b"."))

    def wait():
        # In turns: a signal that comes right after another may wake another thread than this one.
        while not select.select([reads], [], [], 1)[0]:
            pass
        note("handled")

    return wait

def wait_for_the_end():
    # In turns, so that a wait that cannot be interrupted shows as one that is merely long.
    never = threading.Event()
    while True:
        never.wait(1)

"""


def can_be_interrupted() -> None:
    """Where the tests run in the background, a shell has Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Program:
    """A program under way, or after its end. It is killed with the test."""

    def __init__(
        self,
        folder: Path,
        text: str,
        *,
        begin: str = BEGIN,
        arguments: tuple[str, ...] = (),
        under: tuple[str, ...] = (),
    ) -> None:
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [*under, sys.executable, *arguments, "-c", begin + text, str(self.log)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=can_be_interrupted if os.name == "posix" else None,
        )
        self.errors = ""

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def await_ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == "ready\n":
                return
        raise AssertionError(f"it ended before it was ready: {self.process.communicate()[1]}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Waits for the end and gives the exit status, negative for a signal's number."""
        _, self.errors = self.process.communicate(timeout=LOST)
        return self.process.returncode

    def notes(self) -> list[str]:
        return self.log.read_text().splitlines()

    def released(self) -> list[str]:
        return [note.removeprefix("released ") for note in self.notes() if note.startswith("released ")]
