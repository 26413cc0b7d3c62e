"""The three clear buttons, and the one in the app's menu."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect

FLOWERS, HERBS = "flowers index", "herbs index"


def builds(one) -> tuple[int, int]:
    """Which build of each index the clerk's page uses."""
    return one.object(FLOWERS)[1], one.object(HERBS)[1]


@pytest.fixture
def ann(clerk):
    """A clerk at the catalogue, whose two indexes are built."""
    one = clerk().open("catalogue").settle()
    assert builds(one) == (1, 1)
    return one


def test_clear_button_for_the_function_clears_all_its_entries(demo, ann, picture):
    """H2: `index.clear` as the button's callback and `index.clear()` in its branch."""
    picture(ann, "demo-catalogue")
    ann.page.get_by_role("button", name="Clear all cached values").click()
    assert builds(ann.sees_build(HERBS, 2)) == (2, 2)
    assert ann.counts(FLOWERS) == ann.counts(HERBS) == (2, 1)
    # The engine is another function's.
    assert ann.go("Orders").counts("engine") == (1, 0)


def test_clear_button_for_one_entry_leaves_the_others(demo, ann):
    """H2, K3: `index.clear("Flowers")` clears that entry alone, for all sessions."""
    ann.page.get_by_role("button", name="Clear the cached value of").click()
    assert builds(ann.sees_build(FLOWERS, 2)) == (2, 1)
    assert ann.counts(HERBS) == (1, 0)
    demo.event("released", FLOWERS, 1)


def test_clear_all_button_clears_every_function(demo, clerk, ann):
    """H2: `st.cache_resource.clear()` clears the indexes and the engine."""
    ann.page.get_by_role("button", name="Clear All", exact=True).click()
    assert builds(ann.sees_build(HERBS, 2)) == (2, 2)
    demo.event("released", "engine", 1)
    assert ann.go("Orders").object("engine")[1] == 2


def test_h7_the_menus_clear_caches_clears_tenures(demo, clerk, ann, picture):
    """H7: the app menu, "Clear cache", confirmed: all is released, and built again when asked."""
    ann.page.get_by_test_id("stMainMenu").click()
    ann.page.get_by_text("Clear cache", exact=True).click()
    dialog = ann.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Clear caches")
    dialog.get_by_role("button", name="Clear caches").click()
    expect(dialog).to_have_count(0)
    for kind in (FLOWERS, HERBS, "engine"):
        demo.event("released", kind, 1)
    ben = clerk().open("catalogue").settle()
    assert builds(ben) == (2, 2)
    assert ben.go("Orders").object("engine")[1] == 2
