"""Resources of every scope under many sessions that come and go."""

import book
import streamlit as st

import tenure

tenure.configure(session_grace="200ms")


@tenure.cache_resource(scope="session", on_release=book.released)
def desk():
    st.caption("a desk")
    return book.built("desk")


@tenure.cache_resource(scope="session", max_entries=2, on_release=book.released)
def drawer(number):
    return book.built("drawer", number=number)


@tenure.cache_resource(experimental_allow_widgets=True, max_entries=3, on_release=book.released)
def mix():
    red, blue = st.checkbox("Red"), st.checkbox("Blue")
    st.info(f"Red: {red}, blue: {blue}")
    return book.built("mix", number=2 * red + blue)


@tenure.cache_resource(ttl="1s", validate=lambda lamp: lamp.good, on_release=book.released)
def lamp():
    return book.built("lamp", good=True)


st.title("Soak")
if "known" not in st.session_state:
    st.session_state.known = True
    book.note("session")
desk()
made = mix()
lamp()
drawer(made.number)
functions = {"desk": desk, "drawer": drawer, "mix": mix, "lamp": lamp}
book.tell("entries", " ".join(f"{kind}={function.info().entries}" for kind, function in functions.items()))
book.end_of_run()
