"""Everything that was measured, as one table of ratios.

    python python/bench/summary.py FOLDER

Reads the reports in the folder, one for each language or server, and writes them together as `bench.json` beside them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rows import NAMES, Row, digits, shown

TOGETHER = "bench.json"


def line(report: str, plain: dict[str, Any]) -> str:
    """One row: the case, Tenure's figure, how many times better it is than each peer, and the goals."""
    row = Row(plain["case"], plain["figures"], plain["unit"], more_is_better=plain["more_is_better"])
    ratios = [(NAMES.get(peer, peer), row.ratio(peer)) for peer in row.figures if peer != "tenure"]
    beside = "; ".join(f"{name} {digits(ratio)} ×" for name, ratio in ratios if ratio is not None)
    goals = "; ".join(f"{goal['goal']}: {'yes' if goal['reached'] else 'no'}" for goal in plain["goals"])
    figure = shown(row.figures["tenure"], row.unit)
    return f"| {report} | {row.case} | {figure} | {beside or '–'} | {goals or '–'} |"


def main() -> None:
    """Prints the table and writes the reports as one."""
    folder = Path(sys.argv[1])
    paths = sorted(path for path in folder.glob("*.json") if path.name != TOGETHER)
    reports = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    (folder / TOGETHER).write_text(json.dumps(reports, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\nHow many times better Tenure is than each peer, and whether the goals set for it are reached:\n")
    print("| | Case | Tenure | Against | Goals |")
    print("|---|---|---|---|---|")
    for name, report in reports.items():
        for plain in report["rows"]:
            print(line(name, plain))


if __name__ == "__main__":
    main()
