"""The demo on a telephone: nothing on any page is cut off at the side."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect

WIDTH, HEIGHT = 390, 844

# What ends right of the window, and stands in nothing that can be moved sideways, such as a table.
CUT_OFF = """() => {
    const edge = document.documentElement.clientWidth;
    const moves = element => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    const held = element => {
        for (let around = element; around && around.dataset.testid !== "stMain"; around = around.parentElement) {
            if (around !== element && moves(around)) {
                return around.getBoundingClientRect().right <= edge;
            }
        }
        return false;
    };
    return [...document.querySelectorAll('[data-testid="stMain"] *')]
        .filter(element => {
            const box = element.getBoundingClientRect();
            return box.width > 0 && box.right > edge + 1 && !held(element);
        })
        .map(element => `${element.tagName} ${element.dataset.testid ?? ""} ${element.className}`);
}"""


def test_nothing_of_the_demo_is_cut_off_on_a_telephone(demo, clerk):
    """README, "Try it": the demo, on every page."""
    demo.open_gate()
    ann = clerk().open().settle()
    links = ann.page.get_by_test_id("stSidebarNav").get_by_role("link")
    pages = [link.get_attribute("href") for link in links.all()]
    assert len(pages) == 7
    # High, so that what is drawn only in sight is drawn.
    ann.page.set_viewport_size({"width": WIDTH, "height": 4 * HEIGHT})
    for page in pages:
        ann.page.goto(page)
        ann.page.get_by_role("heading", level=1).wait_for()
        ann.settle()
        # Some kinds of elements are drawn only once their own script has come.
        expect(ann.page.get_by_test_id("stSkeleton")).to_have_count(0)
        assert ann.page.evaluate(CUT_OFF) == [], page
        assert ann.page.evaluate("document.documentElement.scrollWidth") == WIDTH, page
