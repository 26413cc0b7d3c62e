"""Widgets whose state stays, and whose options and state of use depend on each other."""

import book
import streamlit as st

BEDS = {"sun": ["poppy", "dill"], "shade": ["foxglove", "fern", "leek"]}


@st.cache_resource(experimental_allow_widgets=True)
def bed():
    name = st.text_input("Name", "bed one", key="name")
    place = st.radio("Place", list(BEDS))
    plant = st.selectbox("Plant", BEDS[place])
    locked = st.checkbox("Locked")
    rows = st.number_input("Rows", 1, 9, 2, disabled=locked)
    return book.built("bed", called=name, what=f"{rows} rows of {plant} in the {place}")


st.button("Run again")
made = bed()
book.tell("object", made.name)
book.tell("bed", made.what)
book.tell("state", st.session_state.name)
book.end_of_run()
