"""H5, H6: widgets in cached functions."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stage
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]


def _model():
    """The reference page's example, with a second widget, a branch, and a key."""
    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
    def load_model(name):
        pretrained = st.checkbox("Use pre-trained model:")
        size = st.slider("Size", 0, 10, 3, key="size")
        source = st.text_input("Source", "hub") if pretrained else None
        stage.things["built"].append((name, pretrained, size, source))
        return len(stage.things["built"])

    if st.button("Set size"):
        st.session_state["size"] = 7
    st.text(str(load_model("m")))
    st.text(f"state {st.session_state['size']}")


@pytest.fixture(autouse=True)
def _counted() -> None:
    stage.things["built"] = []


def test_h5_a_widgets_value_counts_as_an_argument(app: Callable[..., Any]) -> None:
    page = app(_model)
    page.run()
    page.fine()
    assert page.texts() == ["1", "state 3"]
    page.run()
    assert page.texts() == ["1", "state 3"]
    page.run(lambda test: test.slider[0].set_value(5))
    assert page.texts() == ["2", "state 5"]
    page.run(lambda test: test.slider[0].set_value(3))
    assert page.texts() == ["1", "state 3"]
    page.fine()
    assert stage.things["built"] == [("m", False, 3, None), ("m", False, 5, None)]


def _peeking():
    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
    def load_model():
        size = st.slider("Size", 0, 10, 3)
        stage.things["built"].append(size)
        return f"a model of {size}"

    if st.button("Peek"):
        st.text(f"kept: {load_model.peek()}")
    else:
        st.text(load_model())


def test_h5_a_peek_sees_the_entry_of_the_present_values_and_puts_nothing_out(app: Callable[..., Any]) -> None:
    page = app(_peeking)
    page.run()
    assert page.texts() == ["a model of 3"]
    page.run(lambda test: test.slider[0].set_value(5))
    assert page.texts() == ["a model of 5"]
    page.run(lambda test: test.button[0].click())
    page.fine()
    assert page.texts() == ["kept: a model of 5"]
    assert len(page.test.slider) == 0
    assert stage.things["built"] == [3, 5]


def test_h5_a_widget_first_met_in_a_branch_works(app: Callable[..., Any]) -> None:
    page = app(_model)
    page.run()
    page.run(lambda test: test.checkbox[0].check())
    assert len(page.test.text_input) == 1
    page.run(lambda test: test.text_input[0].set_value("disk"))
    assert page.texts()[0] == "3"
    page.run()
    assert page.texts()[0] == "3"
    page.run(lambda test: test.checkbox[0].uncheck())
    assert len(page.test.text_input) == 0
    assert page.texts()[0] == "1"
    # The text input has left the page meanwhile, so it begins at its default again, as it would uncached.
    page.run(lambda test: test.checkbox[0].check())
    assert page.texts()[0] == "2"
    assert page.test.text_input[0].value == "hub"
    assert stage.things["built"] == [("m", False, 3, None), ("m", True, 3, "hub"), ("m", True, 3, "disk")]


def test_h5_sessions_with_the_same_values_share_the_entry(app: Callable[..., Any]) -> None:
    first, second = app(_model), app(_model)
    first.run()
    second.run()
    assert second.texts() == ["1", "state 3"]
    first.run(lambda test: test.slider[0].set_value(9))
    assert [first.texts()[0], second.texts()[0]] == ["2", "1"]
    second.run(lambda test: test.slider[0].set_value(9))
    assert second.texts() == ["2", "state 9"]
    assert first.run() == second.run(), "both pages show the same"
    second.run(lambda test: test.slider[0].set_value(4))
    first.run()
    assert [first.texts()[0], second.texts()[0]] == ["2", "3"]


def test_h5_a_value_set_by_the_app_reaches_the_front_end_on_a_hit(app: Callable[..., Any]) -> None:
    """As a run would: the front end is told exactly once, and only where the value came from the app."""
    cached = app(_model)
    cached.run()
    cached.run(lambda test: test.slider[0].set_value(7))
    cached.run(lambda test: test.slider[0].set_value(3))
    assert cached.texts()[0] == "1"
    for _ in range(2):
        cached.run(lambda test: test.button[0].click())
        assert cached.texts() == ["2", "state 7"]
        shown = cached.test.slider[0].proto
        assert (shown.set_value, list(shown.value)) == (True, [7.0])
        cached.run()
        shown = cached.test.slider[0].proto
        assert (shown.set_value, list(shown.value)) == (False, [])
        cached.run(lambda test: test.slider[0].set_value(3))
    assert len(stage.things["built"]) == 2


