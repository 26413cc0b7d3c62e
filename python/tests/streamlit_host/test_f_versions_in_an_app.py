"""F7 and F8 in Streamlit: what lives side by side in an app, and what no run of it can reach any more."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stage
from streamlit.connections import BaseConnection
from streamlit.testing.v1 import AppTest

import tenure.streamlit
from tenure import _native

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

WAITING_MAX = 16
"""So many versions wait for each session, as the guide says."""


class Shared(BaseConnection[str]):
    def _connect(self, **kwargs: Any) -> str:
        return stage.build(self._connection_name)

    def made(self) -> str:
        return self._instance

    def close(self) -> None:
        stage.things["released"].append(self._instance)


class Own(Shared):
    @classmethod
    def scope(cls) -> str:
        return "session"


@pytest.fixture(autouse=True)
def _counted() -> None:
    stage.things.update(released=stage.Log(), built=[])


def test_f7_connections_of_each_session_live_beside_one_for_all(app: Callable[..., Any]) -> None:
    """F7: each with and without a `ttl`, at every run of two sessions."""

    def script(own, shared):
        import streamlit as st

        for name, kind in (("shared", shared), ("own", own)):
            for ttl in (None, 3600, 7200):
                st.text(st.connection(name, type=kind, ttl=ttl).made())

    tenure.streamlit.install()
    pages = [app(script, own=Own, shared=Shared) for _ in range(2)]
    texts: list[list[str]] = []
    for page in pages * 3:
        page.run()
        page.fine()
        texts.append(page.texts())
    assert texts[0] == ["shared 1", "shared 2", "shared 3", "own 4", "own 5", "own 6"]
    assert texts[1] == ["shared 1", "shared 2", "shared 3", "own 7", "own 8", "own 9"]
    assert texts == texts[:2] * 3
    assert stage.things["released"] == []


def test_f7_settings_of_a_factory_live_side_by_side(app: Callable[..., Any]) -> None:
    """F7: decorated and called one after another, at every run."""

    def script():
        import stage
        import streamlit as st

        import tenure

        def connector(ttl, scope):
            @tenure.cache_resource(ttl=ttl, scope=scope, on_release=stage.things["released"].append)
            def connect():
                return stage.build("connection")

            return connect

        for ttl, scope in ((3600, "global"), (7200, "global"), (3600, "session")):
            st.text(connector(ttl, scope)())

    page, other = app(script), app(script)
    for one in (page, other, page, other):
        one.run()
        one.fine()
    assert page.texts() == ["connection 1", "connection 2", "connection 3"]
    assert other.texts() == ["connection 1", "connection 2", "connection 4"]
    assert stage.things["released"] == []


def test_f7_two_functions_of_one_run_release_into_their_own_lists(app: Callable[..., Any]) -> None:
    """F7, F3: and the next runs and sessions find both again."""

    def script():
        import stage
        import streamlit as st

        import tenure

        def factory():
            released = []

            @tenure.cache_resource(on_release=lambda thing: released.append(thing))
            def connect(n=1):
                return stage.build("connection")

            return connect, released

        (one, of_one), (two, of_two) = factory(), factory()
        st.text(one())
        st.text(two())
        if not stage.things.get("cleared"):
            stage.things["cleared"] = True
            two(2)
            two.clear(2)
            st.text(f"{of_one} {of_two}")

    first, second = app(script), app(script)
    first.run()
    first.fine()
    assert first.texts() == ["connection 1", "connection 2", "[] ['connection 3']"]
    for page in (second, first, second):
        page.run()
        page.fine()
        assert page.texts() == ["connection 1", "connection 2"]


def test_f8_a_value_of_the_run_that_is_captured_piles_nothing_up(
    app: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """F8: fifty runs; what they leave behind goes but for a few, and the log names the variable once."""

    def script():
        import stage
        import streamlit as st

        import tenure

        def main():
            now = len(stage.things["built"])

            @tenure.cache_resource(max_entries=2, on_release=stage.things["released"].append)
            def connect(host):
                return stage.build(f"{host} at {now}")

            st.text(connect("db"))

        main()

    caplog.set_level(logging.WARNING, "tenure")
    page = app(script)
    for _ in range(50):
        page.run()
        page.fine()
    built = stage.things["built"]
    assert len(built) == 50
    assert stage.released(50 - WAITING_MAX - 1) == built[: 50 - WAITING_MAX - 1]
    (told,) = [record.getMessage() for record in caplog.records if "built anew" in record.getMessage()]
    assert "`now`" in told
    assert "def connect(_now)" in told


def test_f8_sessions_that_capture_their_own_each_find_it_again(app: Callable[..., Any]) -> None:
    """F8, F1, F3: more sessions than versions that may wait, in an app of which each run captures its user."""

    def script():
        import stage
        import streamlit as st

        import tenure

        def main(user):
            @tenure.cache_resource(on_release=stage.things["released"].append)
            def connect():
                return stage.build(user)

            st.text(connect())

        main(st.session_state["user"])

    pages = []
    for number in range(WAITING_MAX + 4):
        page = app(script)
        page.test.session_state["user"] = f"user {number}"
        pages.append(page)
    for _ in range(2):
        for number, page in enumerate(pages):
            page.run()
            page.fine()
            assert page.texts() == [f"user {number} {number + 1}"]
    assert stage.things["released"] == []


EDITED = """
import stage
import streamlit as st

