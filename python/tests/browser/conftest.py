"""The running demo and the browser that looks at it.

Needs `pip install playwright` (its own browsers are not downloaded) and a Chromium: Debian's
`apt-get install chromium`, or the one that `TENURE_CHROMIUM` names. Without them the tests are
skipped and say so; with `TENURE_BROWSER_REQUIRED=1` they fail instead.

`serving` has the processes and the tabs; here are the fixtures, and what is the demo's alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import PATIENCE, TENURE, App, Server, Tab

ROOT = Path(__file__).parents[3]
APP = ROOT / "examples" / "streamlit" / "app.py"
IMAGES = ROOT / "docs" / "images"

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


class Demo(Server):
    """The demo as a process, with its ledger and the gate in front of its training."""

    def __init__(self, folder: Path) -> None:
        # Many threads on a small network wait for each other more than they compute.
        env = {"SHOP_DATABASE": str(folder / "shop.db"), "OPENBLAS_NUM_THREADS": "1"}
        super().__init__(folder, TENURE, APP, ("SHOP_EVENTS", "SHOP_GATE"), env)

    def event(self, event: str, kind: str, number: int) -> dict[str, Any]:
        """The ledger's line on this build of this kind, once it is there."""
        want = {"event": event, "kind": kind, "number": number}

        def wanted(line: str) -> bool:
            return want.items() <= json.loads(line).items()

        line = self.events.first(wanted)
        assert line is not None, f"no {want} in\n{self.events.text()}\n{self.output.text()}"
        return json.loads(line)


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


class Clerk(Tab):
    """Someone at the demo."""

    def go(self, title: str) -> Clerk:
        """Go to a page through the sidebar: the same session."""
        from playwright.sync_api import expect

        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        expect(self.page.get_by_role("heading", name=title, level=1)).to_be_visible()
        return self.settle()

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
def serve(tmp_path: Path, browser: Any) -> Iterator[Callable[..., App]]:
    """Starts an app of `apps/` on a server of the test's own."""
    running: list[App] = []

    def start(name: str, **options: Any) -> App:
        folder = tmp_path / f"server {len(running)}"
        folder.mkdir()
        app = App(folder, browser, name, **options)
        running.append(app)
        app.wait_until_healthy()
        return app

    yield start
    for app in running:
        app.stop()


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
