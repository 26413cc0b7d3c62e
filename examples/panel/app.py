"""A notebook for each page that is open, in a database of its own, with one model for all of them.

    pip install tenure -r requirements.txt
    panel serve app.py

Open it twice: the two pages have two notebooks, and the folder of each goes half a minute after its page is closed.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import panel as pn

from tenure import cache_resource


@cache_resource
def model() -> Counter[str]:
    """The model, expensive and the same for everybody: here, how often words stand in the examples."""
    return Counter(["the", "sea", "the", "sky", "the", "garden", "a", "sea", "of", "poppies"])


@cache_resource(scope="session")
def notebook() -> Iterator[sqlite3.Connection]:
    """The notebook of one page. It is closed when Bokeh destroys the page's session."""
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        notes = sqlite3.connect(Path(folder) / "notes.db", check_same_thread=False)
        notes.execute("create table notes (text text)")
        yield notes
        notes.close()


def write(event: Any) -> None:
    with notebook() as notes:
        notes.execute("insert into notes values (?)", [event.new])
        rows = notes.execute("select text from notes order by rowid desc").fetchall()
    rarest = min(event.new.split(), key=lambda it: model()[it], default="")
    shown.object = "; ".join(row[0] for row in rows) + f" (rarest word: {rarest})"


notebook()
text = pn.widgets.TextInput(name="Note")
shown = pn.pane.Str("")
text.param.watch(write, "value")
pn.Column(text, shown).servable(title="Notebook")
