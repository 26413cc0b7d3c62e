"""Sixteen threads that want one key: calls per second in all, on every core."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from loops import call_loop, quiet, turns_for
from peers import PEERS
from rows import Row, at_least

CASE = "16 threads on one key"
THREADS = 16
RESULT = object()


def resource(a: str):
    return RESULT


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Gives one row: total calls per second, medians over interleaved rounds."""
    if not wanted(CASE):
        return []
    taken: dict[str, list[float]] = {peer: [] for peer in PEERS}
    cached = {peer: decorate(resource) for peer, decorate in PEERS.items()}
    turns = {}
    for peer, function in cached.items():
        assert function("key") is RESULT, peer
        turns[peer] = turns_for(call_loop(function, {"a": "key"}), seconds)
    for _ in range(rounds):
        for peer, function in cached.items():
            taken[peer].append(quiet(lambda f=function, n=turns[peer]: _calls_per_second(f, n)))
    figures = {peer: statistics.median(values) for peer, values in taken.items()}
    return [Row(CASE, figures, "calls/s", [at_least(0.6, "lru_cache")], more_is_better=True)]


def _calls_per_second(function: Callable[..., Any], turns: int) -> float:
    begin = threading.Barrier(THREADS + 1)
    wrong: list[object] = []

    def work() -> None:
        loop = call_loop(function, {"a": "key"})
        begin.wait()
        loop(turns)
        if function("key") is not RESULT:
            wrong.append(function)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - start
    assert not wrong
    return THREADS * turns / taken
