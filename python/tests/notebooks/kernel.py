"""A real Jupyter kernel, driven as a notebook drives it, and what the resources in it have noted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client import KernelManager

from world import LOST, Job, until

PREAMBLE = """
import asyncio, os, threading, time
import tenure

def note(*what):
    with open("notes", "a") as notes:
        notes.write(" ".join(map(str, what)) + "\\n")
"""


class Kernel:
    """A kernel in a folder."""

    def __init__(self, folder: Path) -> None:
        self._notes = folder / "notes"
        self._is_begun = False
        # Over TCP the client warns that others on this machine can read along.
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "kernel"))
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, "IPYTHONDIR": str(folder / "ipython")})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LOST)
        self.begin()

    def begin(self) -> None:
        """Begins a test, with nothing cached and no notes."""
        assert self.run("tenure.cache_resource.clear()" if self._is_begun else "") == ""
        self._notes.write_text("")
        assert self.run(PREAMBLE) == ""
        self._is_begun = True

    def run(self, cell: str) -> str:
        """Runs a cell, and gives all that it shows as text: a `!` before the name of what it has raised."""
        shown: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                shown.append(content["text"])
            elif message["msg_type"] == "error":
                shown.append(f"!{content['ename']}: {content['evalue']}")
            elif "data" in content:
                shown.append(content["data"]["text/plain"])

        self.client.execute_interactive(cell, output_hook=hear, timeout=LOST, allow_stdin=False)
        return "".join(shown)

    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines()

    def await_note(self, note: str) -> None:
        until(lambda: note in self.notes())

    def interrupt_at(self, note: str, cell: str) -> str:
        """Runs a cell that is interrupted once it has noted this."""

        def interrupt() -> None:
            self.await_note(note)
            self.manager.interrupt_kernel()

        job = Job(interrupt)
        shown = self.run(cell)
        job.result()
        return shown

    def debug(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Asks the debugger, as JupyterLab does while its bug symbol is on."""
        content = {"type": "request", "command": command, "seq": 1, "arguments": arguments}
        message = self.client.session.msg("debug_request", content)
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=LOST)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                answer: dict[str, Any] = reply["content"]
                return answer

    def restart(self) -> None:
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=LOST)

    def shut_down(self) -> None:
        """Ends it as the menu does: a request, a signal half of the time later, and a kill at the end of it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel()


@contextmanager
def running(folder: Path) -> Iterator[Kernel]:
    kernel = Kernel(folder)
    try:
        yield kernel
    finally:
        if kernel.manager.has_kernel:
            kernel.client.stop_channels()
            kernel.manager.shutdown_kernel(now=True)
