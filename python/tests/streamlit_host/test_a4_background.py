"""A4, L16: refreshes and builds of an app that no script run carries, with Streamlit's own settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stage
import streamlit

import tenure.streamlit
from tenure.hosts import streamlit as adapter

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

MULTIPLIER = "runner.cacheBackgroundRefreshTTLMultiplier"
WORKERS = "runner.cacheBackgroundRefreshMaxWorkers"


@pytest.fixture
def option() -> Any:
    """Sets an option of Streamlit's for a test."""
    before = {}

    def set_option(name: str, value: object) -> None:
        try:
            before.setdefault(name, streamlit.config.get_option(name))
        except RuntimeError:
            pytest.skip("this Streamlit has no such option")
        streamlit.config._set_option(name, value, "a test")

    yield set_option
    for name, value in before.items():
        streamlit.config._set_option(name, value, "a test")


def _rates():
    import stage
    import streamlit as st

    @st.cache_resource(ttl=1e-9, refresh_mode="background", max_stale="1h", on_release=stage.things["released"].append)
    def rates(market):
        st.text(f"the rates of {market}")
        return [stage.build(market)]

    st.text(f"{rates('tea')[0]}")
    st.text("last")


def test_a4_a_run_shows_the_old_one_and_a_later_one_the_new(app: Callable[..., Any]) -> None:
    """H4: what the last build of a session has put out stays there."""
    stage.things.update(built=[], released=stage.Log())
    tenure.streamlit.install()
    page = app(_rates)
    page.run()
    page.fine()
    assert page.texts() == ["the rates of tea", "tea 1", "last"]
    page.run()
    page.fine()
    # The old one, with what its build put out; meanwhile the new one is built, and releases it.
    assert page.texts()[1:] in (["tea 1", "last"], ["tea 2", "last"])
    stage.released(1)
    page.run()
    page.fine()
    assert page.texts()[0] == "the rates of tea"
    assert page.texts()[1] != "tea 1"
    assert stage.things["released"][0] == ["tea 1"]


def test_a4_the_apps_options_say_how_long_and_how_many(option: Any, caplog: pytest.LogCaptureFixture) -> None:
    host = adapter.attach()
    assert host.refreshing() == (2.0, 4)
    option(MULTIPLIER, 3.5)
    option(WORKERS, 2)
    assert host.refreshing() == (3.5, 2)
    assert caplog.text == ""
    for wrong in (1.0, 0.5, float("inf"), float("nan")):
        option(MULTIPLIER, wrong)
        assert host.refreshing()[0] == 2.0
        assert "must be a number above 1.0" in caplog.text
        caplog.clear()


def _by_the_multiplier():
    import stage
    import streamlit as st

    @st.cache_resource(ttl=1e-6, refresh_mode="background")
    def rates():
        return [stage.build("tea")]

    st.text(f"{rates()[0]}")


@pytest.mark.parametrize(("multiplier", "stays"), [(1e12, True), (1.5, False)])
def test_a4_the_multiplier_bounds_the_age(app: Callable[..., Any], option: Any, multiplier: float, stays: bool) -> None:
    stage.things.update(built=[])
    option(MULTIPLIER, multiplier)
    option(WORKERS, 0)
    tenure.streamlit.install()
    page = app(_by_the_multiplier)
    for _ in range(3):
        page.run()
        page.fine()
    # Without workers nothing is refreshed: what is too old is built in a run.
    assert len(stage.things["built"]) == (1 if stays else 3)


def _slow():
    import threading

    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(build_timeout="1m", show_spinner=False)
    def model(name):
        stage.things["threads"].append(threading.current_thread())
        st.text(f"loading {name}")
        with st.sidebar:
            st.text(f"beside {name}")
        return [stage.build(name)]

    st.text("first")
    given = model("small")
    stage.things["threads"].append(threading.current_thread())
    with st.container():
        st.text(f"{given[0]}")
    st.text("last")


def test_l16_what_a_build_on_another_thread_puts_out_is_on_the_page(app: Callable[..., Any]) -> None:
    """H4: and is there again at every hit; nothing of the run itself is."""
    stage.things.update(built=[], threads=[])
    page = app(_slow)
    page.run()
    page.fine()
    built, script = stage.things["threads"]
    assert built is not script
    first = sorted(page.texts())
    assert first == sorted(["first", "loading small", "beside small", "small 1", "last"])
    page.run()
    page.fine()
    assert sorted(page.texts()) == first
    assert stage.things["built"] == ["small 1"]
