from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Settings:
    host: str
    port: int = 5432


class Repository:
    def __init__(self, settings):
        self.settings = settings

    @st.cache_resource
    def connect(_self, schema, *, read_only=False):
        return {"schema": schema, "read_only": read_only, "queries": 0}

    @staticmethod
    @st.cache_resource
    def pool(size=5):
        return [f"connection {n}" for n in range(size)]


@st.cache_resource(hash_funcs={Settings: lambda settings: (settings.host, settings.port)})
def engine(settings, _logger=None):
    return {"url": f"{settings.host}:{settings.port}"}


host = st.text_input("Host", "localhost")
settings = Settings(host)
st.json(engine(settings, _logger=print))
connection = Repository(settings).connect("public", read_only=True)
connection["queries"] += 1
st.json(connection)
st.write(Repository.pool(), len(Repository.pool(size=2)))
