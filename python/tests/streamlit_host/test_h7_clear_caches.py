"""H7: the menu's "Clear caches", and Streamlit's own test harness."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import stage
import streamlit as st

import tenure.streamlit

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

APP = """
import stage
import streamlit as st
import tenure

@tenure.cache_resource(on_release=lambda thing: stage.things["released"].append("global"))
def shared():
    return object()

@tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append("session"))
def own():
    return object()

@st.cache_data
def data():
    stage.things["data"] += 1
    return 1

data()
st.text(f"{id(shared())} {id(own())}")
"""


def test_h7_clear_caches_in_the_menu_clears_tenures_too(live: Callable[[str], Any]) -> None:
    stage.things.update(released=[], data=0)
    browser = live(APP).connect()
    browser.run()
    browser.run()
    assert stage.things == {"released": [], "data": 1}
    browser.clear_caches()
    assert sorted(stage.things["released"]) == ["global", "session"]
    browser.run()
    assert stage.things["data"] == 2, "Streamlit's own caches are cleared as before"


def test_h7_st_cache_resource_clear_is_tenures_once_installed(app: Callable[..., Any]) -> None:
    def script():
        import stage
        import streamlit as st

        @st.cache_resource(on_release=lambda thing: stage.things["released"].append(thing))
        def load():
            return "resource"

        load()
        st.button("Clear all", on_click=st.cache_resource.clear)

    tenure.streamlit.install()
    stage.things["released"] = []
    page = app(script)
    page.run()
    page.run(lambda test: test.button[0].click())
    page.fine()
    assert stage.things["released"] == ["resource"]


def test_h7_each_apptest_is_a_session_of_its_own(app: Callable[..., Any]) -> None:
    """AppTest gives all its sessions one id. A session begins with its AppTest and ends when that is gone."""

    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append(thing))
        def connect():
            stage.things["built"] += 1
            return stage.things["built"]

        st.text(str(connect()))

    stage.things.update(released=[], built=0)
    first, second = app(script), app(script)
    for _ in range(2):
        first.run()
        second.run()
        assert first.texts() == ["1"]
        assert second.texts() == ["2"]
    assert stage.things["released"] == []
    del first
    gc.collect()
    assert stage.things["released"] == [1]
    second.run()
    assert second.texts() == ["2"]


def test_h7_apptest_does_not_need_to_know(app: Callable[..., Any]) -> None:
    """Elements by kind, widget steps and re-runs, as in any test of an app."""

    def script():
        import streamlit as st

        @st.cache_resource
        def load(name):
            st.success(f"loaded {name}")
            return name.upper()

        st.title(load(st.selectbox("Model", ["small", "large"])))

    tenure.streamlit.install()
    page = app(script)
    page.run()
    assert page.test.success[0].value == "loaded small"
    page.run(lambda test: test.selectbox[0].select("large"))
    assert page.test.title[0].value == "LARGE"
    page.run(lambda test: test.selectbox[0].select("small"))
    assert [page.test.success[0].value, page.test.title[0].value] == ["loaded small", "SMALL"]
    assert st.cache_resource is tenure.cache_resource