import tenure

class Row:
    pass

@tenure.cache_resource(on_release=stage.things["released"].append)
def load():
    return stage.build("version %d")

{other}

st.text(load())
other()
"""

KEEPS_THE_RUN = {
    "a callback": "@tenure.cache_resource(on_release=lambda it: it.clear())\ndef other():\n    return []",
    "a check": "@tenure.cache_resource(validate=lambda it: True)\ndef other():\n    return []",
    "a class of the script": "@tenure.cache_resource\ndef other():\n    return Row()",
    "a generator": "@tenure.cache_resource\ndef other():\n    yield []",
    "nothing": "@tenure.cache_resource\ndef other():\n    return []",
}


@pytest.mark.parametrize("what", KEEPS_THE_RUN)
def test_f6_an_edit_releases_what_it_replaces_whatever_else_holds_the_run_before(what: str, tmp_path: Path) -> None:
    """F6: something that stays, and was made in the run before the edit, has all names of that run."""
    path = tmp_path / "app.py"
    path.touch()
    ada, bob = (AppTest.from_file(str(path), default_timeout=stage.PATIENCE) for _ in range(2))
    for version in (1, 2, 3):
        path.write_text(EDITED.format(other=KEEPS_THE_RUN[what]) % version)
        os.utime(path, (version, version))
        for page in (ada, ada, bob):
            page.run()
            assert not page.exception
            assert page.text[0].value == f"version {version} {version}"
    gc.collect()
    assert stage.released(2) == ["version 1 1", "version 2 2"]
    assert len(stage.things["built"]) == 3


def test_f6_a_pipeline_of_a_reloaded_module_is_built_anew(app: Callable[..., Any]) -> None:
    """F6: a list, a partial and a bound method of what the module defines, and nothing else."""
    import functools

    part = type("Part", (), {"__module__": "parts", "act": lambda self: None})
    stage.things["make"] = {
        "list": lambda: [part()],
        "partial": lambda: functools.partial(print, part()),
        "method": lambda: part().act,
        "other": lambda: ["no part"],
    }

    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(on_release=lambda thing: stage.things["released"].append(thing))
        def make(kind):
            return stage.things["make"][kind]()

        for kind in stage.things["make"]:
            make(kind)
        st.text(make.info().builds)

    page = app(script)
    page.run()
    page.fine()
    assert page.texts() == ["4"]
    _native.supersede_modules(frozenset({"parts"}))
    page.run()
    page.fine()
    assert page.texts() == ["7"]
    assert len(stage.things["released"]) == 3
