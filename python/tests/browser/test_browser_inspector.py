"""V2: the inspector as people see it: standing alone behind its token, and as a page of an app."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
pytest.importorskip("uvicorn", reason="this Streamlit does not bring it")
from playwright.sync_api import Error, Page, expect
from serving import APPS, Browsers, Lines

from conftest import skip_or_fail

sys.path.append(str(Path(__file__).parents[1] / "real"))

import redis_server

TOKEN = "a token that only this test knows"
MARKUP = '<img src=x onerror="document.title=1">'
FLEET_SECRET = "what these two servers share"
PHONE = {"width": 390, "height": 844}

# What ends right of the window, and stands in nothing that can be moved sideways.
CUT_OFF = """() => [...document.querySelectorAll("body *")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.right > document.documentElement.clientWidth + 1 && !element.closest(".scroll, svg");
}).map(element => element.outerHTML.slice(0, 80))"""


class Served:
    """A process that serves the inspector, and nothing else."""

    def __init__(self, env: dict[str, str]) -> None:
        self.port = redis_server.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, APPS / "inspector" / "server.py", str(self.port)],
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = Lines(self.process.stdout)
        assert self.output.first(lambda line: "Uvicorn running" in line) is not None, self.output.text()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) in (0, -15)
        self.output.close()
        assert "Traceback" not in self.output.text(), self.output.text()


@pytest.fixture
def serve_alone() -> Iterator[Callable[..., Served]]:
    """Starts servers of the inspector alone."""
    with ExitStack() as running:

        def serve(**env: str) -> Served:
            server = Served(env)
            running.callback(server.stop)
            return server

        yield serve


@pytest.fixture
def look(browser: Browsers) -> Iterator[Callable[[str], Page]]:
    """Opens a page in a browser of its own, which knows no token."""
    with ExitStack() as opened:

        def look_at(url: str) -> Page:
            context = browser.take()
            context.clear_cookies()
            opened.callback(browser.give_back, context)
            page = context.new_page()
            page.goto(url)
            return page

        yield look_at


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Open").click()


def rows(page: Page, table: str) -> Any:
    return page.locator(f"#{table} tbody tr")


def choose(page: Page, label: str, option: str) -> None:
    """Opens the list until it stays: it closes where what stands above is drawn anew and moves it."""
    box = page.get_by_test_id("stSelectbox").filter(has_text=label)
    wanted = page.get_by_role("option", name=option, exact=True)
    for _ in range(20):
        box.get_by_role("combobox").click()
        with contextlib.suppress(Error):
            wanted.click(timeout=3000)
            break
    expect(box.get_by_role("combobox")).to_have_value(option)


def test_v2_only_who_knows_the_token_sees_anything(
    serve_alone: Callable[..., Served], look: Callable[..., Page]
) -> None:
    page = look(serve_alone(TOKEN=TOKEN).url)
    expect(page.locator("table")).to_have_count(0)
    log_in(page, "a guess")
    expect(page.get_by_role("alert")).not_to_be_empty()
    log_in(page, TOKEN)
    expect(rows(page, "functions")).to_have_count(2)


def test_v2_a_table_is_sorted_searched_and_cleared_after_a_question(
    serve_alone: Callable[..., Served], look: Callable[..., Page]
) -> None:
    page = look(serve_alone(TOKEN=TOKEN).url)
    log_in(page, TOKEN)
    functions = rows(page, "functions")
    expect(functions.first).to_contain_text("pool")
    page.locator("#functions").get_by_role("button", name="Entries").click()
    expect(functions.first).to_contain_text(MARKUP)
    assert page.title() == "Tenure", "a name was taken for markup"

    page.get_by_label("Search functions").fill("POOL")
    expect(functions).to_have_count(1)
    expect(page.locator("#functions-count")).to_have_text("1 of 2")
    page.get_by_label("Search entries").fill("pool")
    entries = rows(page, "entries")
    expect(entries).to_have_count(2)

    clear = functions.first.get_by_role("button", name="Clear")
    clear.click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    expect(entries).to_have_count(2)
    clear.click()
    page.get_by_role("dialog").get_by_role("button", name="Clear").click()
    expect(rows(page, "events").filter(has_text="cleared")).to_have_count(2)
    expect(entries).to_have_text(["None of the entries that are shown"])
    expect(page.locator("#timeline circle.cleared")).to_have_count(2)
    expect(page.get_by_role("status")).to_have_text("done")


def test_v2_without_a_token_nothing_can_be_changed(
    serve_alone: Callable[..., Served], look: Callable[..., Page]
) -> None:
    page = look(serve_alone().url)
    expect(rows(page, "entries")).to_have_count(3)
    for how in ("Clear", "Expire", "Clear all"):
        expect(page.get_by_role("button", name=how, exact=True)).to_have_count(0)


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_v2_a_member_of_a_fleet_shows_all_members(
    serve_alone: Callable[..., Served], look: Callable[..., Page], colors: str
) -> None:
    """On a laptop and on a phone, in light and dark: nothing is cut off at the side."""
    try:
        with redis_server.server() as bus:
            env = {"TENURE_FLEET": bus.url, "TENURE_FLEET_SECRET": FLEET_SECRET}
            one, other = serve_alone(**env), serve_alone(**env)
            page = look(one.url)
            page.emulate_media(color_scheme=colors)
            members = rows(page, "fleet")
            expect(members).to_have_count(2)
            expect(page.locator("#fleet-said")).to_have_text(re.compile(r"2 members, lag of the bus"))
            for server in (one, other):
                expect(members.filter(has_text=str(server.process.pid))).to_have_count(1)
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 27)"
            assert dark == (colors == "dark")
            for size in (page.viewport_size, PHONE):
                page.set_viewport_size(size)
                assert page.evaluate(CUT_OFF) == []
                assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    except redis_server.Missing as missing:
        skip_or_fail(str(missing))


def test_v2_a_page_of_an_app_clears_after_a_question(serve: Callable[..., Any]) -> None:
    app = serve("pages")
    ann = app.tab("inspector").ran(1)
    name = ann.told("a")
    page = ann.page
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    choose(page, "What", "All")
    clear = page.get_by_role("button", name="Clear", exact=True, disabled=False)
    # While the choice is drawn, the buttons from before it are there as well.
    expect(clear).to_have_count(1)
    clear.click()
    page.get_by_role("button", name="Yes, clear").click()
    app.wait_for("released", name=name)
    expect(page.get_by_text("Done.", exact=True)).to_be_visible()
    assert len(app.objects("released", "pool")) == 2
