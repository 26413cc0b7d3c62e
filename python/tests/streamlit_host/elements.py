"""Every element and widget of the installed Streamlit, and one way to call each.

The names come from Streamlit itself. One that the table does not know is called with a text, or with nothing; if it
takes neither, its test fails and asks for a line here. What is left out stands in `ELSEWHERE`, with the reason.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st
import streamlit.components.v1 as components
import streamlit.components.v2 as components_v2
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

TABLE = pd.DataFrame({"lat": [1.0, 2.0], "lon": [3.0, 4.0], "n": [1, 2]})
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc33"
    "0000000049454e44ae426082"
)
SUBTITLES = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
SPEC = {"mark": "point", "encoding": {"x": {"field": "n"}}}
DAY = datetime.date(2024, 5, 6)
COMPONENT = components.declare_component("of_the_tests", url="http://localhost:1")


def _figure() -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([1, 2])
    return figure


def _altair() -> Any:
    import altair

    return altair.Chart(TABLE).mark_point().encode(x="n")


def _inside(container: str, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    def put(place: Any) -> Any:
        with getattr(place, container)(*args, **kwargs):
            st.text("inside")

    return put


def _each(container: str, *args: Any) -> Callable[[Any], Any]:
    def put(place: Any) -> Any:
        for number, part in enumerate(getattr(place, container)(*args)):
            part.text(f"part {number}")

    return put


def _component(place: Any) -> Any:
    with contextlib.nullcontext() if place is st else place:
        COMPONENT(name="one", default=3)
        COMPONENT(name="two", default=[4], key="component")


def _component_v2(place: Any) -> Any:
    component = components_v2.component("of_the_tests_v2", js="export default () => {}")
    with contextlib.nullcontext() if place is st else place:
        component(data={"a": [1, 2]})
        component(key="component v2", data=TABLE, default={"size": 3}, on_size_change=lambda: None)


def _placeholder(place: Any) -> Any:
    spot = place.empty()
    spot.text("first")
    spot.text("then")


def _form(place: Any) -> Any:
    with place.form("form"):
        st.text_input("In a form", key="in form")
        st.form_submit_button("Send")


def _grid(place: Any) -> Any:
    place.grid(2).cell().text("cell")


def _video(place: Any) -> Any:
    place.video(b"moving", format="video/mp4")
    place.video(b"moving on", format="video/mp4", subtitles={"English": SUBTITLES, "Deutsch": SUBTITLES})
    place.video(b"moving still", "video/mp4", 1, subtitles=SUBTITLES, loop=True)


def _download_button(place: Any) -> Any:
    place.download_button("Save", b"bytes")
    place.download_button("Save as", "a,b", "table.csv", "text/csv", "save as")
    place.download_button("Save a table", TABLE.to_csv(), file_name="t.csv", mime="text/csv", on_click="ignore")


def _help(place: Any) -> Any:
    place.help(len)


def _progress(place: Any) -> Any:
    place.progress(10, "begun").progress(100, "done")


def _status(place: Any) -> Any:
    with place.status("working") as status:
        st.text("inside")
        status.update(label="done", state="complete")


CALLS: dict[str, Callable[[Any], Any]] = {
    "_bidi_component": _component_v2,
    "a custom component": _component,
    "altair_chart": lambda place: place.altair_chart(_altair()),
    "area_chart": lambda place: place.area_chart(TABLE),
    "audio": lambda place: place.audio(b"RIFF sound", format="audio/wav"),
    "balloons": lambda place: place.balloons(),
    "bar_chart": lambda place: place.bar_chart(TABLE),
    "chat_message": _inside("chat_message", "user"),
    "code": lambda place: place.code("x = 1"),
    "color_picker": lambda place: place.color_picker("Colour", "#112233"),
    "columns": _each("columns", 2),
    "container": _inside("container", border=True),
    "data_editor": lambda place: place.data_editor(TABLE),
    "dataframe": lambda place: place.dataframe(TABLE),
    "date_input": lambda place: place.date_input("Day", DAY),
    "datetime_input": lambda place: place.datetime_input("When", datetime.datetime(2024, 5, 6, 7, 8)),
    "divider": lambda place: place.divider(),
    "download_button": _download_button,
    "echarts_chart": lambda place: place.echarts_chart({"series": [{"type": "bar", "data": [1, 2]}]}),
    "empty": _placeholder,
    "exception": lambda place: place.exception(ValueError("shown, not raised")),
    "expander": _inside("expander", "More"),
    "feedback": lambda place: place.feedback("stars"),
    "form": _form,
    "graphviz_chart": lambda place: place.graphviz_chart("digraph { a -> b }"),
    "grid": _grid,
    "help": _help,
    "html": lambda place: place.html("<b>bold</b>"),
    "iframe": lambda place: place.iframe("https://example.org"),
    "image": lambda place: place.image(PIXEL),
    "json": lambda place: place.json({"a": [1, 2]}),
    "line_chart": lambda place: place.line_chart(TABLE),
    "link_button": lambda place: place.link_button("There", "https://example.org"),
    "map": lambda place: place.map(TABLE),
    "menu_button": lambda place: place.menu_button("Menu", ["a", "b"]),
    "mermaid_chart": lambda place: place.mermaid_chart("graph TD; a-->b;"),
    "metric": lambda place: place.metric("Speed", 3, 1),
    "multiselect": lambda place: place.multiselect("Many", ["a", "b"], ["a"]),
    "number_input": lambda place: place.number_input("Number", value=3),
    "page_link": lambda place: place.page_link("https://example.org", label="There"),
    "pagination": lambda place: place.pagination(5),
    "pdf": lambda place: place.pdf(b"%PDF-1.4"),
    "pills": lambda place: place.pills("Pills", ["a", "b"], default="a"),
    "plotly_chart": lambda place: place.plotly_chart({"data": [{"type": "bar", "y": [1, 2]}]}),
    "popover": _inside("popover", "Open"),
    "progress": _progress,
    "pydeck_chart": lambda place: place.pydeck_chart(None),
    "pyplot": lambda place: place.pyplot(_figure()),
    "radio": lambda place: place.radio("One", ["a", "b"]),
    "scatter_chart": lambda place: place.scatter_chart(TABLE),
    "segmented_control": lambda place: place.segmented_control("Segments", ["a", "b"], default="a"),
    "select_slider": lambda place: place.select_slider("Steps", ["a", "b", "c"], "b"),
    "selectbox": lambda place: place.selectbox("One", ["a", "b"]),
    "skeleton": lambda place: place.skeleton(),
    "snow": lambda place: place.snow(),
    "space": lambda place: place.space(),
    "spinner": _inside("spinner", "Wait"),
    "status": _status,
    "table": lambda place: place.table(TABLE),
    "tabs": _each("tabs", ["a", "b"]),
    "time_input": lambda place: place.time_input("At", datetime.time(7, 8)),
    "vega_lite_chart": lambda place: place.vega_lite_chart(TABLE, SPEC),
    "video": _video,
    "write": lambda place: place.write("text", TABLE, {"a": 1}),
    "write_stream": lambda place: place.write_stream(iter(["a ", "b"])),
}

REFUSED = ("camera_input", "file_uploader")
"""Promise H6."""

ELSEWHERE = {
    "_internal_button_group": "was behind `feedback`, and has no public name",
    "_skeleton": "has no public name: see `skeleton`",
    "form_submit_button": "stands in a form: see `form`",
    "add_rows": "changes another element, and Streamlit has removed it since",
    "bokeh_chart": "needs one old release of Bokeh, and Streamlit has removed it since",
    **dict.fromkeys(REFUSED, "refused, by promise H6"),
}

if not hasattr(AppTest, "feedback"):
    ELSEWHERE["feedback"] = "this AppTest cannot read it back"
if not hasattr(AppTest("", default_timeout=0), "_bidi_component_manager"):
    ELSEWHERE["_bidi_component"] = "this AppTest keeps no components of the second kind"
if not hasattr(components_v2, "_ensure_component_on_active_runtime"):
    ELSEWHERE["pdf"] = "only the first AppTest of a process knows the component that it is made of"


def _is_element(name: str) -> bool:
    """Whether this is one of Streamlit's commands. Those that another module has the public name of are counted too."""
    method = getattr(DeltaGenerator, name)
    hidden = name.startswith("_") and (name == "_enqueue" or not hasattr(method, "__wrapped__"))
    return callable(method) and not hidden


NAMES = ["a custom component", *(name for name in dir(DeltaGenerator) if _is_element(name))]


class ByName:
    """A container whose elements are called with every argument by its name, and those of none as they are."""

    def __init__(self, place: Any) -> None:
        self._place = place

    def __enter__(self) -> None:
        """Where the script stands, which is where it is."""

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._place, name)
        signature = inspect.signature(method)

        def call(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs)
            rest = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_POSITIONAL), None)
            more = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)
            if rest in given.arguments:
                return method(*args, **kwargs)
            named = dict(given.arguments)
            return method(**{**named.pop(more, {}), **named})

        return call


def put(name: str, place: Any) -> None:
    """Puts one element into a container."""
    if name in CALLS:
        CALLS[name](place)
        return
    method = getattr(st._main if place is st else place, name)
    try:
        method("text")
    except TypeError:
        try:
            method()
        except TypeError:
            raise AssertionError(f"Streamlit has a new element, st.{name}: add a call of it to {__file__}") from None
