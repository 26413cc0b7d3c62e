"""One app, started in every way; `MODE` says how it comes to Tenure."""

import os

import book
import streamlit as st

MODE = os.environ["MODE"]
if MODE == "install":
    import tenure.streamlit

    tenure.streamlit.install()
if MODE == "import":
    from tenure import cache_resource
else:
    cache_resource = st.cache_resource


@cache_resource(experimental_allow_widgets=True, on_release=book.released)
def brew():
    cups = st.slider("Cups", 1, 9, 4)
    st.success(f"{cups} cups brewed")
    return book.built("brew", cups=cups)


st.title("Modes")
made = brew()
book.tell("object", made.name)
book.note("ran", name=made.name, cups=made.cups)
book.end_of_run()
