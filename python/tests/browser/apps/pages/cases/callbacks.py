"""Widgets with keys and callbacks in a cached function."""

import book
import streamlit as st


def changed(how, *, where):
    st.session_state.setdefault("log", []).append(f"{how} {where} {st.session_state.colour}")


@st.cache_resource(experimental_allow_widgets=True)
def paint():
    colour = st.radio(
        "Colour", ["red", "green", "blue"], key="colour", on_change=changed, args=("to",), kwargs={"where": "by hand"}
    )
    return book.built("paint", colour=colour)


def reset():
    st.session_state.colour = "blue"


st.button("Blue, please", on_click=reset)
made = paint()
book.tell("object", made.name)
book.tell("colour", f"{made.colour} {st.session_state.colour}")
book.tell("log", ", ".join(st.session_state.get("log", ["nothing"])))
book.end_of_run()
