"""Paper slips: a model that is trained on first use and reads handwritten numbers."""

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from shop import gate, ledger, panel

panel.head(
    "Paper slips",
    "Some customers still send their order on paper. A small network reads the quantities.  \n"
    "It is trained when the first clerk comes; what it wrote then stands for everyone after.",
)

digits = load_digits()
train_x, unseen_x, train_y, unseen_y = train_test_split(
    digits.data, digits.target, test_size=0.25, random_state=7, stratify=digits.target
)


def picture(pixels: np.ndarray, side: int = 64) -> Image.Image:
    """One handwritten digit, dark on light."""
    grey = np.pad((255 - pixels.reshape(8, 8) * (255 / 16)).astype(np.uint8), 1, constant_values=255)
    return Image.fromarray(grey).resize((side, side), Image.Resampling.BICUBIC)


def contact_sheet(samples: np.ndarray, readings: np.ndarray) -> Image.Image:
    """A row of digits, each with what was read under it."""
    sheet = Image.new("L", (54 * len(samples), 70), 255)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for column, (pixels, reading) in enumerate(zip(samples, readings, strict=True)):
        sheet.paste(picture(pixels, 48), (54 * column, 0))
        draw.text((54 * column + 24, 50), str(reading), font=font, fill=60, anchor="ma")
    return sheet


def let_go(model):
    """Note that the reader is gone."""
    ledger.released("slip reader", model)


@st.cache_resource(show_spinner="Training the slip reader…", show_time=True, on_release=let_go)
def load_model():
    """The slip reader: trained on three quarters of scikit-learn's handwritten digits."""
    model = make_pipeline(MinMaxScaler(), MLPClassifier(random_state=7, tol=0.001))
    gate.wait()
    model.fit(train_x, train_y)
    right = model.score(unseen_x, unseen_y)
    st.success(f"Trained on {len(train_x):,} digits: {right:.1%} of {len(unseen_x)} unseen read.")
    st.image(
        contact_sheet(unseen_x[:10], model.predict(unseen_x[:10])),
        caption="Ten unseen digits, with what was read",
        width="content",
    )
    st.write(model.named_steps)
    return ledger.built("slip reader", model)


work, side = panel.columns()

with work:
    model = load_model()

    st.subheader("Read a slip")
    number = st.slider("Slip number", 1, 60, 12)
    pages = unseen_x[number * 3 : number * 3 + 2]
    paper, reading, certainty = st.columns([1, 1, 1])
    slip = Image.new("L", (152, 76), 255)
    for column, pixels in enumerate(pages):
        slip.paste(picture(pixels), (6 + 72 * column, 6))
    paper.image(slip, caption=f"Slip {number}, on paper")
    reading.metric("Packets, as read", "".join(str(digit) for digit in model.predict(pages)))
    certainty.metric("Certain to", f"{model.predict_proba(pages).max(axis=1).prod():.1%}")

with side:
    panel.card("slip reader", model, "global: one for all clerks")
    panel.decorator('show_spinner="…"', "show_time=True", "on_release=let_go")
    st.caption("The message, the picture and the list on the left were written while it trained.")
