"""A form in a cached function."""

import book
import streamlit as st


@st.cache_resource(experimental_allow_widgets=True)
def order():
    with st.form("order"):
        flower = st.text_input("Flower", "rose")
        stems = st.slider("Stems", 1, 9, 5)
        sent = st.form_submit_button("Send")
    return book.built("order", flower=flower, stems=stems, sent=sent)


made = order()
book.tell("object", made.name)
book.tell("order", f"{made.stems} {made.flower} {'sent' if made.sent else 'open'}")
st.button("Run again")
book.end_of_run()
