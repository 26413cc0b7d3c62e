"""H5, H6: widgets in cached functions, as the people at the browsers see them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect
from serving import App

EXAMPLES = Path(__file__).parents[1] / "reference" / "examples"


@pytest.fixture(scope="module")
def app(tmp_path_factory, browser):
    """One server for the pages of this file, each of which has functions of its own."""
    running = App(tmp_path_factory.mktemp("widgets"), browser, "pages")
    try:
        running.wait_until_healthy()
        yield running
    finally:
        running.stop()


def test_h5_sessions_with_equal_slider_values_share_the_entry(app):
    """H5: the values are arguments; who has the same ones gets the same object, and each keeps their own slider."""
    ann, ben = app.tab("sliders").ran(1), app.tab("sliders").ran(1)
    plain = ann.told("object")
    assert ben.told("object") == plain

    redder = ben.slide("Red").ran(2).told("object")
    assert redder != plain
    assert ben.told("values") == "6 5"
    assert ann.slide("Blue").ran(2).told("values") == "5 6"
    assert ann.slide("Blue", "ArrowLeft").ran(3).told("object") == plain
    assert ann.slide("Red").ran(4).told("object") == redder
    assert ben.told("values") == ann.told("values") == "6 5"
    assert ben.slide("Red", "ArrowLeft").ran(3).told("object") == plain
    assert len(app.objects("built", "mix")) == 3
    for one in (ann, ben):
        expect(one.page.get_by_test_id("stSlider")).to_have_count(2)
        expect(one.page.get_by_test_id("stAlert")).to_have_count(0)


def test_h5_a_widget_first_met_in_one_branch(app):
    """H5: it is on the page exactly where the branch is taken, on hits too."""
    ann = app.tab("branch").ran(1)
    sliders = ann.page.get_by_test_id("stSlider")
    expect(sliders).to_have_count(0)
    fresh = ann.told("object")

    ann.tick("Dry it").ran(2)
    dried = ann.told("object")
    assert ann.told("days") == "3"
    ann.slide("Days").ran(3)
    assert ann.told("days") == "4"

    ann.tick("Dry it").ran(4)
    assert ann.told("object") == fresh
    expect(sliders).to_have_count(0)
    # Streamlit forgets a widget that a run did not show.
    assert ann.tick("Dry it").ran(5).told("object") == dried
    expect(sliders).to_have_count(1)

    ben = app.tab("branch").ran(1)
    assert ben.told("object") == fresh
    assert ben.tick("Dry it").ran(2).told("object") == dried
    assert ben.slide("Days").ran(3).told("days") == "4"
    assert len(app.objects("built", "pick")) == 3


def test_h5_a_form_in_a_cached_function(app):
    """H5: nothing counts before the form is sent; then all of it does, in one run."""
    ann = app.tab("form").ran(1)
    first = ann.told("object")
    assert ann.told("order") == "5 rose open"
    ann.write("Flower", "dill", enter=False).slide("Stems")
    assert ann.press("Send").ran(2).told("order") == "6 dill sent"
    assert ann.press("Run again").ran(3).told("order") == "6 dill open"
    expect(ann.page.get_by_label("Flower")).to_have_value("dill")

    ben = app.tab("form").ran(1)
    assert ben.told("object") == first
    expect(ben.page.get_by_label("Flower")).to_have_value("rose")
    ben.write("Flower", "dill", enter=False).slide("Stems")
    assert ben.press("Send").ran(2).told("object") == app.objects("built", "order")[1]
    assert len(app.objects("built", "order")) == 3


def test_h5_callbacks_run_on_hits_as_on_misses(app):
    """H5: `on_change`, with its `args` and `kwargs`, once for each change; a key that the session sets is obeyed."""
    ann = app.tab("callbacks").ran(1)
    radio = ann.page.get_by_test_id("stRadio")
    steps = ["green", "red", "green"]
    for run, colour in enumerate(steps, start=2):
        radio.get_by_text(colour).click()
        assert ann.ran(run).told("colour") == f"{colour} {colour}"
        assert ann.told("log") == ", ".join(f"to by hand {step}" for step in steps[: run - 1])
    assert ann.press("Blue, please").ran(5).told("colour") == "blue blue"
    expect(radio.get_by_role("radio", name="blue")).to_be_checked()
    assert len(ann.told("log").split(", ")) == 3

    # Red is a hit for everyone, and Ben's callback is Ben's.
    ben = app.tab("callbacks").ran(1)
    assert ben.told("log") == "nothing"
    assert ben.press("Blue, please").ran(2).told("object") == ann.told("object")
    expect(ben.page.get_by_test_id("stRadio").get_by_role("radio", name="blue")).to_be_checked()
    assert len(app.objects("built", "paint")) == 3


def test_h5_widgets_keep_their_state_over_hits_and_misses(app):
    """H5: text, dynamic options and `disabled` stand as if the function had run."""
    ann = app.tab("state").ran(1)
    assert ann.write("Name", "by the wall").ran(2).told("state") == "by the wall"
    mine = ann.told("object")
    assert ann.press("Run again").ran(3).told("object") == mine
    expect(ann.page.get_by_label("Name", exact=True)).to_have_value("by the wall")

    ann.page.get_by_test_id("stRadio").get_by_text("shade").click()
    assert ann.ran(4).told("bed") == "2 rows of foxglove in the shade"
    expect(ann.page.get_by_label("Name", exact=True)).to_have_value("by the wall")
    ann.page.get_by_role("combobox").click()
    expect(ann.page.get_by_role("option")).to_have_text(["foxglove", "fern", "leek"])
    ann.page.get_by_role("option", name="fern").click()
    assert ann.ran(5).told("bed") == "2 rows of fern in the shade"

    rows = ann.page.get_by_role("spinbutton", name="Rows")
    rows.fill("3")
    rows.press("Enter")
    assert ann.ran(6).told("bed") == "3 rows of fern in the shade"
    ann.tick("Locked").ran(7)
    expect(rows).to_be_disabled()
    expect(rows).to_have_value("3")
    ann.press("Run again").ran(8)
    expect(rows).to_be_disabled()
    ann.tick("Locked").ran(9)
    expect(rows).to_be_enabled()
    assert ann.told("bed") == "3 rows of fern in the shade"
    assert ann.told("state") == "by the wall"


def test_h5_without_the_parameter_the_warning_shows(app):
    """H5: as today; the page goes on, and the hit shows both again."""
    ann = app.tab("forbidden").ran(1)
    expect(ann.page.get_by_test_id("stException")).to_contain_text("widget command in a cached function")
    ben = app.tab("forbidden").ran(1)
    assert ben.told("object") == ann.told("object")


@pytest.mark.parametrize("widget", ["file_uploader", "camera_input"])
def test_h6_uploads_in_a_cached_function_are_refused(app, widget):
    """H6: the error names the widget and says what to write."""
    app.excused = "cannot be used in a cached function"
    page = app.tab(widget).page
    error = page.get_by_test_id("stException")
    expect(error).to_contain_text(f"st.{widget} cannot be used in a cached function")
    expect(error).to_contain_text("pass the file as an argument")


PRINTED = """\
import book
import streamlit as st
import torchvision
from torchvision.models import ResNet50_Weights

