"""Labels: custom hash functions for a pydantic model, by type and by name."""

import streamlit as st
from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop import database, ledger, panel
from shop.resources import get_engine

panel.head(
    "Labels",
    "A label and a note are drawn once for each person, however often the same person is typed.  \n"
    "`Person` is a pydantic model: `hash_funcs` says how it is keyed, by type or by its full name.",
)


class Person(BaseModel):
    """Whom a parcel goes to."""

    name: str
    town: str
    postcode: str


@st.cache_resource(hash_funcs={Person: str}, max_entries=50, on_release=lambda label: ledger.released("label", label))
def draw_label(person: Person) -> Image.Image:
    """The label for the parcel; `Person` is named by its type."""
    label = Image.new("RGB", (460, 200), "#ffffff")
    draw = ImageDraw.Draw(label)
    draw.rectangle((0, 0, 459, 199), outline="#2f6f5e", width=3)
    draw.rectangle((0, 0, 459, 34), fill="#2f6f5e")
    draw.text((16, 8), "HEDGEROW SEEDS", font=ImageFont.load_default(size=16), fill="#ffffff")
    draw.text((16, 56), person.name, font=ImageFont.load_default(size=28), fill="#1f2a27")
    draw.text((16, 98), person.town, font=ImageFont.load_default(size=22), fill="#1f2a27")
    draw.text((16, 142), person.postcode, font=ImageFont.load_default(size=30), fill="#1f2a27")
    return ledger.built("label", label)


@st.cache_resource(
    hash_funcs={"__main__.Person": str}, max_entries=50, on_release=lambda note: ledger.released("note", note)
)
def draw_note(person: Person) -> Image.Image:
    """The note in the parcel; `Person` is named by its full name."""
    note = Image.new("RGB", (460, 130), "#f3f6f3")
    draw = ImageDraw.Draw(note)
    draw.text((16, 20), f"Dear {person.name},", font=ImageFont.load_default(size=22), fill="#1f2a27")
    text = f"your seeds are on their way to {person.town}.\nThank you, and good growing weather."
    draw.text((16, 58), text, font=ImageFont.load_default(size=18), fill="#1f2a27", spacing=8)
    return ledger.built("note", note)


with Session(get_engine(database.url())) as session:
    first = session.scalars(select(database.Customer).order_by(database.Customer.name)).first()

work, side = panel.columns()

with work:
    who, where, code = st.columns(3)
    # A new object at each run; only what it says counts.
    person = Person(
        name=who.text_input("Name", first.name),
        town=where.text_input("Town", first.town),
        postcode=code.text_input("Postcode", first.postcode),
    )
    label, note = draw_label(person), draw_note(person)
    st.image(label, width=460)
    st.image(note, width=460)

with side:
    panel.card("label", label, "global: one a person")
    panel.card("note", note, "global: one a person")
    st.code('hash_funcs={\n  Person: str,\n}\n\nhash_funcs={\n  "__main__.Person":\n    str,\n}')
