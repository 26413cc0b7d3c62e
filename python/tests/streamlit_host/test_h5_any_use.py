"""H5: however a page is used, a part of it in a cached function stays what it would be uncached.

Two sessions share the cached part. Each has a twin whose part is not cached, and all that is done to one is done to the
other: after each step both put out the same messages and hold the same state. `TENURE_TESTS=long` takes many more
seeds; a seed that fails is in the test's name.
"""

from __future__ import annotations

import datetime
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
import stage

import tenure

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]

LONG = os.environ.get("TENURE_TESTS") == "long"
SEEDS = range(60 if LONG else 3)
STEPS = 40
KINDS = [
    *("checkbox", "slider", "selectbox", "multiselect", "radio", "text_input", "number_input", "toggle", "text_area"),
    *("date_input", "time_input", "color_picker", "select_slider", "button_group"),
    *("button", "button"),
]

VALUES: dict[str, list[Any]] = {
    "button_group": [[], ["a"], ["b"], ["a", "b"]],
    "color_picker": ["#000000", "#00ff00"],
    "date_input": [datetime.date(2024, 5, 6), datetime.date(2024, 5, 7)],
    "time_input": [datetime.time(7, 8), datetime.time(0)],
}
"""What is chosen from, where AppTest does not say so in every version."""


def _page(cached: bool) -> None:
    import datetime

    import streamlit as st

    import tenure

    def note(*args, **kwargs):
        st.session_state.setdefault("log", []).append((args, kwargs))

    def part(name):
        made = []
        more = st.checkbox("More", key=f"{name} more", on_change=note, args=("more", name), kwargs={"why": "asked"})
        if more:
            with st.container():
                # No default: older versions say once for a process that the app has set such a widget too.
                size = st.slider("Size", 0, 5, key=f"{name} size", on_change=note, args=("size",))
            options = [f"option {n}" for n in range(size + 1)]
            made.append(st.selectbox("One", options, key=f"{name} one"))
            made.append(st.multiselect("Many", options) if size % 2 else size)
        way = st.radio("Way", ["plain", "form", "button", "when"], disabled=more)
        if way == "form":
            with st.form(f"{name} form"):
                made.append(st.text_input("Text", key=f"{name} text"))
                made.append(st.number_input("Number", 0, 9, 1))
                made.append(st.form_submit_button("Send", on_click=note, args=("sent",)))
        elif way == "button" and st.button("Press", key=f"{name} press", on_click=note, args=("pressed",)):
            st.success("pressed")
            made.append("pressed")
        elif way == "when":
            made.append(st.date_input("Day", datetime.date(2024, 5, 6), on_change=note, args=("day", name)))
            made.append(st.time_input("At", datetime.time(7, 8), key=f"{name} at"))
            made.append(st.color_picker("Colour", "#000000"))
        made.append(st.select_slider("Steps", ["a", "b", "c"], key=f"{name} steps"))
        made.append(st.pills("Pills", ["a", "b"], selection_mode="multi", default=["a"]))
        made.append(st.toggle("Toggle", value=way == "plain"))
        made.append(st.text_area("Area", "long", max_chars=5))
        return repr((more, way, made))

    if cached:
        part = tenure.cache_resource(experimental_allow_widgets=True, max_entries=10, show_spinner=False)(part)
    if st.button("Set what stands in the part"):
        st.session_state["a more"] = True
        st.session_state["a size"] = 4
        st.session_state["a text"] = "set"
    with st.columns(2)[0]:
        st.text(part("a"))
    if st.checkbox("Twice"):
        with st.sidebar:
            st.text(part("b"))
    st.text(repr(st.session_state.get("log")))


def _step(test: Any, chance: random.Random) -> Callable[[Any], Any]:
    """Something that a user can do on this page, to be done to any test that shows the same."""
    there = [(kind, at) for kind in KINDS for at, it in enumerate(getattr(test, kind)) if not it.proto.disabled]
    kind, at = chance.choice(there)
    much = chance.random()

    def act(one: Any) -> Any:
        widget = getattr(one, kind)[at]
        if kind == "button":
            return widget.click()
        if kind in ("checkbox", "toggle"):
            return widget.set_value(not widget.value)
        if kind in ("selectbox", "radio", "select_slider"):
            return widget.set_value(widget.options[int(much * len(widget.options))])
        if kind == "multiselect":
            return widget.set_value(widget.options[: int(much * (len(widget.options) + 1))])
        if kind in VALUES:
            return widget.set_value(VALUES[kind][int(much * len(VALUES[kind]))])
        return widget.set_value(f"text {int(much * 3)}"[:5] if kind.startswith("text") else int(much * 6))

    return act


@pytest.mark.parametrize("seed", SEEDS)
def test_h5_a_part_in_a_cached_function_is_what_it_would_be_uncached(app: Callable[..., Any], seed: int) -> None:
    """H5, H4, L10: values, branches, forms, callbacks, keys that the app sets, a cache that is cleared meanwhile."""
    chance = random.Random(seed)
    twins = [(app(_page, cached=False), app(_page, cached=True)) for _ in range(2)]
    for plain, cached in twins:
        assert stage.elements(cached.run()) == stage.elements(plain.run())
    for number in range(STEPS):
        plain, cached = chance.choice(twins)
        step = _step(plain.test, chance)
        if chance.random() < 0.1:
            tenure.cache_resource.clear()
        expected, got = plain.run(step), cached.run(step)
        plain.fine()
        assert stage.elements(got) == stage.elements(expected), f"step {number}"
