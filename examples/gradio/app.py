"""A notebook for each page that is open, in a database of its own, with one model for all of them.

    pip install tenure -r requirements.txt
    python app.py

Open it twice: the two pages have two notebooks, and the folder of each goes when its page is closed.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

import tenure.gradio
from tenure import cache_resource


@cache_resource
def model() -> Counter[str]:
    """The model, expensive and the same for everybody: here, how often words stand in the examples."""
    return Counter(["the", "sea", "the", "sky", "the", "garden", "a", "sea", "of", "poppies"])


@cache_resource(scope="session")
def notebook() -> Iterator[sqlite3.Connection]:
    """The notebook of one page. It is closed when the page is."""
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        # Each event runs on whichever thread is free.
        notes = sqlite3.connect(Path(folder) / "notes.db", check_same_thread=False)
        notes.execute("create table notes (text text)")
        yield notes
        notes.close()


def write(text: str) -> list[list[str]]:
    with notebook() as notes:
        notes.execute("insert into notes values (?)", [text])
        return [list(row) for row in notes.execute("select text from notes order by rowid desc")]


def rarest(text: str) -> str:
    return min(text.split(), key=lambda word: model()[word], default="")


with gr.Blocks(title="Notebook") as demo:
    text = gr.Textbox(label="Note")
    notes = gr.Dataframe(headers=["Notes of this page"], type="array")
    word = gr.Textbox(label="Its rarest word")
    text.submit(write, text, notes).then(rarest, text, word)

tenure.gradio.install(demo)

if __name__ == "__main__":
    demo.launch()
