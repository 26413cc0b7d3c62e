"""Tenure beside its peers, in one run: prints one table, and writes the figures as JSON.

    python python/bench [--json FILE] [--only TEXT] [--rounds N] [--seconds S]

Every row asserts that the right object came back and that nothing was built where a hit was measured. None asserts
a time: the goals are printed, with whether they were reached.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cluster
import coroutines
import figures
import fleet
import hits
import life
import memory
import misses
import plugin
import refreshes
import server
import terms
import threads
from machine import describe
from rows import Row, table


def main() -> None:
    """Runs what was asked for."""
    options = argparse.ArgumentParser(description="Tenure beside its peers, in one run")
    options.add_argument("--json", type=Path, help="where the figures go")
    options.add_argument("--only", default="", help="only cases whose name contains this")
    options.add_argument("--rounds", type=int, default=7, help="interleaved rounds, the median counts")
    options.add_argument("--seconds", type=float, default=0.02, help="how long one measurement takes, about")
    chosen = options.parse_args()

    def wanted(name: str) -> bool:
        return chosen.only.lower() in name.lower()

    rows: list[Row] = []
    for part in (
        hits,
        threads,
        misses,
        coroutines,
        terms,
        refreshes,
        memory,
        life,
        server,
        figures,
        plugin,
        fleet,
        cluster,
    ):
        print(f"measuring: {part.__name__}", file=sys.stderr, flush=True)
        rows += part.measure(chosen.rounds, chosen.seconds, wanted)
        # Nothing that is measured is lost where a later part fails.
        if chosen.json:
            write(chosen.json, chosen.rounds, rows)

    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    print(f"Medians of {chosen.rounds} interleaved rounds; in brackets how many times better Tenure is.\n")
    print(table(rows))


def write(path: Path, rounds: int, rows: list[Row]) -> None:
    """Writes the figures so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": describe(), "rounds": rounds, "rows": [row.as_json() for row in rows]}
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