def test_h5_callbacks_run_after_a_hit_as_after_a_miss(app: Callable[..., Any]) -> None:
    def script():
        import stage
        import streamlit as st

        import tenure

        def changed(word, *, more):
            stage.things["built"].append(("changed", word, more, st.session_state["flag"]))

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def load():
            stage.things["built"].append("load")
            return st.checkbox("Flag", key="flag", on_change=changed, args=("a",), kwargs={"more": 1})

        load()

    page = app(script)
    page.run()
    page.run()
    for turn in (True, False, True):
        step = (lambda test: test.checkbox[0].check()) if turn else (lambda test: test.checkbox[0].uncheck())
        page.run(step)
        page.fine()
        assert stage.things["built"][-1 if stage.things["built"][-1] != "load" else -2] == ("changed", "a", 1, turn)
    assert stage.things["built"].count("load") == 2


def test_h5_a_form_in_a_cached_function_sends_its_values_together(app: Callable[..., Any]) -> None:
    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def load():
            with st.form("settings"):
                name = st.text_input("Name", "a")
                size = st.number_input("Size", value=1)
                sent = st.form_submit_button("Load")
            stage.things["built"].append((name, size, sent))
            return f"{name} {size}"

        st.text(load())

    page = app(script)
    page.run()
    page.run()

    def send(test: Any) -> Any:
        test.text_input[0].set_value("b")
        test.number_input[0].set_value(2)
        return test.button[0].click()

    page.run(send)
    page.fine()
    assert page.texts() == ["b 2"]
    page.run()
    assert page.texts() == ["b 2"]
    assert stage.things["built"] == [("a", 1, False), ("b", 2, True), ("b", 2, False)]


def test_h5_nested_functions_observe_what_their_inner_ones_do(app: Callable[..., Any]) -> None:
    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def inner():
            value = st.slider("Inner", 0, 10, 1)
            stage.things["built"].append(f"inner {value}")
            return value

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def outer():
            with st.columns(2)[1]:
                value = inner()
            stage.things["built"].append(f"outer {value}")
            return value

        st.text(str(outer()))

    page = app(script)
    for value in (1, 2, 1, 2):
        if page.test.slider:
            page.run(lambda test, value=value: test.slider[0].set_value(value))
        else:
            page.run()
        page.run()
        page.fine()
        assert page.texts() == [str(value)]
        assert page.test.slider[0].value == value
    assert stage.things["built"] == ["inner 1", "outer 1", "inner 2", "outer 2"]


