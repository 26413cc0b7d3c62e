"""Builds and hits on threads of the app's own, with the script's context and without."""

import threading

import book
import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx


@st.cache_resource(show_spinner="Digging…")
def dig(where):
    st.info(f"dug {where}")
    return book.built("dig", where=where)


def on_thread(where, with_context):
    found = []
    thread = threading.Thread(target=lambda: found.append(dig(where).name))
    if with_context:
        add_script_run_ctx(thread)
    thread.start()
    thread.join()
    return found[0]


for where, with_context in (("bare", False), ("context", True)):
    first = on_thread(where, with_context)
    again = on_thread(where, with_context)
    book.tell(where, f"{first} {first == again}")
book.tell("mine", dig("bare").name)
book.end_of_run()
