"""H4: what a cached function puts on the page is there again on every hit.

Element by element: `test_h4_every_element`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stage
from streamlit.runtime import caching

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]


def _nested(outer, inner, around):
    """One cached function calls another from inside a column, with either of the two kinds of cache."""
    import contextlib

    import stage
    import streamlit as st

    import tenure

    def kind(name):
        if name == "plain":
            return lambda func: func
        if name == "data":
            return st.cache_data(show_spinner=False)
        if name == "streamlit's resource":
            return st.cache_resource(show_spinner=False)
        return tenure.cache_resource(show_spinner=False)

    @kind(inner)
    def small(n):
        stage.things["inner"] = stage.things.get("inner", 0) + 1
        st.text(f"inner {n}")
        with st.container(border=True):
            st.text("in the inner container")
        st.sidebar.text("inner sidebar")
        return n

    @kind(outer)
    def big(n):
        stage.things["outer"] = stage.things.get("outer", 0) + 1
        st.header("outer")
        left, right = st.columns(2)
        with left:
            small(n)
        right.text("outer right")
        small(n)
        with st.sidebar:
            small(n + 1)
        st.text("outer end")
        return n

    with st.expander("around") if around else contextlib.nullcontext():
        st.text("first")
        big(1)
        st.text("last")


@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("tenure", "tenure"),
        ("tenure", "data"),
        ("data", "tenure"),
        ("tenure", "streamlit's resource"),
        ("tenure", "plain"),
    ],
)
def test_h4_nested_cached_functions_replay_in_both_directions(
    app: Callable[..., Any], outer: str, inner: str, around: bool
) -> None:
    # An outer `st.cache_data` function replays by Streamlit's own rules: what is inside it must make no difference.
    reference = app(_nested, outer="data" if outer == "data" else "plain", inner="plain", around=around)
    plain = [reference.run() for _ in range(3)]
    stage.things.clear()
    caching.cache_data.clear()
    page = app(_nested, outer=outer, inner=inner, around=around)
    for turn in range(3):
        run = page.run()
        page.fine()
        assert stage.elements(run) == plain[turn], turn
    assert stage.things["outer"] == 1
    assert stage.things["inner"] == (3 if inner == "plain" else 2)


def test_h4_an_outer_function_replays_what_an_inner_hit_put_out(app: Callable[..., Any]) -> None:
    """The inner function is a hit already when the outer one is built."""

    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def inner():
            st.text("inner")

        @tenure.cache_resource(show_spinner=False)
        def outer():
            with st.columns(2)[1]:
                inner()

        inner()
        outer()

    page = app(script)
    miss = page.run()
    page.fine()
    assert [delta.path for delta in miss if delta.what == "text"] == [[0, 0], [0, 1, 1, 0]]
    assert page.run() == miss


def test_h4_a_hit_shows_the_elements_to_the_session_that_hits(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            st.text("loaded")
            return object()

        st.text(str(id(load())))

    first, second = app(script), app(script)
    assert first.run() == second.run()
    assert first.texts()[0] == "loaded"


def test_h4_where_the_caller_stands_is_where_a_hit_puts_it(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            st.text("loaded")

        load()
        with st.sidebar:
            load()
        with st.columns(3)[2]:
            load()

    run = app(script).run()
    assert [delta.path for delta in run if delta.what == "text"] == [[0, 0], [1, 0], [0, 1, 2, 0]]


def test_h4_media_are_served_to_the_session_that_hits(live: Callable[[str], Any]) -> None:
    """A file lives as long as a session shows it; a hit in another session keeps it for that one too."""
    server = live(
        """
        import elements
        import streamlit as st
        import tenure

        @tenure.cache_resource(show_spinner=False)
        def show():
            st.image(elements.PIXEL)
            st.audio(b"RIFF sound", format="audio/wav")

        show()
        """
    )
    first, second = server.connect(), server.connect()
    put_out = first.run()
    assert second.run() == put_out
    media = server.runtime.media_file_mgr
    first.close()
    server.on_loop(media.remove_orphaned_files)
    assert set(media._files_by_session_and_coord) == {second.id}
    assert len(media._file_metadata) == 2
    second.close()


def test_h4_a_file_stays_where_another_stands_at_its_recorded_place(live: Callable[[str], Any]) -> None:
    stage.things["above"] = False
    server = live(
        """
        import stage
        import streamlit as st
        import tenure

        @tenure.cache_resource(show_spinner=False)
        def show():
            st.audio(b"RIFF cached", format="audio/wav")

        if stage.things["above"]:
            st.audio(b"RIFF above", format="audio/wav")
        show()
        """
    )
    browser = server.connect()
    browser.run()
    stage.things["above"] = True
    for _ in range(2):
        browser.run()
        assert len(stage.files(server.runtime)) == 2
    browser.close()


def test_h5_a_download_that_is_made_late_is_made_for_the_session_that_hits(live: Callable[[str], Any]) -> None:
    """H5, H4: each run has its own name for such a file, and Streamlit knows those of the last runs only."""
    server = live(
        """
        import streamlit as st
        import tenure

        @tenure.cache_resource(show_spinner=False, experimental_allow_widgets=True)
        def show():
            st.download_button("Save", lambda: b"made late")

        show()
        """
    )
    first, second = server.connect(), server.connect()
    named = set()
    for browser in (first, second, first, second):
        (button,) = browser.run()
        name = button.proto.new_element.download_button.deferred_file_id
        assert server.on_loop(lambda name=name: server.runtime.media_file_mgr.execute_deferred(name))
        named.add(name)
    assert len(named) == 4
    first.close()
    second.close()


def test_h4_a_container_from_outside_cannot_be_replayed_and_says_so(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load(_place):
            _place.text("outside")

        load(st.container())

    page = app(script)
    page.run()
    page.fine()
    page.run()
    assert "`load()`" in page.test.exception[0].message
    assert "created outside the function" in page.test.exception[0].message


def test_h4_a_failed_build_leaves_nothing_to_replay(app: Callable[..., Any]) -> None:
    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            st.text("trying")
            if stage.things.pop("fail", False):
                raise ValueError("not yet")
            st.text("done")

        try:
            load()
        except ValueError:
            st.text("failed")

    stage.things["fail"] = True
    page = app(script)
    page.run()
    assert page.texts() == ["trying", "failed"]
    for _ in range(2):
        page.run()
        assert page.texts() == ["trying", "done"]


def test_h4_a_status_is_replayed_as_it_ended(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            with st.status("Loading", expanded=True) as status:
                st.text("step")
                status.update(label="Loaded")

        load()

    page = app(script)
    page.run()
    hit = page.run()
    status = hit[0].proto.add_block.expandable
    assert status.label == "Loaded"
    assert status.icon == ":material/check:"
    assert status.expanded
    assert [delta.path for delta in hit] == [[0, 0], [0, 0, 0]]


def test_h4_threads_without_a_page_neither_record_nor_replay(app: Callable[..., Any]) -> None:
    """A background thread that hits gets the resource, and puts nothing on anyone's page."""

    def script():
        import threading

        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            st.text("loaded")
            return object()

        stage.things["here"] = load()
        thread = threading.Thread(target=lambda: stage.things.update(there=load()))
        thread.start()
        thread.join()

    page = app(script)
    page.run()
    page.fine()
    assert page.texts() == ["loaded"]
    assert stage.things["here"] is stage.things["there"]
