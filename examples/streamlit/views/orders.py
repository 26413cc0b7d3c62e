"""Orders: the shop's book, read through one engine that all clerks share."""

import pandas as pd
import streamlit as st

from shop import database, panel
from shop.resources import get_engine

panel.head(
    "Orders",
    "The order book of the first half of 2025, straight from a SQLite file.  \n"
    "One engine serves every clerk; it is asked whether it still answers before each use.",
)

engine = get_engine(database.url())

LINES = """
select orders.id as number, placed, customers.name as customer, customers.town,
       sum(packets) as packets, sum(packets * pence) / 100.0 as value
from orders
join customers on customers.id = orders.customer_id
join order_lines on order_lines.order_id = orders.id
group by orders.id order by placed, orders.id
"""
orders = pd.read_sql(LINES, engine, parse_dates=["placed"])
june = orders[orders["placed"] >= "2025-06-01"]

book, side = panel.columns()

with book:
    left, middle, right = st.columns(3)
    left.metric("Orders", f"{len(orders):,}")
    middle.metric("Taken", f"£{orders['value'].sum():,.0f}")
    right.metric("Of which since June", f"£{june['value'].sum():,.0f}")

    weekly = orders.set_index("placed")["value"].resample("W-MON", label="left", closed="left").sum()
    st.bar_chart(weekly, height=230, color="#2f6f5e", x_label="", y_label="£ a week")

    st.dataframe(
        orders.iloc[::-1].head(50),
        height=250,
        hide_index=True,
        column_config={
            "number": st.column_config.NumberColumn("No."),
            "placed": st.column_config.DateColumn("Placed", format="D MMM YYYY"),
            "customer": "Customer",
            "town": "Town",
            "packets": "Packets",
            "value": st.column_config.NumberColumn("Value", format="£%.2f"),
        },
    )

with side:
    panel.card("engine", engine, "global: one for all clerks")
    panel.decorator("validate=answers", "on_release=close")
