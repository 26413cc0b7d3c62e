"""Bytes per entry and per keeper, and what is kept for keys that are gone: what malloc has handed out, in a process per
peer.

The process runs with `PYTHONMALLOC=malloc`, so that every object of Python's and of the extensions' counts.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rows import Goal, Row, at_most

PER_ENTRY = "memory per entry, 100 k entries with one int key"
GROWTH = "kept per key seen, 100 k keys through max_entries=10"
PER_IDLE = "memory per entry with max_idle, 100 k entries with one int key"
PER_KEEPER = "async: memory per live keeper, 10,000 async functions that yield"
ENTRIES = 100_000
BOUND = 10
KEEPERS = 10_000
WARM_UP = 1000
BY_HAND = "a task by hand"
NEVER_IDLE = "without max_idle"
PEER_NAMES = ("tenure", "streamlit", "lru_cache", "cachetools", "cachebox")


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Gives the rows; one process for each peer and row."""
    rows = []
    if wanted(PER_ENTRY):
        rows.append(Row(PER_ENTRY, _every_peer("entries"), "B", [at_most(130, "130 B")]))
    if wanted(GROWTH):
        none = Goal("no growth", lambda figures: figures["tenure"] < 0.5)
        rows.append(Row(GROWTH, _every_peer("bounded"), "B", [none]))
    if wanted(PER_IDLE):
        little = Goal("≤ 40 B more than without", lambda figures: figures["tenure"] <= figures[NEVER_IDLE] + 40)
        rows.append(Row(PER_IDLE, _every_peer("idle", ("tenure", NEVER_IDLE)), "B", [little]))
    if wanted(PER_KEEPER):
        rows.append(Row(PER_KEEPER, _every_peer("keepers", ("tenure", BY_HAND)), "B"))
    return rows


def _every_peer(probe: str, peers: tuple[str, ...] = PEER_NAMES) -> dict[str, float]:
    figures = {}
    for peer in peers:
        command = [sys.executable, str(Path(__file__)), probe, peer]
        environment = {**os.environ, "PYTHONMALLOC": "malloc", "MALLOC_ARENA_MAX": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        figures[peer] = json.loads(done.stdout.splitlines()[-1])
    return figures


class _Malloc(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ["arena", "ordblks", "smblks", "hblks", "hblkhd"]] + [
        (name, ctypes.c_size_t) for name in ["usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]
    ]


def _handed_out() -> int:
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Malloc
    state = libc.mallinfo2()
    return int(state.uordblks + state.hblkhd)


def _probe(peer: str, max_entries: int | None, is_idle: bool = False) -> float:
    from peers import PEERS

    result = object()
    builds = 0

    def resource(a: int) -> object:
        nonlocal builds
        builds += 1
        return result

    if peer == NEVER_IDLE:
        cached = PEERS["tenure"](resource, max_entries=None)
    elif is_idle:
        import tenure

        cached = tenure.cache_resource(max_idle="1h")(resource)
    else:
        cached = PEERS[peer](resource, max_entries=max_entries)
    # The first calls bring in what is needed once; they stay, and so do not count.
    every = WARM_UP + ENTRIES
    for key in range(WARM_UP):
        cached(key)
    before = _handed_out()
    for key in range(WARM_UP, every):
        cached(key)
    kept = _handed_out() - before
    assert builds == every, builds
    assert cached(every - 1) is result
    assert builds == every, "the newest entry is not held"
    return kept / ENTRIES


class _ByHand:
    """What one would write without a cache that keeps: for each key a task that enters, waits, and leaves."""

    def __init__(self, function: Callable[[int], Any]) -> None:
        self._function = function
        self._kept: dict[int, tuple[asyncio.Task[None], asyncio.Event, Any]] = {}

    async def __call__(self, key: int) -> Any:
        if key not in self._kept:
            entered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            stop = asyncio.Event()
            task = asyncio.create_task(self._keep(key, entered, stop))
            self._kept[key] = (task, stop, await entered)
        return self._kept[key][2]

    async def _keep(self, key: int, entered: asyncio.Future[Any], stop: asyncio.Event) -> None:
        steps = self._function(key)
        entered.set_result(await anext(steps))
        await stop.wait()
        await anext(steps, None)

    async def close(self) -> None:
        for _, stop, _ in self._kept.values():
            stop.set()
        await asyncio.gather(*(task for task, _, _ in self._kept.values()))


async def _probe_keepers(peer: str) -> float:
    import tenure

    result = object()
    open_ones = 0

    async def kept(a: int):
        nonlocal open_ones
        open_ones += 1
        yield result
        open_ones -= 1

    cached: Any = _ByHand(kept) if peer == BY_HAND else tenure.cache_resource(kept)
    every = WARM_UP + KEEPERS
    for key in range(WARM_UP):
        await cached(key)
    before = _handed_out()
    for key in range(WARM_UP, every):
        await cached(key)
    taken = _handed_out() - before
    assert open_ones == every, open_ones
    assert await cached(every - 1) is result
    assert open_ones == every, "the newest entry is not held"
    if peer == BY_HAND:
        await cached.close()
    else:
        cached.clear()
    while open_ones:
        await asyncio.sleep(0)
    return taken / KEEPERS


if __name__ == "__main__":
    probe, peer = sys.argv[1:]
    if probe == "keepers":
        print(json.dumps(asyncio.run(_probe_keepers(peer))))
    else:
        print(json.dumps(_probe(peer, BOUND if probe == "bounded" else None, probe == "idle")))
