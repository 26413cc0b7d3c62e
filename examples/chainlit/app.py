"""A notebook for each chat, in a database of its own, with one model for all of them.

    pip install tenure -r requirements.txt
    chainlit run app.py

A new chat has a new notebook, and the folder of the old one goes.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import chainlit as cl
from tenure import cache_resource


@cache_resource
def model() -> Counter[str]:
    """The model, expensive and the same for everybody: here, how often words stand in the examples."""
    return Counter(["the", "sea", "the", "sky", "the", "garden", "a", "sea", "of", "poppies"])


@cache_resource(scope="session")
def notebook() -> Iterator[sqlite3.Connection]:
    """The notebook of one chat. It is closed when Chainlit deletes the session."""
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        notes = sqlite3.connect(Path(folder) / "notes.db", check_same_thread=False)
        notes.execute("create table notes (text text)")
        yield notes
        notes.close()


@cl.on_chat_start
async def start() -> None:
    notebook()


@cl.on_message
async def write(message: cl.Message) -> None:
    with notebook() as notes:
        notes.execute("insert into notes values (?)", [message.content])
        rows = notes.execute("select text from notes order by rowid desc").fetchall()
    rarest = min(message.content.split(), key=lambda it: model()[it], default="")
    await cl.Message("; ".join(row[0] for row in rows) + f" (rarest word: {rarest})").send()
