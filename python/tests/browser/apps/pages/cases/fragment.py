"""A cached function with a widget, called in a fragment."""

import book
import streamlit as st


@st.cache_resource(experimental_allow_widgets=True)
def count():
    stems = st.slider("Stems", 1, 9, 5)
    st.success(f"{stems} stems counted")
    return book.built("count", stems=stems)


@st.fragment
def part():
    made = count()
    book.tell("object", made.name)
    st.session_state.parts = st.session_state.get("parts", 0) + 1
    st.text(f"part {st.session_state.parts}")


part()
st.button("Run again")
book.end_of_run()
