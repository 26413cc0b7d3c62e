"""A price list on Flask: a catalogue that is only read, and a ledger for each process.

flask --app app --debug run                 # while you write it
gunicorn --preload --workers 4 app:app      # in production: the workers share the catalogue's memory
"""

import os
import random
import sqlite3
import threading

from flask import Flask, abort

import tenure

app = Flask(__name__)


class Ledger(sqlite3.Connection):
    """A connection that the threads of a process take in turn."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.turn = threading.Lock()


def close(ledger: Ledger) -> None:
    (entries,) = ledger.execute("select count(*) from asked").fetchone()
    ledger.close()
    print(f"process {os.getpid()} closes its ledger of {entries}", flush=True)


@tenure.cache_resource(fork="keep")
def catalogue() -> dict[str, list[int]]:
    chance = random.Random(7)
    kinds = ["poppy", "clover", "cornflower", "marigold", "yarrow"]
    return {kind: [chance.randint(80, 900) for _ in range(10_000)] for kind in kinds}


@tenure.cache_resource(drain="2s", on_release=close)
def ledger() -> Ledger:
    database = sqlite3.connect(":memory:", check_same_thread=False, factory=Ledger)
    database.execute("create table asked (kind text)")
    return database


@app.get("/price/<kind>")
def price(kind: str):
    prices = catalogue().get(kind) or abort(404)
    mine = ledger()
    with mine.turn:
        mine.execute("insert into asked values (?)", (kind,))
    return {"kind": kind, "cents": min(prices), "process": os.getpid()}


if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
    catalogue()  # Before gunicorn forks.
