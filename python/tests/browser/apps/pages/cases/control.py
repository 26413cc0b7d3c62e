"""`st.stop` and `st.rerun` inside a build."""

import book
import streamlit as st


@st.cache_resource(on_release=book.released)
def gate(state):
    book.note("called", state=state)
    if state == "closed":
        st.warning("The gate is closed.")
        st.stop()
    if state == "ajar":
        st.session_state.state = "open"
        st.rerun()
    return book.built("gate")


def turn(state):
    st.session_state.state = state


for wish in ("closed", "ajar", "open"):
    st.button(wish, on_click=turn, args=(wish,))
if "state" in st.session_state:
    book.tell("object", gate(st.session_state.state).name)
book.end_of_run()