def test_h5_without_the_parameter_the_warning_shows(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load():
            return st.checkbox("Flag")

        load()

    page = app(script)
    for _ in range(2):
        page.run()
        assert [error.message for error in page.test.exception if "widget" in error.message.lower()]
        assert len(page.test.checkbox) == 1


def test_h5_an_outer_function_that_forbids_widgets_has_the_say(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def inner():
            return st.checkbox("Flag")

        @tenure.cache_resource(show_spinner=False)
        def outer():
            return inner()

        if not st.toggle("By itself"):
            outer()
        else:
            st.text(str(inner()))

    page = app(script)
    page.run()
    assert [error.message for error in page.test.exception if "widget" in error.message.lower()]
    # The entry that the inner function has from there is one of a widget all the same.
    page.run(lambda test: test.toggle[0].set_value(True))
    assert page.texts() == ["False"]
    page.run(lambda test: test.checkbox[0].check())
    assert page.texts() == ["True"]
    assert page.test.checkbox[0].value is True


def test_h5_a_part_of_the_page_has_widgets_of_its_own(app: Callable[..., Any]) -> None:
    """Called in the body and in the sidebar, with the same arguments, as Streamlit allows it uncached."""

    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def load():
            size = st.slider("Size", 0, 10, 3)
            stage.things["built"].append(size)
            return size

        st.text(str(load()))
        with st.sidebar:
            st.text(str(load()))

    page = app(script)
    for _ in range(2):
        page.run()
        page.fine()
        assert page.texts() == ["3", "3"]
    page.run(lambda test: test.sidebar.slider[0].set_value(5))
    page.fine()
    assert [page.test.main.slider[0].value, page.test.sidebar.slider[0].value] == [3, 5]
    page.run(lambda test: test.main.slider[0].set_value(5))
    assert page.texts() == ["5", "5"]
    page.run(lambda test: test.main.slider[0].set_value(3))
    assert page.texts() == ["3", "5"]
    assert stage.things["built"] == [3, 3, 5, 5]


def test_h5_a_page_has_widgets_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function on two pages: what is set on one is not set on the other, as uncached."""
    # Older versions ask once for a process whether there is such a folder.
    monkeypatch.setattr(PagesManager, "uses_pages_directory", True, raising=False)
    (tmp_path / "h5_shared_part.py").write_text(
        textwrap.dedent("""
        import stage
        import streamlit as st
        import tenure

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def load():
            size = st.slider("Size", 0, 10, 3)
            stage.things["built"].append(size)
            return size
        """)
    )
    page = f"""
import sys
sys.path[:0] = [{str(tmp_path)!r}] * ({str(tmp_path)!r} not in sys.path)
import h5_shared_part, streamlit as st
st.text(str(h5_shared_part.load()))
"""
    (tmp_path / "pages").mkdir()
    for name in ("front.py", "pages/back.py"):
        (tmp_path / name).write_text(page)
    test = AppTest.from_file(str(tmp_path / "front.py"), default_timeout=stage.PATIENCE).run()
    test.slider[0].set_value(5).run()
    assert test.text[0].value == "5"
    test.switch_page("pages/back.py").run()
    assert (test.text[0].value, test.slider[0].value) == ("3", 3)
    test.run()
    test.slider[0].set_value(5).run()
    test.run()
    assert not test.exception
    assert (test.text[0].value, test.slider[0].value) == ("5", 5)
    assert stage.things["built"] == [3, 5, 3, 5]


def test_h5_a_form_of_the_callers_has_widgets_of_its_own(live: Callable[[str], Any]) -> None:
    """Called in two forms: each form's submission is about the widget that stands in it."""
    tab = live(
        """
        import streamlit as st
        import tenure

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def load():
            return st.slider("Size", 0, 10, 3)

        for name in ("first", "second"):
            with st.form(name):
                load()
                st.form_submit_button("Send")
        """
    ).connect()
    for _ in range(2):
        sliders = [delta.proto.new_element.slider for delta in tab.run() if delta.what == "slider"]
        assert [slider.form_id for slider in sliders] == ["first", "second"]
        assert len({slider.id for slider in sliders}) == 2


def test_h5_static_functions_are_not_asked_for_widgets(app: Callable[..., Any]) -> None:
    """`experimental_allow_widgets` on a function that has none costs nothing and observes nothing."""

    def script():
        import stage
        import streamlit as st

        import tenure

        @tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)
        def load():
            stage.things["built"].append("load")
            st.text("static")
            return 1

        st.slider("Beside it", 0, 10, 3)
        load()

    page = app(script)
    page.run()
    page.run(lambda test: test.slider[0].set_value(4))
    page.fine()
    assert stage.things["built"] == ["load"]
    assert page.texts() == ["static"]


@pytest.mark.parametrize("widget", ["file_uploader", "camera_input"])
@pytest.mark.parametrize("allowed", [True, False])
def test_h6_uploads_in_a_cached_function_are_refused_clearly(
    app: Callable[..., Any], widget: str, allowed: bool
) -> None:
    def script(widget, allowed):
        import streamlit as st

        import tenure

        @tenure.cache_resource(experimental_allow_widgets=allowed, show_spinner=False)
        def load():
            return getattr(st, widget)("File")

        load()

    page = app(script, widget=widget, allowed=allowed)
    for _ in range(2):
        page.run()
        message = page.test.exception[len(page.test.exception) - 1].message
        assert f"`st.{widget}` cannot be used in a cached function" in message
        assert f'load(st.{widget}("File"))' in message


def test_h6_outside_of_it_they_work_as_ever(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        import tenure

        @tenure.cache_resource(show_spinner=False)
        def load(file):
            return file

        st.text(str(load(st.file_uploader("File"))))

    page = app(script)
    page.run()
    page.fine()
    assert page.texts() == ["None"]
