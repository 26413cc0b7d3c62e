"""A build that the user may stop, with a Streamlit command in it and without."""

import os
import time

import book
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType


def await_the_stop():
    """Wait until the browser's wish to stop has come: the gate, which is no part of the app, may be quicker."""
    requests = get_script_run_ctx().script_requests
    while requests._state is not ScriptRequestType.STOP:
        time.sleep(0.001)


@st.cache_resource(show_spinner="Pressing…", on_release=book.released)
def press(shows):
    book.wait_at_gate("press")
    # Once in the server's life, which no module's variable is a part of.
    if shows and os.environ.setdefault("STOPPED", "no") == "no":
        os.environ["STOPPED"] = "yes"
        await_the_stop()
    if shows:
        st.caption("pressed")
    return book.built("press", shows=shows)


st.button("Run again")
book.note("runs")
book.tell("object", press(st.checkbox("Shows")).name)
book.end_of_run()
