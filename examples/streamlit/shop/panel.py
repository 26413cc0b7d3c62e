"""What every page looks like: its title and two lines, and the cards of what it uses."""

from __future__ import annotations

import streamlit as st

from shop import ledger


def head(title: str, explanation: str) -> None:
    """The page's title, with two lines that say what it shows."""
    st.title(title)
    st.markdown(explanation)


def columns() -> list:
    """The page's two columns: the work, and beside it the resources it uses."""
    return st.columns([5, 2], gap="large")


def card(kind: str, thing: object, scope: str) -> None:
    """A card on one resource: which object it is, who shares it, how often it was built."""
    with st.container(border=True, key=f"card-{kind.replace(' ', '-')}"):
        st.markdown(
            f"**{kind.capitalize()}**  \n`{ledger.identity(thing)}` · build {ledger.number(thing)}  \n:gray[{scope}]"
        )
        st.caption(f"built {ledger.builds(kind)} × · released {ledger.releases(kind)} ×")


def decorator(*settings: str) -> None:
    """How the page's function is decorated."""
    lines = "".join(f"    {setting},\n" for setting in settings)
    st.code(f"@st.cache_resource(\n{lines})", language="python")
