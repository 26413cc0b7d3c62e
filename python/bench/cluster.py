"""What a call on a handle costs beside a call of a bare Ray actor with the same method, on a cluster of one node.

    python python/bench/cluster.py

measures it alone, in an environment that has Ray and no other peer. Both actors run for the whole measurement, and the
calls take turns in short rounds, since what the machine does besides is more than what is measured.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tenure
from rows import Row, table, within

CASES = {
    "in a cluster: a call on a handle": 1,
    "in a cluster: a call with 1 MB of bytes": b"x" * 1_000_000,
}
CALLS = 200


class Resource:
    """What both actors do."""

    def same(self, it: object) -> object:
        return it


@tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0}, show_spinner=False)
def resource() -> Resource:
    return Resource()


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """The rows that are wanted; none where Ray is not installed."""
    cases = {name: given for name, given in CASES.items() if wanted(name)}
    if not cases:
        return []
    if find_spec("ray") is None:
        print("no rows for a cluster: Ray is not installed", file=sys.stderr)
        return []
    import ray

    os.environ.setdefault("TENURE_FLEET_SECRET", "what the benchmark shares with itself")
    # A node finds this module whichever way the benchmark was started.
    found = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent)}}
    ray.init(
        num_cpus=4, include_dashboard=False, object_store_memory=100_000_000, logging_level="ERROR", runtime_env=found
    )
    try:
        bare = ray.remote(Resource).options(num_cpus=0).remote()
        return [_row(name, given, bare, ray.get, max(rounds, 7) * 3) for name, given in cases.items()]
    finally:
        resource.clear()
        ray.shutdown()


def _row(name: str, given: Any, bare: Any, get: Callable[[Any], Any], rounds: int) -> Row:
    handle = resource()
    loops = {"tenure": lambda: handle.same(given), "a bare Ray actor": lambda: get(bare.same.remote(given))}
    figures: dict[str, list[float]] = {peer: [] for peer in loops}
    for loop in loops.values():
        assert loop() == given
        _taken(loop)
    for _ in range(rounds):
        for peer, loop in loops.items():
            figures[peer].append(_taken(loop))
    assert resource.info().builds == 1
    medians = {peer: statistics.median(taken) for peer, taken in figures.items()}
    return Row(name, medians, goals=[within(1.2, "a bare Ray actor")])


def _taken(loop: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(CALLS):
        loop()
    return (time.perf_counter() - begun) / CALLS


if __name__ == "__main__":
    print(table(measure(7, 0.0, lambda name: True)))
