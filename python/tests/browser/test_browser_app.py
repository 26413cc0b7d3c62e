"""C1, C4, H4, H5: the rest of a real app, as the people at the browsers see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect
from serving import APPS, PATIENCE, STREAMLIT, TENURE, App


@pytest.fixture(scope="module")
def app(tmp_path_factory, browser):
    """One server for the pages of this file, each of which has functions of its own."""
    running = App(tmp_path_factory.mktemp("app"), browser, "pages")
    try:
        running.wait_until_healthy()
        yield running
    finally:
        running.stop()


def stop(tab):
    """Press the app's own stop button."""
    tab.page.get_by_role("button", name="Stop", exact=True).click()


def test_c4_a_script_that_is_stopped_during_a_build(serve):
    """C4, L1: a build that Streamlit ends keeps nothing; one that ends by itself keeps its resource."""
    app = serve("pages")
    ann = app.tab()
    ann.page.goto(f"{app.url}/stopped")
    spinner = ann.page.get_by_test_id("stSpinner")
    expect(spinner).to_contain_text("Pressing…")

    # Nothing in this build asks Streamlit: it ends as if nobody had pressed.
    app.wait_for("waits", 1)
    stop(ann)
    app.open_gate()
    (built,) = app.wait_for("built", 1)
    expect(spinner).to_have_count(0)
    ann.settle()
    assert ann.press("Run again").ran(1).told("object") == built["name"]

    # This one does, and is ended by it.
    ann.tick("Shows")
    expect(spinner).to_be_visible()
    app.wait_for("waits", 2)
    stop(ann)
    app.open_gate()
    expect(spinner).to_have_count(0)
    ann.settle()
    assert len(app.noted("built")) == 1
    ann.press("Run again")
    app.wait_for("waits", 3)
    app.open_gate()
    ann.ran(2)
    assert len(app.noted("built")) == 2
    expect(ann.page.get_by_text("pressed")).to_be_visible()
    assert app.noted("released") == []


def test_c4_who_waits_for_a_build_can_be_stopped(serve):
    """C4, C1: Ben's script ends while it waits for Ann's build, which goes on; then he finds what she built."""
    app = serve("pages")
    ann, ben = app.tab(), app.tab()
    ann.page.goto(f"{app.url}/stopped")
    app.wait_for("waits", 1)
    ben.page.goto(f"{app.url}/stopped")
    app.wait_for("runs", 2)
    expect(ben.page.get_by_test_id("stSpinner")).to_contain_text("Pressing…")
    stop(ben)
    # The gate is still closed.
    expect(ben.page.get_by_test_id("stSpinner")).to_have_count(0)
    ben.settle()
    expect(ann.page.get_by_test_id("stSpinner")).to_be_visible()
    app.open_gate()
    ann.ran(1)
    assert ben.press("Run again").ran(1).told("object") == ann.told("object")
    assert len(app.noted("built")) == 1


def test_c4_stop_and_rerun_inside_a_build(app):
    """C4: `st.stop` and `st.rerun` do what they do anywhere, nothing is kept, and no error is shown."""
    ann = app.tab("control").ran(1)
    for times in (1, 2):
        ann.press("closed")
        app.wait_for("called", times, state="closed")
        expect(ann.page.get_by_text("The gate is closed.")).to_be_visible()
        ann.settle()
    assert app.objects("built", "gate") == []

    ann.press("ajar").ran(2)
    assert len(app.noted("called", state="ajar")) == 1
    (built,) = app.objects("built", "gate")
    assert ann.told("object") == built
    expect(ann.page.get_by_test_id("stException")).to_have_count(0)
    expect(ann.page.get_by_test_id("stSpinner")).to_have_count(0)


