"""What was built: the ledger of the server, and a cache that keeps two entries and can be asked."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from shop import database, ledger, panel
from shop.resources import get_engine
from tenure import cache_resource

panel.head(
    "What was built",
    "Every resource this server built and released, in all sessions, newest first.  \n"
    "Beside it a cache of at most two stock lists: choose a third and see the oldest go.",
)


@dataclass
class StockList:
    """A category's products, those first that run out first."""

    category: str
    products: pd.DataFrame


def let_go(made: StockList) -> None:
    """Note that a list is gone."""
    ledger.released("stock list", made)


# This page names Tenure, because `info()` is not Streamlit's.
@cache_resource(ttl="10m", max_entries=2, on_release=let_go)
def stock_list(category: str) -> StockList:
    """What is left of a category, at most ten minutes old."""
    products = pd.read_sql(
        "select name, stock from products where category = ? order by stock limit 3",
        get_engine(database.url()),
        params=(category,),
    )
    return ledger.built("stock list", StockList(category, products))


@st.fragment(run_every=2)
def show_ledger() -> None:
    """The ledger's latest lines, kept up to date."""
    events = pd.DataFrame(ledger.events())
    events["at"] = pd.to_datetime(events["at"], unit="s")
    st.dataframe(
        events[["at", "event", "kind", "object", "number"]],
        height=492,
        hide_index=True,
        column_config={
            "at": st.column_config.DatetimeColumn("At (UTC)", format="HH:mm:ss.SSS"),
            "event": "What",
            "kind": "Resource",
            "object": "Object",
            "number": "Build",
        },
    )


work, side = panel.columns()

with side:
    category = st.radio("Stock list", database.PRODUCTS, horizontal=True)
    made = stock_list(category)
    st.caption("  \n".join(f"{row.stock} left of {row.name}" for row in made.products.itertuples()))
    panel.card("stock list", made, "global: two at most")

    info = stock_list.info()
    figures = {"hits": info.hits, "builds": info.builds, "entries": info.entries}
    figures |= {cause: count for cause, count in info.releases.items() if count}
    with st.container(key="figures"):
        st.caption("`stock_list.info()`  \n" + "  \n".join(f"{name}: {n}" for name, n in figures.items()))

with work:
    show_ledger()
