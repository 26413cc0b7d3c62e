"""Price tags, made by Celery workers: one catalogue for all workers of a machine, and a ledger for each.

    celery -A tasks worker --concurrency 4      # in one terminal
    python tasks.py poppy clover                # in another

The queue is a folder beside this file, so that nothing else has to run.
"""

import os
import random
import sqlite3
import sys
import threading
from pathlib import Path

from celery import Celery, signals

import tenure

FOLDER = Path(os.environ.get("QUEUE", Path(__file__).parent / "queue")).absolute()
for name in ("messages", "control", "results"):
    (FOLDER / name).mkdir(parents=True, exist_ok=True)

app = Celery("tasks", broker="filesystem://", backend=f"file://{FOLDER / 'results'}")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDER / "messages"),
    "data_folder_out": str(FOLDER / "messages"),
    "control_folder": str(FOLDER / "control"),
    "polling_interval": 0.1,
}


@tenure.cache_resource(fork="keep")
def catalogue() -> dict[str, list[int]]:
    """Only read, so that the workers share its memory with the process that has forked them."""
    chance = random.Random(7)
    kinds = ["poppy", "clover", "cornflower", "marigold", "yarrow"]
    return {kind: [chance.randint(80, 900) for _ in range(10_000)] for kind in kinds}


class Ledger(sqlite3.Connection):
    """A connection that the threads of a process take in turn, as `--pool threads` has them."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.turn = threading.Lock()


def close(ledger: Ledger) -> None:
    (entries,) = ledger.execute("select count(*) from tags").fetchone()
    ledger.close()
    print(f"process {os.getpid()} closes its ledger of {entries}", flush=True)


@tenure.cache_resource(on_release=close)
def ledger() -> Ledger:
    """A connection that each process opens when it first needs it, and closes when it ends."""
    database = sqlite3.connect(":memory:", check_same_thread=False, factory=Ledger)
    database.execute("create table tags (kind text)")
    return database


@signals.worker_init.connect
def before_the_pool_begins(**_):
    catalogue()


@app.task
def tag(kind: str) -> str:
    mine = ledger()
    with mine.turn:
        mine.execute("insert into tags values (?)", (kind,))
    return f"{kind}: from {min(catalogue()[kind])} cents"


if __name__ == "__main__":
    for result in [tag.delay(kind) for kind in sys.argv[1:]]:
        print(result.get(timeout=30, interval=0.05))
