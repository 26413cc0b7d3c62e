"""What was built: the ledger of the server, and a cache that keeps two entries and can be asked."""

import pandas as pd
import streamlit as st

from shop import ledger, panel

panel.head(
    "What was built",
    "Every resource this server built and released, in all sessions, newest first.  \n"
    "Beside it, a cache of at most two entries: watch the oldest go, and ask it for its figures.",
)


@st.fragment(run_every=2)
def show_ledger() -> None:
    """The ledger's latest lines, kept up to date."""
    events = pd.DataFrame(ledger.events())
    if events.empty:
        st.info("Nothing was built yet.")
        return
    events["at"] = pd.to_datetime(events["at"], unit="s")
    st.dataframe(
        events[["at", "event", "kind", "object", "number"]],
        height=420,
        hide_index=True,
        column_config={
            "at": st.column_config.DatetimeColumn("At (UTC)", format="HH:mm:ss.SSS"),
            "event": "What",
            "kind": "Resource",
            "object": "Object",
            "number": "Build",
        },
    )


show_ledger()
