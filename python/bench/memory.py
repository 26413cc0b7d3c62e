"""Bytes per entry, and what is kept for keys that are gone: what malloc has handed out, in a process per peer.

The process runs with `PYTHONMALLOC=malloc`, so that every object of Python's and of the extensions' counts.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rows import Goal, Row, at_most

PER_ENTRY = "memory per entry, 100 k entries with one int key"
GROWTH = "kept per key seen, 100 k keys through max_entries=10"
ENTRIES = 100_000
BOUND = 10
PEER_NAMES = ("tenure", "streamlit", "lru_cache", "cachetools", "cachebox")


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Gives the two rows; one process for each peer and row."""
    rows = []
    if wanted(PER_ENTRY):
        rows.append(Row(PER_ENTRY, _every_peer(None), "B", [at_most(130, "130 B")]))
    if wanted(GROWTH):
        none = Goal("no growth", lambda figures: figures["tenure"] < 0.5)
        rows.append(Row(GROWTH, _every_peer(BOUND), "B", [none]))
    return rows


def _every_peer(max_entries: int | None) -> dict[str, float]:
    figures = {}
    for peer in PEER_NAMES:
        command = [sys.executable, str(Path(__file__)), peer, str(max_entries or "")]
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


def _probe(peer: str, max_entries: int | None) -> float:
    from peers import PEERS

    result = object()
    builds = 0

    def resource(a: int) -> object:
        nonlocal builds
        builds += 1
        return result

    cached = PEERS[peer](resource, max_entries=max_entries)
    # The first calls bring in what is needed once; they stay, and so do not count.
    for key in range(1000):
        cached(key)
    before = _handed_out()
    for key in range(1000, 1000 + ENTRIES):
        cached(key)
    kept = _handed_out() - before
    assert builds == 1000 + ENTRIES, builds
    assert cached(999 + ENTRIES) is result
    assert builds == 1000 + ENTRIES, "the newest entry is not held"
    return kept / ENTRIES


if __name__ == "__main__":
    print(json.dumps(_probe(sys.argv[1], int(sys.argv[2]) if sys.argv[2] else None)))
