import streamlit as st
from streamlit.connections import BaseConnection


class Shelf(BaseConnection[dict]):
    def _connect(self, **kwargs):
        return {"books": ["A", "B"], **kwargs}

    def query(self, name, ttl=60):
        @st.cache_data(ttl=ttl)
        def _query(name):
            return self._instance[name]

        return _query(name)


shelf = st.connection("shelf", type=Shelf, place="hall")
st.write(shelf.query("books"), shelf._instance["place"])
if st.toggle("Reset"):
    shelf.reset()
    st.write(st.connection("shelf", type=Shelf, place="hall").query("books"))
