"""A workbook for each client that is connected, in a database of its own, with one dictionary for all of them.

    pip install tenure -r requirements.txt
    python server.py            # http://127.0.0.1:8000/mcp
    python server.py stdio

What a client has written is gone with its connection.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator

from mcp.server import MCPServer

import tenure.mcp
from tenure import cache_resource

server = tenure.mcp.install(MCPServer("workbook"))


@cache_resource
def dictionary() -> dict[str, str]:
    """The dictionary, expensive and the same for everybody."""
    return {"poppy": "Papaver", "clover": "Trifolium", "marigold": "Calendula"}


@cache_resource(scope="session")
def workbook() -> Iterator[sqlite3.Connection]:
    """The workbook of one client. It is closed when the client has gone."""
    cells = sqlite3.connect(":memory:", check_same_thread=False)
    cells.execute("create table notes (text text)")
    yield cells
    cells.close()


@server.tool()
def note(text: str) -> int:
    """Writes a note down, and says how many there are now."""
    with workbook() as cells:
        cells.execute("insert into notes values (?)", [text])
        return int(cells.execute("select count(*) from notes").fetchone()[0])


@server.tool()
def notes() -> list[str]:
    """All notes of this client."""
    return [text for (text,) in workbook().execute("select text from notes order by rowid")]


@server.tool()
def name(plant: str) -> str:
    """The Latin name of a plant."""
    return dictionary().get(plant, "unknown")


if __name__ == "__main__":
    server.run("stdio" if "stdio" in sys.argv else "streamable-http")
