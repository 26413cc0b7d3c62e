"""C4: a script that is stopped or re-run while it waits for another's build stops waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import stage

from world import await_waiting

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

APP = """
import stage
import streamlit as st
import tenure

@tenure.cache_resource
def slow():
    stage.things["begun"].set()
    stage.wait(stage.things["go on"])
    if stage.things["yields"]:
        st.text("built")
    return stage.build("slow")

stage.things["slow"] = slow
st.text(slow())
"""


@pytest.fixture
def two(live: Callable[[str], Any], watched: stage.Watched) -> Any:
    """One session builds, another waits, and is seen to wait."""
    stage.things.update(released=stage.Log(), built=[], begun=threading.Event(), yields=False)
    stage.things["go on"] = threading.Event()
    server = live(APP)
    builder, waiter = server.connect(), server.connect()
    builder.start()
    stage.wait(stage.things["begun"])
    waiter.start()
    waiter.until(lambda messages: any(delta.spinners for delta in stage.deltas(messages) if delta.what == "transient"))
    yield builder, waiter
    stage.things["go on"].set()


def _transients(browser: Any) -> list[Any]:
    return [delta.spinners for delta in stage.deltas(browser.messages) if delta.what == "transient"]


def test_c4_stop_ends_a_wait_and_not_the_build(two: Any) -> None:
    builder, waiter = two
    waiter.press_stop()
    waiter.until(stage.finished)
    assert not stage.finished(builder.messages)
    assert waiter.texts() == []
    assert _transients(waiter)[-1] == [], "the spinner goes too"
    stage.things["go on"].set()
    builder.until(stage.finished)
    assert builder.texts() == ["slow 1"]
    waiter.run()
    assert waiter.texts() == ["slow 1"]


def test_c4_a_rerun_waits_again_and_the_build_goes_on(two: Any) -> None:
    builder, waiter = two
    with waiter._changed:
        before = len(waiter.messages)
    waiter.start()
    waiter.until(lambda new: any(message.WhichOneof("type") == "new_session" for message in new), before)
    waiter.until(lambda new: any(d.spinners for d in stage.deltas(new) if d.what == "transient"), before)
    stage.things["go on"].set()
    builder.until(stage.finished)
    waiter.until(lambda new: stage.texts(new) == ["slow 1"], before)
    assert stage.things["built"] == ["slow 1"]


@pytest.mark.parametrize("yields", [False, True], ids=["kept", "handed on"])
@pytest.mark.parametrize("end", ["press_stop", "start"], ids=["stopped", "re-run"])
def test_c4_a_builder_that_is_stopped_or_rerun_leaves_the_waiter_a_result(two: Any, end: str, yields: bool) -> None:
    """Where an `st` command comes after, it ends the build, and the waiter builds; otherwise the build is kept."""
    builder, waiter = two
    stage.things["yields"] = yields
    getattr(builder, end)()
    stage.things["go on"].set()
    shown = ["built", "slow 1"] if yields else ["slow 1"]
    waiter.until(lambda messages: stage.texts(messages) == shown)
    if end == "start":
        builder.until(lambda messages: stage.texts(messages) == shown)
    else:
        builder.until(stage.finished)
        assert builder.texts() == []
        builder.run()
        assert builder.texts() == shown
    assert stage.things["built"] == ["slow 1"]


def test_c4_a_disconnected_waiter_goes(two: Any) -> None:
    builder, waiter = two
    slow = stage.things["slow"]
    assert slow.info().waiting == 1
    waiter.disconnect()
    await_waiting(slow, 0)
    assert not stage.finished(builder.messages)
    stage.things["go on"].set()
    builder.until(stage.finished)
    assert builder.texts() == ["slow 1"]
    assert slow.info().builds == 1


def test_c4_a_stop_during_a_build_loses_nothing_built(live: Callable[[str], Any], watched: stage.Watched) -> None:
    """The stop is asked for while the function runs and no `st` command is left in it: the spinner's end must not
    raise it, or the resource would be lost. It takes effect at the script's next command."""
    stage.things.update(released=stage.Log(), built=[], begun=threading.Event(), yields=False)
    stage.things["go on"] = threading.Event()
    browser = live(APP.replace("stage.wait(", "stage.wait(stage.things['watched'].shown); stage.wait(")).connect()
    stage.things["watched"] = watched
    browser.start()
    stage.wait(stage.things["begun"])
    stage.wait(watched.shown)
    browser.press_stop()
    stage.things["go on"].set()
    browser.until(stage.finished)
    assert browser.texts() == []
    assert _transients(browser)[-1] == []
    browser.run()
    assert browser.texts() == ["slow 1"]
    assert stage.things["built"] == ["slow 1"]


def test_c4_st_stop_inside_a_build_keeps_nothing(app: Callable[..., Any]) -> None:
    """The app's own stop inside a cached function ends the run; nothing is poisoned, the next run builds."""

    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            st.text("loading")
            if stage.things.pop("stop", False):
                st.stop()
            return "loaded"

        st.text(load())

    stage.things["stop"] = True
    page = app(script)
    page.run()
    page.fine()
    assert page.texts() == ["loading"]
    page.run()
    assert page.texts() == ["loading", "loaded"]
