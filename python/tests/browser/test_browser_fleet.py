"""One unchanged app as two servers behind a proxy that keeps a browser with one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from serving import Browsers

from conftest import Clerk, Demo, skip_or_fail

sys.path.append(str(Path(__file__).parents[1] / "real"))

import haproxy
import redis_server

FLOWERS, HERBS = "flowers index", "herbs index"


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[dict[str, Demo]]:
    """Two servers of one fleet."""
    running: dict[str, Demo] = {}
    try:
        with redis_server.server() as bus:
            env = {"TENURE_FLEET": bus.url, "TENURE_FLEET_SECRET": "what these two servers share"}
            for name in ("one", "two"):
                (tmp_path / name).mkdir()
                running[name] = Demo(tmp_path / name, env)
            for demo in running.values():
                demo.wait_until_healthy()
            yield running
            for demo in running.values():
                demo.stop()
    except redis_server.Missing as missing:
        skip_or_fail(str(missing))


@pytest.fixture
def hire(demos: dict[str, Demo], browser: Browsers) -> Iterator[Callable[[], tuple[str, Clerk]]]:
    """Makes clerks who come through the proxy, and says which server each of them stays with."""
    clerks: list[Clerk] = []

    def hire_one() -> tuple[str, Clerk]:
        clerk = Clerk(browser, demos["one"], url)
        clerks.append(clerk)
        clerk.open("catalogue").settle()
        (name,) = [it["value"] for it in clerk.page.context.cookies() if it["name"] == haproxy.COOKIE]
        clerk.demo = demos[name]
        return name, clerk

    try:
        with haproxy.proxy(redis_server.free_port(), {name: it.port for name, it in demos.items()}) as url:
            yield hire_one
            for clerk in clerks:
                clerk.page.context.clear_cookies()
                clerk.leave()
    except haproxy.Missing as missing:
        skip_or_fail(str(missing))


def test_d1_clear_all_in_one_server_is_seen_in_the_other(
    demos: dict[str, Demo], hire: Callable[[], tuple[str, Clerk]]
) -> None:
    clerks = dict([hire(), hire()])
    assert set(clerks) == {"one", "two"}
    before = {name: clerk.object(FLOWERS) for name, clerk in clerks.items()}
    assert [build for _, build in before.values()] == [1, 1]

    clerks["one"].page.get_by_role("button", name="Clear All", exact=True).click()
    clerks["one"].sees_build(HERBS, 2)

    for kind in (FLOWERS, HERBS, "engine"):
        demos["two"].event("released", kind, 1)
    other = clerks["two"]
    other.page.get_by_text("What are you looking for?").wait_for()
    other.open("catalogue").settle()
    other.sees_build(HERBS, 2)
    assert other.object(FLOWERS) != before["two"]
