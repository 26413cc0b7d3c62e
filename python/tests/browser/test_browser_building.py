"""What a clerk sees while a resource is built, and what stands afterwards."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect

KINDS = ["stAlert", "stImage", "stJson", "stHeading", "stSlider"]
ELAPSED = re.compile(r"\((\d+\.\d) seconds\)")


def elapsed(page) -> float:
    """The time next to the spinner's text."""
    found = ELAPSED.search(page.get_by_test_id("stSpinner").inner_text())
    assert found
    return float(found[1])


def test_h3_the_spinner_shows_its_text_and_the_elapsed_time(demo, clerk):
    """H3, C1: both clerks who need the model see the spinner; it is trained once."""
    ann = clerk().open("slips")
    spinner = ann.page.get_by_test_id("stSpinner")
    expect(spinner).to_contain_text("Training the slip reader…")
    expect(spinner).to_contain_text(ELAPSED)

    ben = clerk().open("slips")
    waiting = ben.page.get_by_test_id("stSpinner")
    expect(waiting).to_contain_text("Training the slip reader…")
    expect(waiting).to_contain_text(ELAPSED)

    # The time goes on while the training stands at the gate.
    earlier = elapsed(ann.page)
    ann.page.wait_for_function(
        """earlier => {
            const text = document.querySelector('[data-testid="stSpinner"]').innerText;
            return parseFloat(text.match(/\\(([0-9.]+) seconds\\)/)[1]) > earlier;
        }""",
        arg=earlier,
    )

    demo.open_gate()
    for one in (ann, ben):
        expect(one.card("slip reader")).to_be_visible()
        expect(one.settle().page.get_by_test_id("stSpinner")).to_have_count(0)
    assert ann.object("slip reader") == ben.object("slip reader")
    assert ben.counts("slip reader") == (1, 0)


def test_h4_what_a_build_wrote_stands_after_a_re_run_and_in_other_sessions(demo, clerk, picture):
    """H4: message, picture and list are shown again on every hit, in the same order and place."""
    demo.open_gate()
    ann = clerk().open("slips").settle()

    def shown(one) -> tuple[list[str], int]:
        """The kinds of elements left of the cards in their order, and the size of the picture."""
        # Some kinds are drawn only once their own script has come.
        for kind in KINDS:
            expect(one.page.get_by_test_id(kind).first).to_be_visible()
        kinds = one.page.get_by_test_id("stColumn").first.evaluate(
            """(column, kinds) => [...column.querySelectorAll('[data-testid]')]
                .map(element => element.dataset.testid)
                .filter(id => kinds.includes(id))""",
            KINDS,
        )
        image = one.page.get_by_test_id("stImage").first.locator("img")
        return kinds, image.evaluate("async image => (await image.decode(), image.naturalWidth)")

    built = shown(ann)
    assert built[0][:5] == KINDS
    assert built[1] > 0

    def stands(one) -> None:
        expect(one.page.get_by_test_id("stAlert")).to_contain_text("Trained on 1,347 digits")
        expect(one.page.get_by_test_id("stJson")).to_contain_text("MLPClassifier")
        assert shown(one) == built
        assert one.counts("slip reader") == (1, 0)

    stands(ann)
    picture(ann, "demo-slips")
    ann.page.get_by_role("slider").press("ArrowRight")
    expect(ann.page.get_by_text("Slip 13, on paper")).to_be_visible()
    stands(ann.settle())

    ben = clerk().open("slips").settle()
    stands(ben)
    stands(ann.go("Orders").go("Paper slips"))
