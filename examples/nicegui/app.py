"""A notebook for each page that is open, in a database of its own, with one model for all of them.

    pip install tenure -r requirements.txt
    python app.py

Open it twice: the two pages have two notebooks, and the folder of each goes a few seconds after its page is closed.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nicegui import ui

from tenure import cache_resource


@cache_resource
def model() -> Counter[str]:
    """The model, expensive and the same for everybody: here, how often words stand in the examples."""
    return Counter(["the", "sea", "the", "sky", "the", "garden", "a", "sea", "of", "poppies"])


@cache_resource(scope="session")
def notebook() -> Iterator[sqlite3.Connection]:
    """The notebook of one page. It is closed when NiceGUI deletes the page's client."""
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        notes = sqlite3.connect(Path(folder) / "notes.db", check_same_thread=False)
        notes.execute("create table notes (text text)")
        yield notes
        notes.close()


@ui.page("/", reconnect_timeout=float(os.environ.get("RECONNECT_TIMEOUT", "3")))
def page() -> None:
    def write() -> None:
        with notebook() as notes:
            notes.execute("insert into notes values (?)", [text.value])
            rows = notes.execute("select text from notes order by rowid desc").fetchall()
        word.text = "Its rarest word: " + min(text.value.split(), key=lambda it: model()[it], default="")
        shown.text = "; ".join(row[0] for row in rows)

    notebook()
    text = ui.input("Note")
    ui.button("Write", on_click=write)
    word, shown = ui.label(), ui.label()


ui.run(title="Notebook", port=int(os.environ.get("PORT", "8080")), reload=False, show=False)
