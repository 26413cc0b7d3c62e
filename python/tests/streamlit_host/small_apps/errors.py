import streamlit as st
from streamlit.errors import StreamlitAPIException

try:

    @st.cache_resource(ttl="a while")
    def forever():
        return object()

    forever()
except StreamlitAPIException:
    st.error("The setting cannot be read")


@st.cache_resource
def fragile(fails):
    if fails:
        raise ValueError("the server is down")
    return "connected"


try:
    st.write(fragile(st.checkbox("Fails", True)))
except ValueError as error:
    st.error(f"Could not connect: {error}")


@st.cache_resource
def guarded(lock):
    return lock


try:
    guarded(lock=(n for n in range(3)))
except StreamlitAPIException:
    st.warning("That cannot be an argument")
