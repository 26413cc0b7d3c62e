"""Two clerks at two browsers: what they share, what they do not, and what a closed tab leaves."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect


def test_s1_s2_sessions_share_the_global_resource_and_not_the_session_one(demo, clerk, picture):
    """S1, S2, H2: one engine for both clerks, a desk for each, in an unchanged app."""

    def metric(one):
        return one.page.get_by_test_id("stMetric").filter(has_text="Orders")

    ann = clerk().open().settle()
    placed = int(metric(ann).inner_text().split()[-1])
    ann.go("Your desk")
    ben = clerk().open("desk").settle()

    assert ann.object("engine") == ben.object("engine")
    assert ben.counts("engine") == (1, 0)
    assert ann.object("desk") != ben.object("desk")
    assert ben.counts("desk") == (2, 0)

    # What Ann writes is hers; what she has placed is everyone's.
    ann.page.get_by_role("button", name="Add to the draft").click()
    expect(ann.page.get_by_text("1 in the draft")).to_be_visible()
    ben.page.get_by_role("spinbutton", name="Packets").fill("40")
    ben.page.get_by_role("button", name="Add to the draft").click()
    expect(ben.page.get_by_text("1 in the draft, £60.00 in all")).to_be_visible()
    ann.settle()
    picture(ann, "demo-desk")
    ann.page.get_by_role("button", name="Place the order").click()
    expect(ann.page.get_by_text("The draft is empty.")).to_be_visible()
    ben.page.get_by_role("button", name="Add to the draft").click()
    expect(ben.page.get_by_text("2 in the draft")).to_be_visible()
    expect(metric(ben.go("Orders"))).to_contain_text(str(placed + 1))
    picture(ben, "demo-orders")


def test_s2_the_resource_of_a_session_stays_across_its_pages_and_re_runs(demo, clerk):
    """S2: going to another page and back is the same session, so it is the same desk."""
    ann = clerk().open("desk").settle()
    desk = ann.object("desk")
    ann.page.get_by_role("button", name="Add to the draft").click()
    expect(ann.page.get_by_text("1 in the draft")).to_be_visible()
    ann.settle().go("Labels").go("Your desk")
    assert ann.object("desk") == desk
    assert ann.counts("desk") == (1, 0)
    expect(ann.page.get_by_text("1 in the draft")).to_be_visible()


def test_s2_closing_a_tab_releases_its_resource_within_a_second(demo, clerk):
    """S2: the ledger says when; the other clerk's page shows it, and keeps its own."""
    ann, ben = clerk().open("desk").settle(), clerk().open("desk").settle()
    (_, number), bens = ann.object("desk"), ben.object("desk")

    closed = ann.close_tab()
    released = demo.event("released", "desk", number)
    assert released["at"] - closed <= 1.0

    ben.page.get_by_role("button", name="Add to the draft").click()
    assert ben.sees_counts("desk", 2, 1).object("desk") == bens
    assert ben.counts("engine") == (1, 0)


def test_l9_a_dead_connection_is_released_and_opened_again(demo, clerk):
    """L9, L1: `validate` finds the cut connection; the other session's stays."""
    ann, ben = clerk().open("desk").settle(), clerk().open("desk").settle()
    bens = ben.object("desk")
    _, number = ann.object("desk")
    ann.page.get_by_role("button", name="Cut my connection").click()
    ann.sees_build("desk", 3)
    demo.event("released", "desk", number)
    assert ann.counts("desk") == (3, 1)
    ben.page.get_by_role("button", name="Add to the draft").click()
    assert ben.sees_counts("desk", 3, 1).object("desk") == bens


def test_k12_a_person_is_keyed_by_what_the_hash_function_says(demo, clerk):
    """K12: equal persons share a label and a note, whoever types them; another one is built."""
    ann, ben = clerk().open("labels").settle(), clerk().open("labels").settle()
    for kind in ("label", "note"):
        assert ann.object(kind) == ben.object(kind)
        assert ben.counts(kind) == (1, 0)
    first = ann.object("label")

    ann.page.get_by_label("Town").fill("Lewes")
    ann.page.get_by_label("Town").press("Enter")
    assert ann.sees_build("note", 2).object("label")[1] == 2

    ann.page.get_by_label("Town").fill("Forest Row")
    ann.page.get_by_label("Town").press("Enter")
    assert ann.sees_build("note", 1).object("label") == first
    assert ann.counts("label") == (2, 0)


def test_l10_v1_the_oldest_of_two_entries_goes_and_the_figures_say_so(demo, clerk):
    """L10, V1, H1: `from tenure import cache_resource` in the same app; `info()` counts its releases."""
    ann = clerk().open("inside").settle()
    figures = ann.page.locator(".st-key-figures")
    # The server is another test's too, and its figures go on from there.
    shown = dict(re.findall(r"(\w+): (\d+)", figures.inner_text()))
    before = {name: int(shown.get(name, 0)) for name in ("hits", "builds", "evicted")}
    for build, category in ((2, "Herbs"), (3, "Meadow"), (2, "Herbs")):
        ann.page.get_by_test_id("stRadio").get_by_text(category).click()
        ann.sees_build("stock list", build)
    assert demo.event("released", "stock list", 1)
    assert ann.counts("stock list") == (3, 1)
    # One was built when the page was opened.
    expect(figures).to_contain_text("entries: 2")
    for name, more in (("hits", 1), ("builds", 2), ("evicted", 1)):
        expect(figures).to_contain_text(f"{name}: {before[name] + more}")


def test_l6_stopping_the_server_releases_what_is_held(demo, clerk):
    """L6: with a browser still connected, its desk, the indexes and last the engine under them are released."""
    clerk().open("desk").settle().go("Catalogue")
    demo.process.terminate()
    held = ("desk", "herbs index", "flowers index", "engine")
    times = [demo.event("released", kind, 1)["at"] for kind in held]
    assert max(times) == times[-1]
    assert demo.process.wait(60) == 0
