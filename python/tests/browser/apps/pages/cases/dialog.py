"""A cached function with a widget, called in a dialog."""

import book
import streamlit as st


@st.cache_resource(experimental_allow_widgets=True)
def label():
    text = st.text_input("Label", "dahlia")
    st.success(f"printed for {text}")
    return book.built("label", text=text)


@st.dialog("A label")
def ask():
    book.tell("object", label().name)
    if st.button("Done"):
        st.session_state.done = label.info().entries
        st.rerun()


if st.button("Ask"):
    ask()
book.tell("done", st.session_state.get("done", "not yet"))
book.end_of_run()
