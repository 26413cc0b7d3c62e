"""An app whose sessions may come back: a desk for each session, and a lamp for all."""

import os

import book
import streamlit as st

import tenure

tenure.configure(session_grace=os.environ.get("GRACE"))


@tenure.cache_resource(scope="session", on_release=book.released)
def desk():
    return book.built("desk")


@tenure.cache_resource(on_release=book.released)
def lamp():
    return book.built("lamp")


st.title("Grace")
book.tell("desk", desk().name)
book.tell("lamp", lamp().name)
st.button("Run again")
book.end_of_run()
