"""S1 to S4 in Streamlit: what is whose, and when a session's resources go."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import stage

import tenure.testing
from tenure.hosts.streamlit import sessions

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

APP = """
import stage
import streamlit as st
import tenure.testing

@tenure.cache_resource(on_release=lambda thing: stage.things["released"].append(thing))
def shared():
    return stage.build("shared")

@tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append(thing))
def own():
    return stage.build("own")

st.text(shared())
st.text(own())
"""


@pytest.fixture(autouse=True)
def _counted() -> None:
    stage.things.update(released=stage.Log(), built=[])


@pytest.fixture
def grace() -> Any:
    tenure.configure(session_grace="1h")
    yield
    tenure.configure()


def test_s1_s2_one_for_all_and_one_for_each(live: Callable[[str], Any]) -> None:
    server = live(APP)
    first, second = server.connect(), server.connect()
    for browser in (first, second, first):
        browser.run()
    assert first.texts() == ["shared 1", "own 2"] * 2
    assert second.texts() == ["shared 1", "own 3"]


def test_s2_a_disconnect_releases_at_once(live: Callable[[str], Any]) -> None:
    """Nothing else has to happen first: no call, no timer."""
    server = live(APP)
    first, second = server.connect(), server.connect()
    first.run()
    second.run()
    first.disconnect()
    assert stage.released(1) == ["own 2"]
    second.run()
    assert second.texts()[-2:] == ["shared 1", "own 3"]
    second.close()
    assert stage.released(2) == ["own 2", "own 3"]


def test_l2_a_slow_release_holds_up_no_other_session(live: Callable[[str], Any]) -> None:
    server = live(
        """
        import stage
        import streamlit as st
        import tenure

        def release(thing):
            stage.wait(stage.things["go on"])
            stage.things["released"].append(thing)

        @tenure.cache_resource(scope="session", on_release=release)
        def own():
            return stage.build("own")

        st.text(own())
        """
    )
    stage.things["go on"] = threading.Event()
    first, second = server.connect(), server.connect()
    first.run()
    second.run()
    first.disconnect()
    second.run()
    first.reconnect()
    first.run()
    assert stage.things["released"] == [], "the server goes on meanwhile"
    assert [first.texts(), second.texts()] == [["own 1", "own 3"], ["own 2", "own 2"]]
    stage.things["go on"].set()
    assert stage.released(1) == ["own 1"]


def test_s2_the_end_of_the_server_ends_its_sessions(live: Callable[[str], Any]) -> None:
    server = live(APP)
    connected, away = server.connect(), server.connect()
    connected.run()
    away.run()
    away.disconnect()
    server.stop()
    assert sorted(stage.released(2)) == ["own 2", "own 3"]


def test_s2_l1_a_script_that_outlives_its_session_leaves_nothing(live: Callable[[str], Any]) -> None:
    """It builds for a session that is gone, since nothing has stopped it yet."""
    server = live(
        """
        import stage
        import tenure.testing

        @tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append(thing))
        def own():
            return stage.build("own")

        stage.things["running"].set()
        stage.wait(stage.things["disconnected"])
        own()
        """
    )
    stage.things.update(running=threading.Event(), disconnected=threading.Event())
    browser = server.connect()
    browser.start()
    stage.wait(stage.things["running"])
    browser.disconnect()
    stage.things["disconnected"].set()
    assert stage.released(1) == ["own 1"]


@pytest.mark.parametrize("end", ["disconnect", "close"])
def test_s2_l1_a_script_that_a_newer_run_replaced_leaves_nothing(live: Callable[[str], Any], end: str) -> None:
    """A rerun begins beside it: Streamlit knows no more of the older one, which runs until it writes next."""
    server = live(
        """
        import threading

        import stage
        import tenure.testing

        @tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append(thing))
        def own():
            return stage.build("own")

        run = stage.things["runs"].pop(0)
        run.thread = threading.current_thread()
        run.begun.set()
        stage.wait(run.goes_on)
        if run.builds:
            own()
        """
    )
    older, newer = Run(builds=True), Run(builds=False)
    stage.things["runs"] = [older, newer]
    browser = server.connect()
    for run in (older, newer):
        browser.start()
        stage.wait(run.begun)
    getattr(browser, end)()
    for run in (newer, older):
        run.goes_on.set()
        run.thread.join(stage.PATIENCE)
        server.on_loop(lambda: None)
    assert stage.released(1) == ["own 1"]


class Run:
    """One run of a script, which goes on when the test says so."""

    thread: threading.Thread

    def __init__(self, *, builds: bool) -> None:
        self.builds = builds
        self.begun = threading.Event()
        self.goes_on = threading.Event()


THREAD = """
    import threading

    import stage
    import streamlit as st
    from streamlit.runtime.scriptrunner import add_script_run_ctx

    import tenure.testing

    @tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append(thing))
    def own():
        return stage.build("own")

    def work():
        for asked, answered in stage.things["turns"]:
            stage.wait(asked)
            stage.things["got"].append(own())
            answered.set()

    if not stage.things["got"]:
        stage.things["got"].append(None)
        thread = threading.Thread(target=work)
        add_script_run_ctx(thread)
        thread.start()
        stage.things["thread"] = thread
    else:
        st.text(own())
