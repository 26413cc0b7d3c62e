"""L1, S2, S4: many browser sessions that connect and drop at random leave nothing behind.

`TENURE_TESTS=long` has fifty sessions at least, for a minute at least. The seed is printed, and `TENURE_SEED` sets it.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from line import Line
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import TimeoutError as BrowserTimeout

LONG = os.environ.get("TENURE_TESTS") == "long"
SEED = int(os.environ.get("TENURE_SEED", random.SystemRandom().randrange(2**32)))
SESSIONS = 50 if LONG else 12
PEOPLE = 5 if LONG else 2
TABS_AT_A_TIME = 50 if LONG else 6
# What happens, and how often in comparison.
STEPS = {"tick": 6, "reload": 1, "close": 3, "cut": 1, "mend": 3}

# Done in the page and not through the browser, which waits for ever for a page that goes away under a key; and as
# something to wait for, since that is the one kind of code in a page for which the browser's patience has an end.
TICK = "n => { document.querySelectorAll('input[type=checkbox]')[n]?.click(); return true }"
PAGES_PATIENCE = 5_000


class Person:
    """Someone with a browser on a network line of their own, and many tabs."""

    def __init__(self, browser, app, chance):
        self._line = Line(app.port)
        self._browsers = browser
        self._browser = browser.take()
        self._chance = chance
        self.tabs = []

    def do(self, step):
        """Do a step on one of the tabs, which may have connected by then or not."""
        try:
            getattr(self, step)(self._chance.choice(self.tabs))
        except BrowserTimeout:
            pass  # The page went away and did not say so.
        except BrowserError as error:
            # Where the line is cut, pages do not load; and they go away under a step.
            if "ERR_" not in str(error) and "navigation" not in str(error):
                raise

    def open(self):
        """A new tab; whether its page comes, and with it a session."""
        self.tabs.append(self._browser.new_page())
        try:
            self.tabs[-1].goto(self._line.url, wait_until="commit")
        except BrowserError:
            return False
        return True

    def tick(self, tab):
        tab.wait_for_function(TICK, arg=self._chance.randrange(2), timeout=PAGES_PATIENCE)

    def reload(self, tab):
        """A new session in the same tab."""
        tab.goto(self._line.url, wait_until="commit", timeout=PAGES_PATIENCE)

    def close(self, tab):
        self.tabs.remove(tab)
        # Without waiting until it is closed: of a page that is loading the browser may never say so.
        tab.close(run_before_unload=True)

    def cut(self, _):
        self._line.cut()

    def mend(self, _):
        self._line.mend()

    def leave(self):
        self._browsers.give_back(self._browser)
        self._line.close()


def counted(app, event):
    """How many objects of each kind were built or released."""
    return Counter(line["kind"] for line in app.noted(event))


def test_l1_s2_sessions_that_come_and_go_leak_nothing(serve, browser):
    """L1, S2, S4, L10: built = released + live while the server runs, built = released when it has stopped."""
    print(f"TENURE_SEED={SEED}")
    chance = random.Random(SEED)
    app = serve("soak")
    people = [Person(browser, app, chance) for _ in range(PEOPLE)]
    until = time.monotonic() + 60

    def goes_on():
        # Chance decides whether a tick meets a page that is there: it goes on until one did.
        enough = len(app.noted("session")) >= SESSIONS and counted(app, "built")["mix"] > 1
        return not enough or (LONG and time.monotonic() < until)

    while goes_on():
        one = chance.choice(people)
        if len(one.tabs) < TABS_AT_A_TIME / PEOPLE:
            before = len(app.noted("session"))
            # Most pages get as far as a session, and some are met on the way.
            if one.open() and chance.random() < 0.8:
                app.wait_for("session", before + 1)
        (step,) = chance.choices(list(STEPS), STEPS.values())
        one.do(step)
    for one in people:
        one.leave()

    # All sessions end, and what is theirs goes with them; the lamp's time is over with nobody calling.
    ended = ("desk", "drawer", "lamp")

    def is_over(lines):
        read = [json.loads(line) for line in lines]
        kinds = Counter((line["event"], line["kind"]) for line in read if "kind" in line)
        return all(kinds["built", kind] == kinds["released", kind] > 0 for kind in ended)

    assert app.events.until(is_over), app.events.text()
    mixes = sum((counted(app, "built") - counted(app, "released")).values())
    assert 1 <= mixes <= 3

    # The engine counts what is left as the book does.
    ann = app.tab().ran(1)
    entries = dict(part.split("=") for part in ann.told("entries").split())
    live = counted(app, "built") - counted(app, "released")
    assert {kind: int(count) for kind, count in entries.items()} == {**live, "lamp": 1}

    app.terminate()
    names = [line["name"] for line in app.noted("released")]
    assert len(names) == len(set(names))
    assert set(names) == {line["name"] for line in app.noted("built")}
    assert len(app.noted("session")) > SESSIONS