def test_h5_in_a_fragment_a_change_runs_the_fragment_alone(app):
    """H4, H5: elements and widget stand on the fragment's hits, and the page is not run for them."""
    ann = app.tab("fragment").ran(1)
    shown, part = ann.page.get_by_test_id("stAlert"), ann.page.get_by_text
    first = ann.told("object")
    ann.slide("Stems")
    expect(part("part 2", exact=True)).to_be_visible()
    expect(shown).to_have_text("6 stems counted")
    ann.slide("Stems", "ArrowLeft")
    expect(part("part 3", exact=True)).to_be_visible()
    expect(shown).to_have_text("5 stems counted")
    assert ann.ran(1).told("object") == first
    # A hit in the page's run, and one in the fragment's after it.
    ann.press("Run again").ran(2)
    ann.slide("Stems")
    expect(part("part 5", exact=True)).to_be_visible()
    expect(shown).to_have_text("6 stems counted")
    assert ann.ran(2).told("object") == app.objects("built", "count")[1]
    assert len(app.objects("built", "count")) == 2


def test_h5_in_a_dialog(app):
    """H4, H5: a field inside a cached function inside a dialog; `st.rerun` closes it."""
    ann = app.tab("dialog").ran(1)
    for text in ("aster", "dahlia"):
        # Streamlit forgets a field at the end of a run without it, and not where the next run comes before that.
        ann.settle().press("Ask")
        dialog = ann.page.get_by_role("dialog")
        expect(dialog).to_contain_text("printed for dahlia")
        ann.write("Label", "aster")
        expect(dialog).to_contain_text("printed for aster")
        ann.settle().write("Label", text)
        expect(dialog).to_contain_text(f"printed for {text}")
        ann.settle().press("Done")
        expect(dialog).to_have_count(0)
    assert ann.settle().told("done") == "2"
    assert len(app.objects("built", "label")) == 2


def test_h4_on_threads_of_the_apps_own(app):
    """H1, H4: with the script's context a build shows its elements; without one it works and shows none."""
    ann = app.tab("threads").ran(1)
    assert ann.told("bare").endswith(" True")
    assert ann.told("context").endswith(" True")
    assert ann.told("bare").startswith(ann.told("mine"))
    expect(ann.page.get_by_test_id("stAlert").filter(has_text="dug context")).to_have_count(2)
    assert len(app.objects("built", "dig")) == 2


def test_h4_a_status_and_the_sessions_state(app):
    """H4: a status stands as it ended; what a build wrote into a session's state is that session's."""
    ann = app.tab("status").ran(1)
    ann.press("Run again").ran(2)
    ben = app.tab("status").ran(1)
    for one, dried in ((ann, "1"), (ben, "0")):
        expect(one.page.get_by_test_id("stExpander")).to_contain_text("Dried")
        expect(one.page.get_by_test_id("stExpanderIconSpinner")).to_have_count(0)
        assert one.told("dried") == dried
    assert ann.told("object") == ben.told("object")


@pytest.mark.parametrize(
    ("command", "mode"),
    [(STREAMLIT, "import"), (STREAMLIT, "install"), (TENURE, "unchanged"), (TENURE, "import")],
    ids=["streamlit run, import", "streamlit run, install", "tenure run", "tenure run, import"],
)
def test_h1_h2_an_app_on_a_server_however_it_is_started(serve, command, mode):
    """H1, H2, H5, L6: the same app in every way, with its widget, in two sessions; its end releases all."""
    app = serve("modes", command=command, env={"MODE": mode})
    ann, ben = app.tab().ran(1), app.tab().ran(1)
    first = ann.told("object")
    assert ben.told("object") == first
    expect(ben.page.get_by_test_id("stAlert")).to_have_text("4 cups brewed")
    second = ben.slide("Cups").ran(2).told("object")
    assert ann.slide("Cups").ran(2).told("object") == second
    expect(ann.page.get_by_test_id("stAlert")).to_have_text("5 cups brewed")
    assert app.terminate() == 0
    assert app.objects("built", "brew") == [first, second]
    assert sorted(app.objects("released", "brew")) == sorted([first, second])


@pytest.mark.parametrize("mode", ["import", "install"])
def test_h1_an_app_without_a_server(tmp_path, mode):
    """H1, H5, L6: `python app.py` takes the widget's first value, builds once, and releases at its end."""
    events = tmp_path / "events"
    path = os.pathsep.join(filter(None, (str(APPS), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "MODE": mode, "BOOK": str(events), "PYTHONPATH": path}
    script = APPS / "modes" / "app.py"
    done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["built", "ran", "released"]
    assert len({line["name"] for line in lines}) == 1
    assert lines[1]["cups"] == 4
