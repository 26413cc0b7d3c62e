"""The running demo and the browser that looks at it.

Needs `pip install playwright` (its own browsers are not downloaded) and a Chromium: Debian's
`apt-get install chromium`, or the one that `TENURE_CHROMIUM` names. Without them the tests are
skipped and say so; with `TENURE_BROWSER_REQUIRED=1` they fail instead.

Nothing here sleeps. The demo writes its ledger to a named pipe, and its training waits at another:
a test waits for lines and opens the gate, so the order of events is the test's and not the clock's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
APP = ROOT / "examples" / "streamlit" / "app.py"
IMAGES = ROOT / "docs" / "images"

# How long a test waits for what must come; it says how patient we are, not how fast the demo is.
PATIENCE = 60.0

# The line that ends the ledger's pipe, which has no end of its own.
END = "end\n"

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _missing(what: str) -> None:
    if os.environ.get("TENURE_BROWSER_REQUIRED") == "1":
        pytest.fail(what)
    pytest.skip(what)


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

    def text(self) -> str:
        """All that arrived so far."""
        with self._changed:
            return "\n".join(self._lines)

    def first(self, wanted: Callable[[str], bool], patience: float = PATIENCE) -> str | None:
        """The first line that is wanted, once it is there; None if the stream ended without."""

        def found() -> list[str]:
            return [line for line in self._lines if wanted(line)]

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, patience)
            return next(iter(found()), None)


class Demo:
    """The demo as a process, with its ledger and the gate in front of its training."""

    def __init__(self, folder: Path) -> None:
        self._events_path, self._gate_path = folder / "events", folder / "gate"
        os.mkfifo(self._events_path)
        os.mkfifo(self._gate_path)
        # Both ends are open here, so that the demo never waits for someone to open the other.
        self._events = os.open(self._events_path, os.O_RDWR)
        self._gate = os.open(self._gate_path, os.O_RDWR)
        self.events = Lines(open(os.dup(self._events), encoding="utf-8"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        options = {
            "server.port": port,
            "server.address": "127.0.0.1",
            "server.headless": "true",
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": "false",
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tenure", "run", str(APP)),
                *(part for name, value in options.items() for part in (f"--{name}", str(value))),
            ],
            env={
                **os.environ,
                "SHOP_DATABASE": str(folder / "shop.db"),
                "SHOP_EVENTS": str(self._events_path),
                "SHOP_GATE": str(self._gate_path),
                # Many threads on a small network wait for each other more than they compute.
                "OPENBLAS_NUM_THREADS": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = Lines(self.process.stdout)

    def wait_until_healthy(self) -> None:
        """Wait until the server answers."""
        if self.output.first(lambda line: "URL:" in line) is None:
            pytest.fail(f"the demo did not start:\n{self.output.text()}")
        with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=PATIENCE) as answer:
            assert answer.read() == b"ok"

    def event(self, event: str, kind: str, number: int) -> dict[str, Any]:
        """The ledger's line on this build of this kind, once it is there."""
        want = {"event": event, "kind": kind, "number": number}

        def wanted(line: str) -> bool:
            return want.items() <= json.loads(line).items()

        line = self.events.first(wanted)
        assert line is not None, f"no {want} in\n{self.events.text()}\n{self.output.text()}"
        return json.loads(line)

    def open_gate(self) -> None:
        """Let one training go on: the one that waits, or the next."""
        os.write(self._gate, b".")

    def stop(self) -> None:
        """Stop the server, and the threads that read what it writes."""
        self.open_gate()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()
        os.write(self._events, END.encode())
        self.events.close()
        os.close(self._events)
        os.close(self._gate)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A server of the test's own: its counts begin at nought."""
    running = Demo(tmp_path)
    try:
        running.wait_until_healthy()
        yield running
    finally:
        running.stop()
    assert "Traceback" not in running.output.text(), running.output.text()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        _missing("the browser tests need Playwright: pip install playwright")
    chromium = os.environ.get("TENURE_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        _missing("the browser tests need Chromium: apt-get install chromium, or name one in TENURE_CHROMIUM")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


class Clerk:
    """Someone with a browser of their own: one Streamlit session for each page they load."""

    def __init__(self, browser: Any, url: str) -> None:
        self._url = url
        self._context = browser.new_context(viewport={"width": 1280, "height": 800})
        self._context.set_default_timeout(PATIENCE * 1000)
        self.page = self._context.new_page()

    def open(self, name: str = "") -> Clerk:
        """Load a page of the demo: a new session."""
        self.page.goto(f"{self._url}/{name}")
        self.page.get_by_role("heading", level=1).wait_for()
        return self

    def go(self, title: str) -> Clerk:
        """Go to a page through the sidebar: the same session."""
        from playwright.sync_api import expect

        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        expect(self.page.get_by_role("heading", name=title, level=1)).to_be_visible()
        return self.settle()

    def settle(self) -> Clerk:
        """Wait until no run of the script is under way and all of it is drawn."""
        self.page.locator(
            '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'
        ).wait_for()
        return self

    def card(self, kind: str) -> Any:
        """The card of a resource."""
        return self.page.locator(f".st-key-card-{kind.replace(' ', '-')}")

    def object(self, kind: str) -> tuple[str, int]:
        """The identity and the build of the resource that this clerk uses."""
        text = self.card(kind).inner_text()
        found = re.search(r"([0-9a-f]{6})\s*·\s*build (\d+)", text)
        assert found, text
        return found[1], int(found[2])

    def counts(self, kind: str) -> tuple[int, int]:
        """How often the kind was built and released, as this clerk's page says."""
        text = self.card(kind).inner_text()
        found = re.search(r"built (\d+) × · released (\d+) ×", text)
        assert found, text
        return int(found[1]), int(found[2])

    def close_tab(self) -> float:
        """Close the tab; the time just before, in seconds since the epoch."""
        before = time.time()
        self.page.close()
        return before

    def leave(self) -> None:
        """Close the browser."""
        self._context.close()


@pytest.fixture
def clerk(demo: Demo, browser: Any) -> Iterator[Callable[[], Clerk]]:
    """Makes clerks, each with a browser context of their own."""
    clerks: list[Clerk] = []

    def hire() -> Clerk:
        clerks.append(Clerk(browser, demo.url))
        return clerks[-1]

    yield hire
    for one in clerks:
        one.leave()


@pytest.fixture
def picture() -> Callable[[Clerk, str], None]:
    """Takes a picture of a page for the README, where `TENURE_SCREENSHOTS=1` asks for it."""

    def take(clerk: Clerk, name: str) -> None:
        if os.environ.get("TENURE_SCREENSHOTS") != "1":
            return
        from playwright.sync_api import expect

        # Tables come after the rest of the page, and their first frame is a grey bar.
        expect(clerk.page.get_by_test_id("stSkeleton")).to_have_count(0)
        clerk.page.mouse.move(0, 0)
        IMAGES.mkdir(parents=True, exist_ok=True)
        path = IMAGES / f"{name}.png"
        clerk.page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size < 150_000, f"{path} is too large for the repository"

    return take
