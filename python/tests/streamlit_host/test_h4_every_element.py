"""H4, H5: whatever Streamlit can put on a page, a hit puts there as a run of the function would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import elements
import pytest
import stage

pytestmark = pytest.mark.streamlit

PLACES = ["body", "container", "column", "sidebar", "caller's container", "fragment"]


def _page(names: list[str], where: str, cached: bool) -> None:
    import contextlib

    import elements
    import streamlit as st

    import tenure

    def build(name: str) -> None:
        st.text("before")
        if where == "container":
            with st.container():
                elements.put(name, st)
        elif where == "column":
            with st.columns(2)[1]:
                elements.put(name, st)
        elif where == "sidebar":
            elements.put(name, st.sidebar)
        else:
            elements.put(name, st)
        st.text("after")

    if cached:
        build = tenure.cache_resource(experimental_allow_widgets=True, show_spinner=False)(build)

    def page() -> None:
        for name in names:
            st.text(f"name: {name}")
            with st.expander("around") if where == "caller's container" else contextlib.nullcontext():
                build(name)
        st.text("name: the end")

    if where == "fragment":
        page = st.fragment(page)
    page()


def _by_name(run: list[stage.Delta]) -> dict[str, list[stage.Delta]]:
    """What each element put out. What goes to the sidebar, the bottom or the events comes with its element too."""
    found: dict[str, list[stage.Delta]] = {}
    name = "the page"
    for delta in stage.elements(run):
        text = delta.proto.new_element.text.body
        if text.startswith("name: "):
            name = text.removeprefix("name: ")
        # Another part of the page has its own count, so the order of these among the body's does not show.
        part = found.setdefault(f"{name} in part {delta.path[0]}", [])
        begun = next((other for other in part if other.path == delta.path and delta.what == "expandable"), None)
        if begun is None:
            part.append(delta)
        else:
            # A status that goes on: the front end lays what is said now over what was said before.
            begun.proto.add_block.MergeFrom(delta.proto.add_block)
    return found


def _differences(run: list[stage.Delta], plain: list[stage.Delta]) -> Iterator[str]:
    got, expected = _by_name(run), _by_name(plain)
    for name in sorted(got.keys() | expected.keys()):
        if got.get(name) != expected.get(name):
            yield f"{name}: {got.get(name)} instead of {expected.get(name)}"


def test_h4_no_element_of_the_newest_version_is_left_out() -> None:
    """What older versions lack in one way or another, or have given up, is left out there only."""
    if metadata.version("streamlit") != stage.TESTED[-1]:
        pytest.skip("this is an older version")
    internal = {"_internal_button_group", "_skeleton"}
    assert elements.ELSEWHERE.keys() & set(elements.NAMES) == {"form_submit_button", *elements.REFUSED, *internal}


@pytest.mark.parametrize("where", PLACES)
def test_h4_a_hit_puts_out_what_a_run_would(app: Callable[..., Any], where: str) -> None:
    names = [name for name in elements.NAMES if name not in elements.ELSEWHERE]
    plain = app(_page, names=names, where=where, cached=False)
    cached = app(_page, names=names, where=where, cached=True)
    for turn in ("miss", "hit", "second hit"):
        expected, got = plain.run(), cached.run()
        # What st.exception shows is no failure; a failed page stops before its end.
        assert stage.elements(expected)[-1].proto.new_element.text.body == "name: the end", plain.test.exception
        assert not list(_differences(got, expected)), turn
        assert cached.files == plain.files, turn
