"""The running demo and the browsers that look at it.

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
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from serving import PATIENCE, TENURE, App, Browsers, Server, Tab

import tabs

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


def skip_or_fail(what: str) -> None:
    if os.environ.get("TENURE_BROWSER_REQUIRED") == "1":
        pytest.fail(what)
    pytest.skip(what)


class Demo(Server):
    """The demo as a process, with its ledger and the gate in front of its training.

    Tests share one, since most of their time would go into starting it. Each begins with empty caches and counts from
    there: what was built and released `before` is no part of it.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        env = {"SHOP_DATABASE": str(folder / "shop.db"), **(env or {})}
        super().__init__(folder, TENURE, APP, ("SHOP_EVENTS", "SHOP_GATE"), env)
        self.before: Counter[str] = Counter()
        self._said = 0

    def begin(self) -> None:
        """A test begins: nothing is cached, nobody is there, the gate is closed."""

        def nothing_is_held(lines: list[str]) -> bool:
            events = [json.loads(line) for line in lines]
            return _count(events, "built") == _count(events, "released")

        self.close_gate()
        with tabs.Tab(self.port, run=False) as menu:
            menu.clear_caches()
            assert self.events.until(nothing_is_held), self.events.text()
        self.before = _count([json.loads(line) for line in self.events.all()], "built")

    def end(self) -> None:
        """A test ends: nothing that the server has said meanwhile is an error."""
        said = self.output.all()[self._said :]
        self._said += len(said)
        assert not any("Traceback" in line for line in said), "\n".join(said)

    def event(self, event: str, kind: str, number: int) -> dict[str, Any]:
        """The ledger's line on this build of this kind in this test, once it is there."""
        want = {"event": event, "kind": kind, "number": number + self.before[kind]}

        def wanted(line: str) -> bool:
            return want.items() <= json.loads(line).items()

        line = self.events.first(wanted)
        assert line is not None, f"no {want} in\n{self.events.text()}\n{self.output.text()}"
        return json.loads(line)


def _count(events: list[dict[str, Any]], event: str) -> Counter[str]:
    return Counter(line["kind"] for line in events if line["event"] == event)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Demo]]:
    """The server of the demo; another one where a test has stopped it."""
    running: list[Demo] = []

    def serve() -> Demo:
        if not running or running[-1].process.poll() is not None:
            running.append(Demo(tmp_path_factory.mktemp("shop")))
            running[-1].wait_until_healthy()
        return running[-1]

    yield serve
    for demo in running:
        demo.stop()


@pytest.fixture
def demo(shop: Callable[[], Demo]) -> Iterator[Demo]:
    """The demo with nothing built."""
    running = shop()
    running.begin()
    yield running
    running.end()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browsers]:
    """Headless Chromium, as many browsers as there are people."""
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        skip_or_fail("the browser tests need Playwright: pip install playwright")
    chromium = os.environ.get("TENURE_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        skip_or_fail("the browser tests need Chromium: apt-get install chromium, or name one in TENURE_CHROMIUM")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield Browsers(opened)
        opened.close()


class Clerk(Tab):
    """Someone at the demo."""

    def __init__(self, browser: Browsers, demo: Demo, url: str | None = None) -> None:
        super().__init__(browser, url or demo.url)
        self.demo = demo

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
        return found[1], int(found[2]) - self.demo.before[kind]

    def counts(self, kind: str) -> tuple[int, int]:
        """How often the kind was built and released in this test, as this clerk's page says."""
        text = self.card(kind).inner_text()
        found = re.search(r"built (\d+) × · released (\d+) ×", text)
        assert found, text
        before = self.demo.before[kind]
        return int(found[1]) - before, int(found[2]) - before

    def sees_build(self, kind: str, number: int) -> Clerk:
        """Wait until the page shows this build of the kind, and the run is over."""
        from playwright.sync_api import expect

        shown = re.compile(rf"build {number + self.demo.before[kind]}\b")
        expect(self.card(kind)).to_contain_text(shown)
        return self.settle()

    def sees_counts(self, kind: str, built: int, released: int) -> Clerk:
        """Wait until the page says that so many were built and released, and the run is over."""
        from playwright.sync_api import expect

        before = self.demo.before[kind]
        text = f"built {built + before} × · released {released + before} ×"
        expect(self.card(kind)).to_contain_text(text)
        return self.settle()


@pytest.fixture
def clerk(demo: Demo, browser: Browsers) -> Iterator[Callable[[], Clerk]]:
    """Makes clerks, each with a browser of their own."""
    clerks: list[Clerk] = []

    def hire() -> Clerk:
        clerks.append(Clerk(browser, demo))
        return clerks[-1]

    yield hire
    for one in clerks:
        if demo.process.poll() is None and not one.page.is_closed():
            one.settle()  # So that no run of this test builds anything in the next.
        one.leave()


@pytest.fixture
def serve(tmp_path: Path, browser: Browsers) -> Iterator[Callable[..., App]]:
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
    """Takes a picture of a page for the README, as `make screenshots` asks."""

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
