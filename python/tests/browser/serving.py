"""A Streamlit server as a process, the lines it and its app write, and a browser that looks at it.

Nothing here sleeps. An app writes what it does to a named pipe, and a build can wait at another: a test waits for lines
and opens the gate, so the order of events is the test's and not the clock's.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

APPS = Path(__file__).parent / "apps"

# How long a test waits for what must come; it says how patient we are, not how fast the server is. A server that loads
# scikit-learn for the first time beside many other processes needs its time.
PATIENCE = 120.0

# The line that ends an app's pipe, which has no end of its own.
END = "end\n"

# Many threads on a small model wait for each other more than they compute.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

TENURE = ("-m", "tenure", "run")
STREAMLIT = ("-m", "streamlit", "run")


class Lines:
    """Lines that arrive from a stream on a thread of their own, and can be waited for."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            if line == END:
                break
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Wait for the end of the stream and close it."""
        self._thread.join(PATIENCE)
        self._stream.close()

    def all(self) -> list[str]:
        """All that arrived so far."""
        with self._changed:
            return list(self._lines)

    def text(self) -> str:
        """All that arrived so far, as one text."""
        return "\n".join(self.all())

    def first(self, wanted: Callable[[str], bool], patience: float = PATIENCE) -> str | None:
        """The first line that is wanted, once it is there; None if the stream ended without."""

        def found() -> list[str]:
            return [line for line in self._lines if wanted(line)]

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, patience)
            return next(iter(found()), None)

    def until(self, enough: Callable[[list[str]], bool], patience: float = PATIENCE) -> bool:
        """Whether all lines together are enough, once they are or the stream has ended."""
        with self._changed:
            self._changed.wait_for(lambda: enough(self._lines) or self._ended, patience)
            return enough(self._lines)


class Server:
    """A server as a process, with the pipe that its app writes to and the gate at which a build waits."""

    def __init__(
        self,
        folder: Path,
        command: tuple[str, ...],
        app: Path,
        names: tuple[str, str],
        env: Mapping[str, str],
        **more: Any,
    ) -> None:
        pipe, gate = folder / "events", folder / "gate"
        os.mkfifo(pipe)
        os.mkfifo(gate)
        # Both ends are open here, so that the app never waits for someone to open the other.
        self._events = os.open(pipe, os.O_RDWR)
        self._gate = os.open(gate, os.O_RDWR)
        self.events = Lines(open(os.dup(self._events), encoding="utf-8"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        options = {
            "server.port": self.port,
            "server.address": "127.0.0.1",
            "server.headless": "true",
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": "false",
            **{name.replace("_", "."): value for name, value in more.items()},
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, *command, str(app)),
                *(part for name, value in options.items() for part in (f"--{name}", str(value))),
            ],
            env={**os.environ, **ONE_THREAD, **env, names[0]: str(pipe), names[1]: str(gate)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = Lines(self.process.stdout)
        self._over = False

    def wait_until_healthy(self) -> None:
        """Wait until the server answers."""
        if self.output.first(lambda line: "URL:" in line) is None:
            pytest.fail(f"the server did not start:\n{self.output.text()}")
        with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=PATIENCE) as answer:
            assert answer.read() == b"ok"

    def open_gate(self) -> None:
        """Let one build go on: the one that waits, or the next."""
        os.write(self._gate, b".")

    def close_gate(self) -> None:
        """Forget who was let through and has not come."""
        os.set_blocking(self._gate, False)
        try:
            while os.read(self._gate, 64):
                pass
        except BlockingIOError:
            pass
        finally:
            os.set_blocking(self._gate, True)

    def terminate(self) -> int:
        """Stop the server, and wait until all it wrote is here."""
        self.process.terminate()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.output.close()
        os.write(self._events, END.encode())
        self.events.close()
        self._over = True
        return status

    def stop(self) -> None:
        """Stop the server, and the threads that read what it writes."""
        self.open_gate()
        if not self._over:
            self.terminate()
        os.close(self._events)
        os.close(self._gate)


class App(Server):
    """One of the apps in `apps/`, in a copy that a test may edit.

    Each app says what it does through the module `book`: events are JSON objects with the name of what was done.
    """

    def __init__(
        self,
        folder: Path,
        browsers: Browsers,
        name: str,
        command: tuple[str, ...] = TENURE,
        env: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        self.folder = folder / "app"
        shutil.copytree(APPS / name, self.folder)
        (folder / "book").mkdir()
        shutil.copy(APPS / "book.py", folder / "book")
        path = os.pathsep.join(filter(None, (str(folder / "book"), os.environ.get("PYTHONPATH"))))
        self._browsers = browsers
        self._tabs: list[Tab] = []
        self.excused = ""
        env = {"PYTHONPATH": path, **(env or {})}
        super().__init__(folder, command, self.folder / "app.py", ("BOOK", "GATE"), env, **more)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change the app's source, as an editor does that saves in one step."""
        path = self.folder / file
        before = path.read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{old!r} in\n{before}"
        # The polling watcher compares times, and file systems round them.
        stands_from = path.stat().st_mtime + 2
        saved = path.with_suffix(".saved")
        saved.write_text(before.replace(old, new), encoding="utf-8")
        os.utime(saved, (stands_from, stands_from))
        saved.replace(path)

    def tab(self, page: str = "", url: str | None = None) -> Tab:
        """Open a page in a browser of its own: a new session."""
        tab = Tab(self._browsers, url or self.url)
        self._tabs.append(tab)
        tab.open(page)
        return tab

    def noted(self, event: str, **about: Any) -> list[dict[str, Any]]:
        """The events of this name so far, with these details."""
        return _select(self.events.all(), event, about)

    def wait_for(self, event: str, times: int = 1, **about: Any) -> list[dict[str, Any]]:
        """The events of this name with these details, once there are so many."""
        enough = self.events.until(lambda lines: len(_select(lines, event, about)) >= times)
        assert enough, f"not {times} × {event} {about} in\n{self.events.text()}\n{self.output.text()}"
        return self.noted(event, **about)

    def objects(self, event: str, kind: str) -> list[str]:
        """The names of the objects of this kind that were built or released, in order."""
        return [line["name"] for line in self.noted(event, kind=kind)]

    def stop(self) -> None:
        for tab in self._tabs:
            tab.leave()
        super().stop()
        errors = [line for line in self.output.all() if "Traceback" in line or "ERROR" in line]
        unexpected = errors and not (self.excused and self.excused in self.output.text())
        assert not unexpected, self.output.text()


