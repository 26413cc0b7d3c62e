"""A notebook for each page that is open, in a database of its own, with one model for all of them.

    pip install tenure -r requirements.txt
    shiny run app.py

Open it twice: the two pages have two notebooks, and each is closed with its page.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator

from shiny import App, Inputs, Outputs, Session, reactive, render, ui

from tenure import cache_resource


@cache_resource
def model() -> Counter[str]:
    """The model, expensive and the same for everybody: here, how often words stand in the examples."""
    return Counter(["the", "sea", "the", "sky", "the", "garden", "a", "sea", "of", "poppies"])


@cache_resource(scope="session")
def notebook() -> Iterator[sqlite3.Connection]:
    """The notebook of one page. It is closed when the page is."""
    notes = sqlite3.connect(":memory:", check_same_thread=False)
    notes.execute("create table notes (text text)")
    yield notes
    notes.close()


page = ui.page_fluid(
    ui.input_text("text", "Note"),
    ui.input_action_button("write", "Write"),
    ui.output_text("shown"),
)


def server(input: Inputs, output: Outputs, session: Session) -> None:
    @render.text
    @reactive.event(input.write)
    def shown() -> str:
        text = input.text()
        with notebook() as notes:
            notes.execute("insert into notes values (?)", [text])
            rows = notes.execute("select text from notes order by rowid desc").fetchall()
        rarest = min(text.split(), key=lambda it: model()[it], default="")
        return "; ".join(row[0] for row in rows) + f" (rarest word: {rarest})"


app = App(page, server)
