"""An app that is edited while it runs: two cached functions of its own, and one with a class from a module."""

import book
import parts
import streamlit as st


@st.cache_resource(on_release=book.released)
def pump():
    return book.built("pump", litres=1)


@st.cache_resource(on_release=book.released)
def tank():
    return book.built("tank")


@st.cache_resource(on_release=book.released)
def valve():
    return parts.Valve()


st.title("Reload")
made = valve()
book.tell("pump", f"{pump().name} {pump().litres}")
book.tell("tank", tank().name)
book.tell("valve", f"{made.name} {made.colour()} {isinstance(made, parts.Valve)}")
book.tell("superseded", f"{valve.info().releases['superseded']}")
st.button("Run again")
book.end_of_run()