{example}
model = load_model()
book.tell("model", f"{{id(model)}} {{model.pretrained}}")
book.end_of_run()
"""


def test_h5_the_reference_pages_example_as_printed(app):
    """H5, H2: `load_model` with its checkbox, in two browsers; the two states of the box are two models."""
    example = (EXAMPLES / "load_model_widget.txt").read_text(encoding="utf-8")
    (app.folder / "cases" / "printed.py").write_text(PRINTED.format(example=example), encoding="utf-8")
    ann, ben = app.tab("printed").ran(1), app.tab("printed").ran(1)
    plain = ann.told("model")
    assert plain.endswith(" False")
    trained = ann.tick("Use pre-trained model:").ran(2).told("model")
    assert trained.endswith(" True")
    assert ben.told("model") == plain
    assert ben.tick("Use pre-trained model:").ran(2).told("model") == trained
    assert ann.tick("Use pre-trained model:").ran(3).told("model") == plain
    expect(ben.page.get_by_role("checkbox", name="Use pre-trained model:")).to_be_checked()
    expect(ann.page.get_by_role("checkbox", name="Use pre-trained model:")).not_to_be_checked()


def test_h5_the_demos_meadow_is_shared_by_who_sets_the_same(demo, clerk, picture):
    """H5, L10: sliders, a checkbox and a form in a cached function; picture and price stand on hits."""
    ann, ben = clerk().open("meadow").settle(), clerk().open("meadow").settle()
    first = ann.object("mix")
    assert ben.object("mix") == first

    ann.tick("Grasses between them")
    ann.sees_build("mix", 2).slide("Field poppy")
    expect(ann.sees_build("mix", 3).page.get_by_text("13 packets and 2 of grass")).to_be_visible()
    ann.write("On the packet", "Lower field", enter=False).press("Print it")
    expect(ann.page.get_by_text("Lower field")).to_be_visible()
    expect(ann.settle().page.get_by_test_id("stImage")).to_have_count(1)
    picture(ann, "demo-meadow")
    assert ben.object("mix") == first

    mine = ann.press("Run the page again").settle()
    expect(mine.page.get_by_text("Lower field")).to_be_visible()
    ben.tick("Grasses between them")
    expect(ben.sees_build("mix", 2).page.get_by_test_id("stSlider")).to_have_count(4)
    expect(ben.page.get_by_test_id("stImage").locator("img")).to_be_visible()
    expect(ben.page.get_by_label("On the packet")).to_have_value("Our own meadow")
