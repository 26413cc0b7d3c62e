"""A widget in a cached function that does not allow widgets."""

import book
import streamlit as st


@st.cache_resource
def count():
    st.slider("Stems", 1, 9, 5)
    return book.built("count")


book.tell("object", count().name)
book.end_of_run()
