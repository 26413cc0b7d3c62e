"""An `st.status` and the session's state inside a cached function."""

import book
import streamlit as st


@st.cache_resource(show_spinner=False)
def dry():
    with st.status("Drying…") as status:
        st.write("hung up")
        st.session_state.dried = st.session_state.get("dried", 0) + 1
        made = book.built("dry")
        status.update(label="Dried", state="complete")
    return made


book.tell("object", dry().name)
book.tell("dried", st.session_state.get("dried", 0))
st.button("Run again")
book.end_of_run()