"""
"""An app whose first run starts a thread that serves its session, and whose later runs use what that uses."""


class Turns:
    """The thread's calls, one when the test says so."""

    def __init__(self, count: int) -> None:
        self._left = [(threading.Event(), threading.Event()) for _ in range(count)]
        stage.things.update(turns=list(self._left), got=[])

    def take(self) -> str:
        asked, answered = self._left.pop(0)
        asked.set()
        stage.wait(answered)
        return str(stage.things["got"].pop())


def test_s2_l1_a_thread_that_outlives_its_session_leaves_nothing(live: Callable[[str], Any]) -> None:
    """However late it builds, and however often: each time it gets its own, which goes once it has let go."""
    server, turns = live(THREAD), Turns(3)
    browser = server.connect()
    browser.run()
    assert turns.take() == "own 1"
    browser.close()
    assert stage.released(1) == ["own 1"]
    gc.collect()  # Streamlit's own object for the session, too, may be gone by then.
    assert [turns.take(), turns.take()] == ["own 2", "own 3"]
    stage.things["thread"].join()
    assert sorted(stage.released(3)) == ["own 1", "own 2", "own 3"]


def test_s2_a_thread_is_at_home_again_when_its_session_is_back(live: Callable[[str], Any]) -> None:
    server, turns = live(THREAD), Turns(3)
    browser = server.connect()
    browser.run()
    browser.disconnect()
    assert turns.take() == "own 1"
    assert stage.released(1) == ["own 1"]
    browser.reconnect()
    assert [turns.take(), turns.take()] == ["own 2", "own 2"]
    browser.run()
    assert browser.texts() == ["own 2"]
    assert stage.things["released"] == ["own 1"]


def test_s4_what_a_thread_builds_while_its_session_is_away_waits_with_the_rest(
    live: Callable[[str], Any], grace: Any
) -> None:
    server, turns = live(THREAD), Turns(2)
    browser = server.connect()
    browser.run()
    browser.disconnect()
    assert [turns.take(), turns.take()] == ["own 1", "own 1"]
    browser.reconnect()
    browser.run()
    assert browser.texts() == ["own 1"]
    assert stage.things["released"] == []


def test_s2_a_session_may_be_older_than_what_tenure_was_told(
    live: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tenure finds an app at a call that misses, when sessions have begun; Streamlit says which of them are there."""
    browser = live(APP).connect()
    monkeypatch.setattr(sessions, "_met", weakref.WeakValueDictionary())
    browser.run()
    browser.run()
    assert browser.texts() == ["shared 1", "own 2"] * 2
    assert not sessions.has_ended(browser.id)
    assert sessions.has_ended("nobody")
    browser.disconnect()
    assert stage.released(1) == ["own 2"]
    assert sessions.has_ended(browser.id)


def test_s2_a_build_under_way_when_its_session_ends_is_released(live: Callable[[str], Any]) -> None:
    server = live(
        """
        import stage
        import tenure.testing

        @tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append(thing))
        def own():
            stage.things["running"].set()
            stage.wait(stage.things["disconnected"])
            return stage.build("own")

        own()
        """
    )
    stage.things.update(running=threading.Event(), disconnected=threading.Event())
    browser = server.connect()
    browser.start()
    stage.wait(stage.things["running"])
    browser.disconnect()
    stage.things["disconnected"].set()
    assert stage.released(1) == ["own 1"]


def test_s2_a_script_that_was_asked_to_run_again_and_outlives_its_session_leaves_nothing(
    live: Callable[[str], Any],
) -> None:
    """However many runs were asked for: Streamlit's runner is another one by then."""
    server = live(
        """
        import stage
        import tenure.testing

        @tenure.cache_resource(scope="session", on_release=lambda thing: stage.things["released"].append(thing))
        def own(number):
            if number == 1:
                stage.things["running"].set()
                stage.wait(stage.things["disconnected"])
            return stage.build("own")

        own(1)
        own(2)
        """
    )
    stage.things.update(running=threading.Event(), disconnected=threading.Event())
    browser = server.connect()
    browser.start()
    stage.wait(stage.things["running"])
    browser.start()
    browser.disconnect()
    stage.things["disconnected"].set()
    for thread in threading.enumerate():
        if thread.name == "ScriptRunner.scriptThread":
            thread.join(stage.PATIENCE)
    built = stage.things["built"]
    assert sorted(stage.released(len(built))) == sorted(built)


