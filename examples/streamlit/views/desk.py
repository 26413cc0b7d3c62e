"""Your desk: an order in the making, on a connection that belongs to one session."""

import datetime as dt

import pandas as pd
import streamlit as st
from sqlalchemy import delete, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from shop import database, ledger, panel
from shop.database import Customer, DraftLine, Order, OrderLine, Product
from shop.resources import get_engine

panel.head(
    "Your desk",
    "Write an order here. Its draft lives in a temporary table on your own connection.  \n"
    "Close the tab and the connection is closed with it; nobody else ever sees the draft.",
)


def answers(session: Session) -> bool:
    """Whether the connection still answers a ping."""
    try:
        session.execute(text("select 1 from draft_lines"))
    except SQLAlchemyError:
        return False
    return True


def close(session: Session) -> None:
    """Close the session and its connection, and with it the draft."""
    connection = session.get_bind()
    session.close()
    connection.close()
    ledger.released("desk", session)


def create_sessionmaker() -> sessionmaker[Session]:
    """A new sessionmaker at each run, as an app would make one: it is not part of the key."""
    return sessionmaker(expire_on_commit=False)


@st.cache_resource(scope="session", validate=answers, on_release=close, show_spinner="Clearing your desk…")
def get_database_session(_sessionmaker: sessionmaker[Session], url: str) -> Session:
    """A session on a connection of its own, with an empty draft."""
    connection = get_engine(url).connect()
    DraftLine.__table__.create(connection)
    connection.commit()
    return ledger.built("desk", _sessionmaker(bind=connection))


url = database.url()
session = get_database_session(create_sessionmaker(), url)


def place_order(customer_id: int) -> None:
    """Turn the draft into an order, and take it from stock."""
    order = Order(customer_id=customer_id, placed=database.LAST_DAY + dt.timedelta(days=1))
    for draft in session.scalars(select(DraftLine)):
        product = session.get_one(Product, draft.product_id)
        product.stock -= draft.packets
        order.lines.append(OrderLine(product_id=product.id, packets=draft.packets, pence=product.pence))
    session.add(order)
    session.execute(delete(DraftLine))
    session.commit()


work, side = panel.columns()

with work:
    products = {item.name: item for item in session.scalars(select(Product))}
    with st.form("line", border=True):
        what, how_many = st.columns([3, 1])
        product = products[what.selectbox("Product", sorted(products))]
        packets = how_many.number_input("Packets", min_value=5, max_value=100, value=10, step=5)
        if st.form_submit_button("Add to the draft"):
            session.add(DraftLine(product_id=product.id, packets=int(packets)))
            session.commit()

    lines = session.execute(
        select(Product.name, DraftLine.packets, Product.pence).join_from(
            DraftLine, Product, DraftLine.product_id == Product.id
        )
    ).all()
    session.commit()
    if lines:
        draft = pd.DataFrame(lines, columns=["Product", "Packets", "Each"])
        draft["Each"] /= 100
        draft["Sum"] = draft["Packets"] * draft["Each"]
        money = st.column_config.NumberColumn(format="£%.2f")
        st.dataframe(draft, hide_index=True, column_config={"Each": money, "Sum": money})
        st.markdown(f"**{len(draft)} in the draft, £{draft['Sum'].sum():,.2f} in all**")
        customers = {f"{it.name}, {it.town}": it for it in session.scalars(select(Customer))}
        customer = customers[st.selectbox("For", sorted(customers))]
        st.button("Place the order", type="primary", on_click=place_order, args=(customer.id,))
    else:
        st.info("The draft is empty.")

with side:
    panel.card("desk", session, "session: yours alone")
    panel.card("engine", get_engine(url), "global: one for all clerks")
    st.button(
        "Cut my connection",
        on_click=lambda: session.get_bind().close(),
        help="Closes the connection behind the cache's back: `validate` finds it dead, the old "
        "one is released and a new one is opened. The draft is lost with it.",
    )
    panel.decorator('scope="session"', "validate=answers", "on_release=close")
