"""A price list on Django, in one file: a catalogue that is only read, and a ledger for each process.

python shop.py runserver                                # while you write it
gunicorn --preload --workers 4 shop:application         # in production
uvicorn shop:served                                     # on an ASGI server
"""

import os
import random
import sqlite3
import sys
import threading

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import Http404, JsonResponse
from django.urls import path

import tenure
import tenure.asgi

if not settings.configured:
    settings.configure(
        DEBUG="runserver" in sys.argv,
        SECRET_KEY="for an example",
        ALLOWED_HOSTS=["localhost", "127.0.0.1", "testserver"],
        ROOT_URLCONF=__name__,
    )
    django.setup()


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


def price(request, kind: str) -> JsonResponse:
    prices = catalogue().get(kind)
    if prices is None:
        raise Http404(kind)
    mine = ledger()
    with mine.turn:
        mine.execute("insert into asked values (?)", (kind,))
    return JsonResponse({"kind": kind, "cents": min(prices), "process": os.getpid()})


urlpatterns = [path("price/<str:kind>", price)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
else:
    catalogue()  # Before gunicorn forks.
    application = get_wsgi_application()
    served = tenure.asgi.Middleware(get_asgi_application())
