"""A widget that is met in one branch only."""

import book
import streamlit as st


@st.cache_resource(experimental_allow_widgets=True)
def pick():
    days = st.slider("Days", 1, 9, 3) if st.checkbox("Dry it") else 0
    return book.built("pick", days=days)


made = pick()
book.tell("object", made.name)
book.tell("days", made.days)
book.end_of_run()
