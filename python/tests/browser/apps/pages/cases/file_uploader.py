"""A widget that cannot be in a cached function."""

import book
import streamlit as st


@st.cache_resource(experimental_allow_widgets=True)
def read():
    st.file_uploader("A picture")
    return book.built("read")


read()
book.end_of_run()
