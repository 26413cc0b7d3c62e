"""Meadow mix: sliders, a checkbox and a form inside a cached function, whose values count as arguments."""

import math
import random
from dataclasses import dataclass

import streamlit as st
from PIL import Image, ImageDraw
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop import database, ledger, panel
from shop.database import Product
from shop.resources import get_engine

# `experimental_allow_widgets` is a parameter that Streamlit has given up, and `info()` was never its own.
from tenure import cache_resource

panel.head(
    "Meadow mix",
    "The sliders stand inside the cached function: a mix is sown once and then shared by whoever sets the same.  \n"
    "Open this page in a second window and set it as here: both windows show the same object.",
)

COLOURS = {"Field poppy": "#d8452e", "Cornflower 'Blue Ball'": "#3a62c9", "Oxeye daisy": "#ffffff"}
GRASS = ["#6f9a45", "#85ad57", "#5c8a3c"]
SIZE = (560, 300)


@dataclass
class Mix:
    """Ten packets of seed as they were mixed, and what they cost."""

    packets: dict[str, int]
    pence: int


def let_go(made: Mix) -> None:
    """Note that a mix is gone."""
    ledger.released("mix", made)


def sown(packets: dict[str, int], grasses: int) -> Image.Image:
    """The meadow in June."""
    chance = random.Random(12)
    meadow = Image.new("RGB", SIZE, "#dcecf5")
    draw = ImageDraw.Draw(meadow)
    draw.rectangle((0, 84, *SIZE), fill="#93b765")
    for _ in range(35 * grasses):
        x, foot = chance.uniform(0, SIZE[0]), chance.uniform(100, SIZE[1] + 20)
        for lean in (-9, 0, 9):
            draw.line((x, foot, x + lean, foot - 30), fill=chance.choice(GRASS), width=4)
    flowers = [name for name, count in packets.items() for _ in range(count * 6)]
    chance.shuffle(flowers)
    for name in flowers:
        x, y = chance.uniform(8, SIZE[0] - 8), chance.uniform(96, SIZE[1] - 8)
        size = 4 + y / 50
        for petal in range(6):
            turn = petal * math.tau / 6
            at_x, at_y = x + size * math.cos(turn), y + size * math.sin(turn)
            draw.circle((at_x, at_y), size * 0.62, fill=COLOURS[name])
        draw.circle((x, y), size * 0.55, fill="#f2c53d" if name == "Oxeye daisy" else "#2b2333")
    return meadow


@cache_resource(experimental_allow_widgets=True, max_entries=20, on_release=let_go, show_spinner="Sowing…")
def mix() -> Mix:
    """A mix as the sliders say; each setting of them is an entry of its own, and twenty are kept."""
    choice, view = st.columns([2, 3])
    with choice:
        packets = {name: st.slider(name, 0, 10, 4) for name in COLOURS}
        grasses = st.slider("Grass", 1, 5, 2) if st.checkbox("Grasses between them") else 0
        with st.form("packet", border=True):
            label = st.text_input("On the packet", "Our own meadow", max_chars=24)
            st.form_submit_button("Print it", icon=":material/print:")
    with Session(get_engine(database.url())) as session:
        chosen = session.scalars(select(Product).where(Product.name.in_(packets)))
        pence = sum(product.pence * packets[product.name] for product in chosen) + 95 * grasses
    view.image(sown(packets, grasses), width="stretch")
    view.markdown(f"**{label}**: {sum(packets.values())} packets and {grasses} of grass, £{pence / 100:.2f}")
    return ledger.built("mix", Mix(packets, pence))


work, side = panel.columns()

with work:
    made = mix()
    st.button("Run the page again", icon=":material/refresh:")

with side:
    panel.card("mix", made, "global: one for each setting")
    info = mix.info()
    with st.container(key="figures"):
        figures = {"hits": info.hits, "builds": info.builds, "entries": info.entries}
        st.caption("`mix.info()`  \n" + "  \n".join(f"{name}: {n}" for name, n in figures.items()))
    st.caption(
        "`experimental_allow_widgets`  \n`max_entries=20`: four sliders have thousands of settings, "
        "and this bounds what they can fill."
    )
