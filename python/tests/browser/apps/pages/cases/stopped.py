"""A build that the user may stop, with a Streamlit command in it and without."""

import book
import streamlit as st


@st.cache_resource(show_spinner="Pressing…", on_release=book.released)
def press(shows):
    book.wait_at_gate("press")
    if shows:
        st.caption("pressed")
    return book.built("press", shows=shows)


st.button("Run again")
book.note("runs")
book.tell("object", press(st.checkbox("Shows")).name)
book.end_of_run()