def test_s3_no_session_is_an_error_that_says_so(app: Callable[..., Any]) -> None:
    """A thread without a script's context belongs to no session."""

    def script():
        import threading

        import stage

        import tenure.testing

        @tenure.cache_resource(scope="session")
        def own():
            return stage.build("own")

        def use():
            try:
                own()
            except tenure.ScopeError as error:
                stage.things["error"] = str(error)

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    page = app(script)
    page.run()
    page.fine()
    assert "session" in stage.things["error"]
    assert "add_script_run_ctx(thread)" in stage.things["error"]
    assert "ASGI" not in stage.things["error"], "Streamlit brings Starlette, which serves no thread of an app"
    assert stage.things["built"] == []


def test_s2_a_thread_with_the_scripts_context_serves_its_session(app: Callable[..., Any]) -> None:
    def script():
        import threading

        import stage
        from streamlit.runtime.scriptrunner import add_script_run_ctx

        import tenure.testing

        @tenure.cache_resource(scope="session")
        def own():
            return stage.build("own")

        own()
        thread = threading.Thread(target=lambda: stage.things.update(there=own()))
        add_script_run_ctx(thread)
        thread.start()
        thread.join()

    page = app(script)
    page.run()
    page.fine()
    assert stage.things["there"] == "own 1"


def test_s4_a_session_that_comes_back_in_time_finds_its_resources(live: Callable[[str], Any], grace: Any) -> None:
    browser = live(APP).connect()
    browser.run()
    for _ in range(3):
        browser.disconnect()
        assert stage.things["released"] == []
        browser.reconnect()
        browser.run()
    assert set(browser.texts()) == {"shared 1", "own 2"}
    assert stage.things["released"] == []


def test_s4_a_session_that_does_not_come_back_in_time_is_released(live: Callable[[str], Any]) -> None:
    with tenure.testing.clock() as clock:
        tenure.configure(session_grace="30s")
        try:
            browser = live(APP).connect()
            browser.run()
            browser.disconnect()
            clock.advance("29s")
            assert stage.things["released"] == []
            clock.advance("1s")
            assert stage.things["released"] == ["own 2"]
            browser.reconnect()
            browser.run()
            assert browser.texts()[-2:] == ["shared 1", "own 3"]
        finally:
            tenure.configure()


def test_s4_without_grace_a_session_that_comes_back_builds_anew(live: Callable[[str], Any]) -> None:
    browser = live(APP).connect()
    browser.run()
    browser.disconnect()
    assert stage.released(1) == ["own 2"]
    browser.reconnect()
    browser.run()
    assert browser.texts()[-1] == "own 3"
    assert stage.things["released"] == ["own 2"]


def test_s2_a_function_for_all_may_call_one_of_a_session_and_the_log_says_so(
    app: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """As with `st.cache_resource`, so that an unchanged app goes on."""

    def script():
        import stage
        import streamlit as st

        import tenure.testing

        @tenure.cache_resource(scope="session")
        def own():
            return stage.build("own")

        @tenure.cache_resource
        def shared():
            return f"shared of {own()}"

        st.text(shared())

    for _ in range(2):
        page = app(script)
        page.run()
        page.fine()
        assert page.texts() == ["shared of own 1"]
        shared_builds = [it.getMessage() for it in caplog.records if "more than one session shares" in it.getMessage()]
        assert len(shared_builds) == 1
