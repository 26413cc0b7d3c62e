"""A member of a fleet that does as it is told, line by line. What it keeps are numbers, read from a file that all
members share.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tenure
import tenure.metrics
from tenure import _inspector, _native
from tenure._top import server

FOLDER = Path(sys.argv[1])
FILE = (FOLDER / "numbers").open("r+b")
NUMBERS = mmap.mmap(FILE.fileno(), 0)


def read(key: int) -> int:
    return int.from_bytes(NUMBERS[8 * key : 8 * key + 8], "little")


def note(*words: object) -> None:
    log = os.open(FOLDER / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(log, (" ".join(map(str, words)) + "\n").encode())
    os.close(log)


@tenure.cache_resource
def number(key: int) -> list[int]:
    return [read(key)]


@tenure.cache_resource(max_stale="1h")
def stale(key: int) -> list[int]:
    return [read(key)]


@tenure.cache_resource(scope=lambda: TENANT)
def of_tenant(key: int) -> list[int]:
    return [read(key)]


@tenure.cache_resource(fork="keep")
def kept(key: int) -> list[int]:
    return [read(key)]


@tenure.cache_resource(fork="keep")
def kept_too(key: int) -> list[int]:
    return [read(key)]


TENANT = "a"


@tenure.cache_resource(tags=lambda key, tenant: [f"tenant:{tenant}"])
def tagged(key: int, tenant: int) -> list[int]:
    return [read(key)]


@tenure.cache_resource(scope="thread", tags=["credential"])
def of_thread(key: int) -> list[int]:
    return [read(key)]


def gate(key: int) -> None:
    """Waits until the test has the build go on."""
    with (FOLDER / f"gate-{os.getpid()}").open() as opened:
        opened.read()


@tenure.cache_resource(fleet_builds=1)
def gated(key: int) -> int:
    note("begins", os.getpid())
    gate(key)
    note("ends", os.getpid())
    return key


@tenure.cache_resource(fleet_builds=1)
async def gated_async(key: int) -> int:
    note("begins", os.getpid())
    await asyncio.to_thread(gate, key)
    note("ends", os.getpid())
    return key


class Load:
    """Threads that ask for everything again and again, and look whether what they get ever grows older."""

    def __init__(self, count: int, keys: int) -> None:
        self.stops = threading.Event()
        self.older: list[tuple[int, int, int]] = []
        self.calls = 0
        self.threads = [threading.Thread(target=self.run, args=(keys,)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, keys: int) -> None:
        last: dict[int, int] = defaultdict(int)
        while not self.stops.is_set():
            for key in range(keys):
                (got,) = number(key)
                if got < last[key]:
                    self.older.append((key, last[key], got))
                last[key] = got
                self.calls += 1

    def end(self) -> tuple[int, list[tuple[int, int, int]]]:
        self.stops.set()
        for thread in self.threads:
            thread.join()
        return self.calls, self.older


LOADS: list[Load] = []


def forked(do: str, *args: Any) -> Any:
    """Does something in a forked child process, which is a member by itself."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        answer = {"pid": os.getpid(), "answer": DO[do](*args)}
        tenure.shutdown()
        os.write(writes, json.dumps(answer).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as told:
        answer = json.loads(told.read())
    os.waitpid(child, 0)
    return answer["answer"]


def heirs(number: int) -> list[int]:
    """What a child has of its parent once it has heard what was ended: one function is asked after that."""
    while kept(0)[0] < number or kept_too(0)[0] < number:
        tenure.info(fleet=True, timeout=30)
    return [kept_too(1)[0], kept.info().inherited, kept_too.info().inherited]


def members() -> list[dict[str, Any]]:
    return [
        {"pid": it.pid, "entries": it.entries, "host": it.host, "lag": it.lag, "is_this": it.is_this, "id": it.id}
        for it in tenure.info(fleet=True, timeout=30).members
    ]


def joined() -> bool:
    """Whether the server has taken this member in."""
    try:
        return any(member["is_this"] for member in members())
    except ConnectionError:
        return False


def in_tenant(tenant: str, do: Callable[..., Any], *args: Any) -> Any:
    global TENANT
    TENANT = tenant
    return do(*args)


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except BaseException as error:
        return type(error).__name__


def ask(call: Callable[[], Any]) -> Any:
    """A call that says that it is under way: what comes from here on is the call's."""
    (FOLDER / f"asks-{os.getpid()}").touch()
    return call()


def begin_load(count: int, keys: int) -> None:
    LOADS.append(Load(count, keys))


DO: dict[str, Callable[..., Any]] = {
    "joined": joined,
    "get": lambda key: number(key)[0],
    "peek": lambda key: number.peek(key),
    "hits": lambda key, count: sum(number(key)[0] == number(key)[0] for _ in range(count)),
    "clear": lambda *key: number.clear(*key),
    "clear_if": lambda value: number.clear_if(lambda it, _: it == [value]),
    "clear_all": tenure.cache_resource.clear,
    "expire": lambda *key: stale.expire(*key),
    "stale": lambda key: stale(key)[0],
    "of_tenant": lambda tenant, key: in_tenant(tenant, lambda: of_tenant(key)[0]),
    "clear_tenant": lambda tenant, *key: in_tenant(tenant, of_tenant.clear, *key),
    "tagged": lambda key, tenant: tagged(key, tenant)[0],
    "of_thread": lambda key: of_thread(key)[0],
    "clear_tag": tenure.clear_tag,
    "asks": lambda key: outcome(lambda: ask(lambda: gated(key))),
    "asks_members": lambda: outcome(lambda: ask(members)),
    "gated": lambda key: outcome(lambda: gated(key)),
    "gated_async": lambda key: outcome(lambda: asyncio.run(gated_async(key))),
    "keep": lambda: [kept(0)[0], kept_too(0)[0], kept_too(1)[0]],
    "clear_kept": lambda: [kept.clear(0), kept_too.clear(0)],
    "heirs": heirs,
    "begin_get": lambda key: threading.Thread(target=number, args=(key,), daemon=True).start(),
    "holds": lambda: number.info().entries,
    "builds": lambda: number.info().builds,
    "waits": lambda: _native._inspect()["flights"],
    "begin_load": begin_load,
    "end_load": lambda: LOADS.pop().end(),
    "forked": forked,
    "members": members,
    "metrics": tenure.metrics.text,
    "top": lambda: json.loads(server._document(0.0)),
    "inspected": lambda: _inspector.snapshot() | {"fleet": _inspector.fleet()},
    "end_inspected": lambda *meant: _inspector.end(_inspector.End(*meant)),
    "configure": lambda settings: tenure.configure(**settings),
}


def main() -> None:
    for line in sys.stdin:
        do, *args = json.loads(line)
        print(json.dumps(DO[do](*args)), flush=True)


if __name__ == "__main__":
    main()
