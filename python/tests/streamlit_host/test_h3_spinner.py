"""H3: the spinner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import stage
from stage import Watched

import tenure.testing

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]


def _spinners(run: list[stage.Delta]) -> list[list[Any]]:
    return [delta.spinners for delta in run if delta.kind == "new_transient"]


def _one(settings):
    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(**settings)
    def load_model(size):
        stage.things["build"]()
        return size

    st.text("above")
    load_model(3)
    st.text("below")


def test_h3_a_build_that_ends_at_once_sends_no_spinner_messages(app: Callable[..., Any], quiet: Watched) -> None:
    stage.things["build"] = lambda: None
    page = app(_one, settings={"show_time": True})
    miss = page.run()
    page.fine()
    assert len(quiet.builds) == 1
    assert [delta.what for delta in miss] == ["text", "text"]
    assert [delta.path for delta in miss] == [[0, 0], [0, 1]]
    assert page.run() == miss


def test_h3_the_spinner_is_due_after_a_tenth_of_a_second(app: Callable[..., Any]) -> None:
    """By a clock that the test drives: not before, once, and gone with the build."""
    with tenure.testing.clock() as clock:

        def build() -> None:
            clock.advance(0.099)
            stage.things["before"] = _spinners(stage.deltas(page.sent_so_far()))
            clock.advance(0.001)
            clock.advance(5)

        stage.things["build"] = build
        page = app(_one, settings={"show_spinner": "Due"})
        miss = page.run()
        page.fine()
    assert stage.things["before"] == []
    assert [[spinner.text for spinner in shown] for shown in _spinners(miss)] == [["Due"], []]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "Running `_one.<locals>.load_model(...)`."),
        ({"show_spinner": True}, "Running `_one.<locals>.load_model(...)`."),
        ({"show_spinner": "Warming *up*…"}, "Warming *up*…"),
    ],
)
@pytest.mark.parametrize("show_time", [False, True])
def test_h3_a_slow_build_shows_its_text_and_the_time(
    app: Callable[..., Any], watched: Watched, settings: dict[str, Any], text: str, show_time: bool
) -> None:
    """The engine shows the spinner by itself: the build ends only once it is seen."""
    stage.things["build"] = lambda: stage.wait(watched.shown)
    page = app(_one, settings={**settings, "show_time": show_time})
    miss = page.run()
    page.fine()
    assert [delta.kind for delta in miss] == ["new_element", "new_transient", "new_transient", "new_element"]
    shown, hidden = _spinners(miss)
    assert [(spinner.text, spinner.show_time, spinner.cache) for spinner in shown] == [(text, show_time, True)]
    assert hidden == []
    hit = page.run()
    assert hit == stage.elements(miss)


def test_h3_no_spinner_where_none_is_wanted(app: Callable[..., Any], quiet: Watched) -> None:
    stage.things["build"] = lambda: quiet.builds[0].show()
    page = app(_one, settings={"show_spinner": False})
    miss = page.run()
    page.fine()
    assert _spinners(miss) == []


def test_h3_the_spinner_takes_no_place_from_the_elements(app: Callable[..., Any], quiet: Watched) -> None:
    """Elements before and after it shows stand where they would stand without it, and on hits without it too."""

    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource
        def build():
            st.text("before")
            left, right = st.columns(2)
            left.text("left")
            stage.things["show"]()
            right.text("right")
            with st.container():
                st.text("inside")
            st.text("after")
            return 1

        with st.expander("around"):
            st.text("first")
            build()
            st.text("last")
        st.text("outside")

    stage.things["show"] = lambda: quiet.builds[0].show()
    page = app(script)
    miss = page.run()
    page.fine()
    at = [delta.path for delta in miss if delta.kind == "new_transient"]
    assert at == [[0, 0, 1], [0, 0, 1]], "shown and hidden where the build began"
    plain = stage.elements(miss)
    assert [delta.path for delta in plain if len(delta.path) == 3] == [[0, 0, n] for n in range(6)]
    assert page.run() == plain


def test_h3_while_the_spinner_shows_no_index_is_skipped(app: Callable[..., Any], quiet: Watched) -> None:
    """The front end refuses a gap: whatever the moment, the spinner is at a place that is there or comes next."""

    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource
        def build(moment):
            for number in range(4):
                if number == moment:
                    stage.things["show"](moment)
                st.text(f"{number}")
            return 1

        for moment in range(4):
            build(moment)

    def show(moment: int) -> None:
        # As the engine does it: from a thread of its own, while the building thread may go on.
        background = threading.Thread(target=quiet.builds[moment].show)
        background.start()
        background.join()

    stage.things["show"] = show
    page = app(script)
    miss = page.run()
    page.fine()
    taken = 0
    for delta in miss:
        assert delta.path[1] <= taken, "a gap"
        if delta.kind == "new_element":
            assert delta.path[1] == taken
            taken += 1
    assert len(_spinners(miss)) == 8


def test_h3_only_the_outermost_build_shows_one(app: Callable[..., Any], quiet: Watched) -> None:
    def script():
        import stage

        import tenure

        @tenure.cache_resource(show_spinner="inner")
        def inner():
            stage.things["show"]()
            return 1

        @tenure.cache_resource(show_spinner="outer")
        def outer():
            return inner()

        outer()

    stage.things["show"] = lambda: [build.show() for build in quiet.builds]
    page = app(script)
    miss = page.run()
    page.fine()
    assert len(quiet.builds) == 2
    assert [[spinner.text for spinner in shown] for shown in _spinners(miss)] == [["outer"], []]


def test_h3_a_build_that_fails_leaves_no_spinner(app: Callable[..., Any], quiet: Watched) -> None:
    def build() -> None:
        quiet.builds[-1].show()
        raise ValueError("no model today")

    stage.things["build"] = build
    page = app(_one, settings={})
    for _ in range(2):
        run = page.run()
        assert page.test.exception[0].message == "no model today"
        assert len(_spinners(run)[0]) == 1
        assert _spinners(run)[-1] == []


def test_h3_nothing_shows_after_the_end(app: Callable[..., Any], quiet: Watched) -> None:
    """A background thread that comes too late finds the build over."""
    stage.things["build"] = lambda: None
    page = app(_one, settings={})
    page.run()
    before = len(page.test.main)
    quiet.builds[0].show()
    assert _spinners(stage.deltas(page.sent[-1])) == []
    assert len(page.test.main) == before


def test_h3_a_caller_that_waits_shows_the_same_spinner(live: Callable[[str], Any], watched: Watched) -> None:
    """Two sessions want one resource: one builds, the other waits, and both say what is going on."""
    server = live(
        """
        import stage
        import streamlit as st
        import tenure

        @tenure.cache_resource(show_spinner="Shared", show_time=True)
        def shared():
            stage.things["begun"].set()
            stage.wait(stage.things["go on"])
            return object()

        st.text(str(id(shared())))
        """
    )
    begun, go_on = stage.things["begun"], stage.things["go on"] = threading.Event(), threading.Event()
    first, second = server.connect(), server.connect()
    first.start()
    stage.wait(begun)
    second.start()
    for browser in (first, second):
        browser.until(lambda messages: any(_spinners(stage.deltas(messages))))
    go_on.set()
    for browser in (first, second):
        browser.until(stage.finished)
        shown = _spinners(stage.deltas(browser.messages))
        assert [(spinner.text, spinner.show_time) for spinner in shown[0]] == [("Shared", True)]
        assert shown[-1] == []
    assert first.texts() == second.texts()
