"""Threads that query through cached connections, which end all the time."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from world import is_quiet

THREADS = 8
LOST = 60.0


@dataclass
class Seen:
    """What became of the queries, and of the connections."""

    queries: int = 0
    #: As text: an exception's traceback would hold the connection that it met.
    errors: list[str] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, **changes: int) -> None:
        with self.lock:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)


@contextmanager
def by_reference(connect: Any, key: int) -> Iterator[Any]:
    """As most programs use it: a name, for as long as the function runs."""
    yield connect(key)


@contextmanager
def by_lease(connect: Any, key: int) -> Iterator[Any]:
    with connect.lease(key) as connection:
        yield connection


def work(connect: Any, query: Callable[[Any, int], None], seen: Seen, rounds: int) -> None:
    """Queries from many threads, in both ways, with clears between."""
    together = threading.Barrier(THREADS)

    def run(number: int) -> None:
        together.wait(LOST)
        for round in range(rounds):
            key = (number * 7 + round) % 5
            way = (by_reference, by_lease)[round % 2]
            try:
                with way(connect, key) as connection:
                    for _ in range(3):
                        query(connection, round)
                        seen.note(queries=1)
            except BaseException:
                seen.errors.append(traceback.format_exc())
                return
            if round % 23 == number:
                connect.clear(key)
            if round % 101 == number:
                connect.clear()

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def await_no_drains(connect: Any) -> None:
    """Until the background thread has released what was in use when it was cleared."""
    turn = threading.Event()
    for _ in range(int(LOST / 0.01)):
        info = connect.info()
        if info.entries == info.draining == 0 and is_quiet():
            return
        turn.wait(0.01)
    raise AssertionError(f"connections are still held: {connect.info()}")
