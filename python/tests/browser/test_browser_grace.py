"""S2, S4: the connection of a browser drops, and comes back or does not."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from line import Line


@pytest.fixture
def away(serve):
    """Starts the app with a grace period, and gives it with a line that can be cut."""
    lines = []

    def start(grace):
        app = serve("grace", env={"GRACE": grace} if grace else {})
        lines.append(Line(app.port))
        return app, lines[-1]

    yield start
    for line in lines:
        line.close()


def drop(tab, line):
    """Cut the line, and wait until the browser has noticed."""
    # The browser loads the code of a kind of element when the first is drawn, and asks for it once only.
    tab.page.get_by_role("button", name="Run again", exact=True).wait_for()
    line.cut()
    tab.page.locator('[data-testid="stApp"]:not([data-test-connection-state="CONNECTED"])').wait_for()


def test_s4_a_session_that_comes_back_finds_its_resources(away):
    """S4: the same desk after the line was cut and mended, twice; nothing is released meanwhile."""
    app, line = away("5m")
    ann = app.tab(url=line.url).ran(1)
    desk, lamp = ann.told("desk"), ann.told("lamp")
    for runs in (2, 3):
        drop(ann, line)
        line.mend()
        # The page stands as it was; the next run finds the desk.
        assert ann.settle().press("Run again").ran(runs).told("desk") == desk
    assert ann.told("lamp") == lamp
    assert app.objects("built", "desk") == [desk]
    assert app.noted("released") == []


def test_s2_without_grace_a_session_that_comes_back_begins_anew(away):
    """S2, S4: the desk is released when the line is cut, and the session builds another."""
    app, line = away(None)
    ann = app.tab(url=line.url).ran(1)
    desk, lamp = ann.told("desk"), ann.told("lamp")
    drop(ann, line)
    app.wait_for("released", name=desk)
    line.mend()
    second = ann.settle().press("Run again").ran(2).told("desk")
    assert second != desk
    assert ann.press("Run again").ran(3).told("desk") == second
    assert ann.told("lamp") == lamp
    assert app.objects("released", "desk") == [desk]


def test_s4_a_session_that_stays_away_is_released_when_its_grace_is_over(away):
    """S4, S2: one browser is closed and one stays; only the first one's desk goes, once."""
    app, _ = away("300ms")
    ann, ben = app.tab().ran(1), app.tab().ran(1)
    hers, his = ann.told("desk"), ben.told("desk")
    closed = ann.close_tab()
    (released,) = app.wait_for("released", kind="desk")
    assert released["name"] == hers
    assert released["at"] - closed >= 0.3
    assert ben.press("Run again").ran(2).told("desk") == his


def test_s4_l6_a_server_that_stops_during_the_grace_releases_all(away):
    """S4, L6: what waits for its session is released with the rest, once."""
    app, line = away("5m")
    ann = app.tab(url=line.url).ran(1)
    desk, lamp = ann.told("desk"), ann.told("lamp")
    drop(ann, line)
    assert app.terminate() == 0
    assert [line["name"] for line in app.noted("released")] == [lamp, desk]
