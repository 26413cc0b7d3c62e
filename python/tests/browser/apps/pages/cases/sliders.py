"""Two sliders in a cached function: their values are arguments."""

import book
import streamlit as st


@st.cache_resource(experimental_allow_widgets=True)
def mix():
    red = st.slider("Red", 0, 10, 5)
    blue = st.slider("Blue", 0, 10, 5)
    return book.built("mix", red=red, blue=blue)


made = mix()
book.tell("object", made.name)
book.tell("values", f"{made.red} {made.blue}")
book.end_of_run()
