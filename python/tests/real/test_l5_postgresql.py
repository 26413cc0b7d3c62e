"""L5, L6 with a real PostgreSQL server: no query ever meets a closed connection, and the server sees as many
disconnects as connects."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from load import LOST, Seen, await_no_drains, work
from postgres import Missing, Server, server

import tenure
from world import releases

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

pytestmark = [
    pytest.mark.stress,
    pytest.mark.filterwarnings("ignore:.*told apart by its identity"),
]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    try:
        running = server()
        with running as it:
            yield it
    except Missing as missing:
        if os.environ.get("TENURE_POSTGRESQL_REQUIRED"):
            raise
        pytest.skip(str(missing))


def await_disconnects(postgresql: Server) -> tuple[int, int]:
    """The server writes its log a little later than a client goes."""
    turn = threading.Event()
    for _ in range(int(LOST / 0.01)):
        connects, disconnects = postgresql.seen()
        if connects == disconnects:
            break
        turn.wait(0.01)
    return connects, disconnects


def query(connection: Any, number: int) -> None:
    (sum_,) = connection.execute("select %s + 1", (number,)).fetchone()
    assert sum_ == number + 1


@pytest.mark.parametrize("settings", [{"max_entries": 2}, {"ttl": 0.02}, {"max_entries": 2, "ttl": 0.05}], ids=str)
def test_l5_no_query_meets_a_closed_connection(
    postgresql: Server, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    before = postgresql.seen()
    seen = Seen()
    address = postgresql.address

    def close(connection: Any) -> None:
        assert not connection.closed
        connection.close()
        seen.note(closed=1)

    @tenure.cache_resource(drain="30s", validate=lambda connection: not connection.closed, on_release=close, **settings)
    def connect(key: int) -> Any:
        seen.note(opened=1)
        return psycopg.connect(address, autocommit=True)

    work(connect, query, seen, rounds=60)
    connect.clear()
    await_no_drains(connect)
    assert seen.errors == []
    assert seen.queries == 8 * 60 * 3
    assert seen.opened == seen.closed == sum(releases(connect).values())
    connects, disconnects = await_disconnects(postgresql)
    assert connects == disconnects
    assert connects - before[0] == seen.opened > 20
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_l9_a_connection_that_the_server_has_closed_is_built_anew(postgresql: Server) -> None:
    address = postgresql.address

    def is_alive(connection: Any) -> bool:
        connection.execute("select 1")
        return True

    @tenure.cache_resource(validate=is_alive, on_release=lambda connection: connection.close())
    def connect() -> Any:
        return psycopg.connect(address, autocommit=True)

    first = connect()
    assert connect() is first
    with psycopg.connect(address, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", (first.info.backend_pid,))
    logging.getLogger("tenure").disabled = True
    try:
        second = connect()
    finally:
        logging.getLogger("tenure").disabled = False
    assert second is not first
    assert first.closed
    assert second.execute("select 1").fetchone() == (1,)
    connect.clear()
    assert second.closed
    connects, disconnects = await_disconnects(postgresql)
    assert connects == disconnects


def test_l6_the_server_sees_an_orderly_goodbye_at_the_end_of_the_process(postgresql: Server) -> None:
    """Without one it writes that the client's end was unexpected."""
    before = postgresql.log.read_text(errors="replace")
    program = f"""
import sys, psycopg, tenure

@tenure.cache_resource(on_release=lambda connection: connection.close())
def connect(key):
    return psycopg.connect({postgresql.address!r}, autocommit=True)

for key in range(3):
    connect(key).execute("begin")
sys.exit(int(sys.argv[1]))
"""
    done = subprocess.run([sys.executable, "-c", program, "3"], timeout=LOST, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    connects, disconnects = await_disconnects(postgresql)
    assert connects == disconnects
    news = postgresql.log.read_text(errors="replace").removeprefix(before)
    assert news.count("disconnection: session time") == 3
    assert "unexpected EOF" not in news
