"""H4, H5 in the rest of an app: fragments, dialogs, pages, forms around a function, a re-run from inside a build."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stage
from streamlit.proto.BackMsg_pb2 import BackMsg

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

LOAD = """
import stage
import streamlit as st
import tenure

def load():
    stage.things["runs"] += 1
    st.text("loading")
    with st.columns(2)[1]:
        st.image(stage.things["pixel"])
    return st.slider("Size", 0, 10, 3) if stage.things["widgets"] else 3

if stage.things["cached"]:
    load = tenure.cache_resource(show_spinner=False, experimental_allow_widgets=stage.things["widgets"])(load)
"""


def _compare(live: Callable[[str], Any], script: str, visit: Callable[[Any], Any], *, widgets: bool) -> None:
    """The same visit to the app with and without the cache shows the same, and builds once."""
    from elements import PIXEL

    seen = []
    for cached in (False, True):
        stage.things.update(cached=cached, widgets=widgets, runs=0, pixel=PIXEL)
        server = live(LOAD + script)
        seen.append(visit(server.connect()))
        server.stop()
    assert seen[1] == seen[0]
    assert stage.things["runs"] == 1


def _rerun(browser: Any, **what: Any) -> list[stage.Delta]:
    before = len(browser.messages)
    message = BackMsg()
    message.rerun_script.query_string = ""
    for name, value in what.items():
        setattr(message.rerun_script, name, value)
    browser.send(message)
    browser.until(stage.finished, before)
    return stage.deltas(browser.messages[before:])


@pytest.mark.parametrize("widgets", [False, True])
def test_h4_a_fragment_that_runs_by_itself_hits(live: Callable[[str], Any], widgets: bool) -> None:
    script = """
st.text("above")

@st.fragment
def part():
    st.text("part")
    st.text(str(load()))

part()
st.text("below")
"""

    def visit(browser: Any) -> Any:
        first = browser.run()
        (fragment,) = {delta.proto.fragment_id for delta in first if delta.proto.fragment_id}
        alone = [_rerun(browser, fragment_id=fragment) for _ in range(2)]
        assert all(delta.proto.fragment_id == fragment for run in alone for delta in run)
        assert len(alone[0]) > 4
        return first, alone

    _compare(live, script, visit, widgets=widgets)


@pytest.mark.parametrize("widgets", [False, True])
def test_h4_in_a_dialog(live: Callable[[str], Any], widgets: bool) -> None:
    script = """
@st.dialog("Choose")
def choose():
    st.text(str(load()))

st.text("above")
choose()
"""
    _compare(live, script, lambda browser: [browser.run() for _ in range(3)], widgets=widgets)


def test_h4_on_several_pages(live: Callable[[str], Any]) -> None:
    script = """
def one():
    st.text("one")
    load()

def two():
    with st.sidebar:
        load()
    st.text("two")

st.navigation([st.Page(one), st.Page(two)]).run()
"""

    def visit(browser: Any) -> Any:
        first = browser.run()
        pages = {}
        for message in browser.messages:
            if message.WhichOneof("type") == "navigation":
                pages = {page.page_name: page.page_script_hash for page in message.navigation.app_pages}
        assert len(pages) == 2
        return first, [_rerun(browser, page_script_hash=page) for page in [*pages.values(), *pages.values()]]

    _compare(live, script, visit, widgets=False)


def test_h4_in_a_form_and_in_a_popover(live: Callable[[str], Any]) -> None:
    script = """
with st.form("around"):
    load()
    st.form_submit_button("Send")
with st.popover("More"):
    load()
"""

    def visit(browser: Any) -> Any:
        return [browser.run() for _ in range(2)]

    from elements import PIXEL

    seen = []
    for cached in (False, True):
        stage.things.update(cached=cached, widgets=False, runs=0, pixel=PIXEL)
        server = live(LOAD + script)
        seen.append(visit(server.connect()))
        server.stop()
    assert seen[1] == seen[0]


def test_c4_a_rerun_from_inside_a_build_builds_in_the_next_run(app: Callable[..., Any]) -> None:
    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            stage.things["runs"] += 1
            st.text(f"run {stage.things['runs']}")
            if stage.things["runs"] == 1:
                st.rerun()
            return stage.things["runs"]

        st.text(str(load()))

    stage.things["runs"] = 0
    page = app(script)
    for _ in range(2):
        page.run()
        page.fine()
        assert page.texts() == ["run 2", "2"]


def test_h4_session_state_used_inside_is_the_builders(app: Callable[..., Any]) -> None:
    """It is no argument: what it was at the build stays, as with Streamlit's own."""

    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            st.session_state["loaded"] = True
            st.text(st.session_state["who"])

        st.session_state["who"] = st.text_input("Who", "first")
        load()
        st.text(str(st.session_state.get("loaded", False)))

    first, second = app(script), app(script)
    first.run()
    assert first.texts() == ["first", "True"]
    second.run()
    second.run(lambda test: test.text_input[0].set_value("second"))
    assert second.texts() == ["first", "False"]