def _select(lines: list[str], event: str, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    read = (json.loads(line) for line in lines)
    return [line for line in read if line["event"] == event and about.items() <= line.items()]


class Browsers:
    """Browsers, each with an identity and a cache of its own.

    They are used again: what one has loaded from a server it need not load again.
    """

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium
        self._free: list[Any] = []

    def take(self) -> Any:
        """A browser that nobody uses."""
        if self._free:
            return self._free.pop()
        context = self._chromium.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE * 1000)
        return context

    def give_back(self, context: Any) -> None:
        """Close its tabs; the browser stays, unless it does not say that they are closed, or had begun to close one."""
        from playwright.sync_api import Error as BrowserError

        for page in context.pages:
            try:
                with page.expect_event("close", timeout=10_000):
                    page.close(run_before_unload=True)
            except BrowserError:
                return
        self._free.append(context)


class Tab:
    """Someone with a browser of their own: one Streamlit session for each page they load."""

    def __init__(self, browsers: Browsers, url: str) -> None:
        self._url = url
        self._browsers = browsers
        self._browser = browsers.take()
        self.page = self._browser.new_page()

    def open(self, name: str = "") -> Tab:
        """Load a page of the app: a new session."""
        self.page.goto(f"{self._url}/{name}")
        self.page.get_by_role("heading", level=1).wait_for()
        return self

    def settle(self) -> Tab:
        """Wait until no run of the script is under way and all of it is drawn."""
        self.page.locator(
            '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'
        ).wait_for()
        return self

    def close_tab(self) -> float:
        """Close the tab; the time just before, in seconds since the epoch."""
        before = time.time()
        self.page.close()
        return before

    def leave(self) -> None:
        """Close what is open."""
        self._browsers.give_back(self._browser)

    # What follows is for the apps in `apps/`, whose pages end with `book.end_of_run`.

    def ran(self, times: int) -> Tab:
        """Wait until the script has run this often in this session, and what it put out is drawn."""
        from playwright.sync_api import expect

        expect(self.page.get_by_text(f"run {times}", exact=True)).to_be_visible()
        return self.settle()

    def told(self, name: str) -> str:
        """What the page says of this name."""
        return self.page.get_by_test_id("stText").filter(has_text=f"{name}: ").inner_text().removeprefix(f"{name}: ")

    def press(self, label: str) -> Tab:
        """Press a button."""
        self.page.get_by_role("button", name=label, exact=True).click()
        return self

    def slide(self, label: str, key: str = "ArrowRight") -> Tab:
        """Move a slider by one step."""
        self.page.get_by_test_id("stSlider").filter(has_text=label).get_by_role("slider").press(key)
        return self

    def tick(self, label: str) -> Tab:
        """Tick a checkbox, or untick it."""
        self.page.get_by_test_id("stCheckbox").filter(has_text=label).click()
        return self

    def write(self, label: str, text: str, enter: bool = True) -> Tab:
        """Write into a text field."""
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        if enter:
            field.press("Enter")
        return self
