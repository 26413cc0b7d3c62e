"""The resources that more than one page uses."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from shop import database, ledger


def _answers(engine: Engine) -> bool:
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1 from orders limit 1"))
    except SQLAlchemyError:
        return False
    return True


def _close(engine: Engine) -> None:
    engine.dispose()
    ledger.released("engine", engine)


@st.cache_resource(show_spinner="Opening the shop's books…", validate=_answers, on_release=_close, scope="global")
def get_engine(url: str) -> Engine:
    """The engine on the shop's file, one for every clerk; the file is filled on first use."""
    engine = database.open_engine(url)
    database.fill(engine)
    return ledger.built("engine", engine)
