"""L5, L10, L4 with SQLite under load: no query ever meets a closed connection, and each is closed once."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from load import Seen, await_no_drains, work

import tenure
from world import releases

pytestmark = [
    pytest.mark.stress,
    pytest.mark.filterwarnings("ignore:.*told apart by its identity"),
]


def database(folder: Path) -> Path:
    path = folder / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table goods (id integer primary key, name text)")
        connection.executemany("insert into goods values (?, ?)", [(number, f"good {number}") for number in range(100)])
    connection.close()
    return path


class Connection(sqlite3.Connection):
    """A connection that threads take turns with: from Python 3.12 on, two threads that execute the same SQL at once get
    one statement out of the connection's cache, and each other's parameters and rows.

    Only queries take turns. A close does not wait for one, so a connection that is closed too early is met.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.turn = threading.Lock()


def query(connection: Connection, number: int) -> None:
    with connection.turn:
        (name,) = connection.execute("select name from goods where id = ?", (number % 100,)).fetchone()
    assert name == f"good {number % 100}"


@pytest.mark.parametrize("settings", [{"max_entries": 2}, {"ttl": 0.003}, {"max_entries": 2, "ttl": 0.01}], ids=str)
def test_l5_no_query_meets_a_closed_connection(
    tmp_path: Path, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path, seen = database(tmp_path), Seen()

    def close(connection: Connection) -> None:
        seen.note(closed=1)
        connection.close()

    @tenure.cache_resource(drain="30s", on_release=close, **settings)
    def connect(key: int) -> Connection:
        seen.note(opened=1)
        return sqlite3.connect(path, check_same_thread=False, factory=Connection)

    work(connect, query, seen, rounds=300)
    connect.clear()
    await_no_drains(connect)
    assert seen.errors == []
    assert seen.queries == 8 * 300 * 3
    assert seen.opened == seen.closed == sum(releases(connect).values())
    assert seen.opened > 100
    # Nothing was released by the bound, nor with an error.
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_l5_without_a_drain_queries_do_meet_closed_connections(tmp_path: Path) -> None:
    """Shows that the load above finds what it is there to find."""
    path, seen = database(tmp_path), Seen()

    @tenure.cache_resource(max_entries=1, on_release=lambda connection: connection.close())
    def connect(key: int) -> Connection:
        return sqlite3.connect(path, check_same_thread=False, factory=Connection)

    one = connect(1)
    connect(2)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        query(one, 1)
    assert seen.errors == []
