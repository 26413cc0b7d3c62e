"""The guide's page on what Tenure costs, with charts, from what `make bench` has measured.

    python python/bench/page.py FOLDER GUIDE

Reads `python.json` and `rust.json` in FOLDER; writes `benchmarks.md` in GUIDE, and the charts beside the other
drawings. Peers that are ahead stand where they are: further left in a chart, in bold in a table.
"""

from __future__ import annotations

import json
import math
import sys
import tomllib
from html import escape
from pathlib import Path
from typing import Any

from rows import NAMES, YARDSTICKS, Row, digits, shown

TITLES = {"python": "Python", "rust": "Rust"}
SECONDS = {"s": 1.0, "ns": 1e-9}
"""The units that are times, and what one of them is."""
LOCK = Path(__file__).resolve().parents[2] / "bench" / "rust" / "Cargo.lock"
RUST_PEERS = ("moka", "quick_cache", "papaya", "cached")
COLOURS = ("#b45309", "#4f6bd8", "#a8327e", "#6b7f12", "#8a5a2b", "#5b6b7a")
DARK_COLOURS = ("#f0a050", "#93a8ff", "#ee86c4", "#b8cf4a", "#d0a070", "#a7b4c2")
WIDTH, LEFT, RIGHT, TOP, STEP = 560, 22, 34, 96, 52

METHOD = """Tenure and its peers take turns within one run, round after round; a figure is the median of the rounds.
Each case asserts that the right object came back and that nothing was built where a hit was measured; none asserts a
time. The programs are in [`python/bench`](../../python/bench) and [`bench/rust`](../../bench/rust)."""

PAGE = """# Benchmarks

What does a call cost, and what do others cost beside it? `make bench` measures it where you are; `make bench-page`
makes this page from that.

{parts}
## How it was measured

{method}

{machines}
## How to read it

- A chart has one line for each case that is a time and that a peer has too, so fewer than the table; what is counted in
  calls a second or in bytes stands in the table alone. Time is on a logarithmic scale: a step to the right is ten times
  slower. Whoever stands further left is ahead, whoever that is.
- In the tables "×" is how many times better Tenure is. Below 1 the peer is ahead, and the figure is **bold**. In
  brackets after a case stands a yardstick that is no peer: Tenure itself without what is measured, or the least that it
  could cost.
- The peers do less, or something else: `lru_cache` neither releases nor expires, quick_cache has no age. What is
  compared is what a call costs, and not what one gets for it: [coming from `lru_cache`](from/lru-cache.md), [from moka
  and cached](from/rust-caches.md).
- A virtual machine has neighbours: measure where it counts.
"""


def row_of(plain: dict[str, Any]) -> Row:
    """A row as the reports have it."""
    return Row(plain["case"], plain["figures"], plain["unit"], more_is_better=plain["more_is_better"])


def name(peer: str) -> str:
    """A peer as the page calls it."""
    return NAMES.get(peer, peer)


def peers_of(rows: list[Row]) -> list[str]:
    """The peers that two cases or more are compared with, in order."""
    named = [peer for row in rows for peer in row.figures if peer != "tenure" and peer not in YARDSTICKS]
    return sorted({it for it in named if named.count(it) > 1}, key=named.index)[: len(COLOURS)]


def charted(rows: list[Row], peers: list[str]) -> list[Row]:
    """The cases that are times, and that a peer of the chart has too."""
    return [it for it in rows if it.unit in SECONDS and "tenure" in it.figures and any(p in it.figures for p in peers)]


def chart(title: str, rows: list[Row]) -> str:
    """The cases as an SVG, each as a line with a mark for each peer."""
    peers = peers_of(rows)
    rows = charted(rows, peers)
    times = [f * SECONDS[it.unit] for it in rows for peer, f in it.figures.items() if peer in ("tenure", *peers)]
    least, most = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    height = TOP + STEP * len(rows) + 34

    def across(seconds: float) -> float:
        return LEFT + (math.log10(seconds) - least) / (most - least) * (WIDTH - LEFT - RIGHT)

    body = [_legend(peers)]
    for power in range(least, most + 1):
        x = across(10.0**power)
        body.append(f'<path class="grid" d="M{x:.1f} {TOP - 20}V{height - 30}"/>')
        if (most - power) % 2 == 0:
            for y in (TOP - 26, height - 10):
                body.append(f'<text class="soft" x="{x:.1f}" y="{y}" text-anchor="middle">{_tick(power)}</text>')
    for number, row in enumerate(rows):
        y = TOP + STEP * number
        marks = {p: across(f * SECONDS[row.unit]) for p, f in row.figures.items() if p in ("tenure", *peers)}
        ahead = [name(peer) for peer in peers if (row.ratio(peer) or 1.0) < 1.0]
        note = f" · {', '.join(ahead)} ahead" if ahead else ""
        body.append(f'<text x="{LEFT}" y="{y}">{escape(row.case)}<tspan class="soft">{escape(note)}</tspan></text>')
        body.append(f'<path class="line" d="M{min(marks.values()):.1f} {y + 14}H{max(marks.values()):.1f}"/>')
        for peer in reversed(["tenure", *peers]):
            if peer in marks:
                told = f"{name(peer)}: {shown(row.figures[peer], row.unit)}"
                body.append(_mark(peers, peer, marks[peer], y + 14, told))
    described = f"{len(rows)} cases, each with the time of a call with Tenure and with {', '.join(map(name, peers))}."
    return _SVG.format(
        width=WIDTH,
        height=height,
        title=escape(title),
        described=escape(described),
        light=" ".join(f"--p{i}: {it};" for i, it in enumerate(COLOURS)),
        dark=" ".join(f"--p{i}: {it};" for i, it in enumerate(DARK_COLOURS)),
        body="\n  ".join(body),
    )


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d">
  <title id="t">{title}</title>
  <desc id="d">{described}</desc>
  <style>
    :root {{ --paper: #ffffff; --ink: #1f2933; --soft: #52606d; --grid: #e2e7ec; --main: #0f766e; {light} }}
    @media (prefers-color-scheme: dark) {{
      :root {{ --paper: #1e2129; --ink: #e4e7eb; --soft: #b3bcc7; --grid: #353b47; --main: #35b3a6; {dark} }}
    }}
    .paper {{ fill: var(--paper); }}
    text {{ font: 16px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink); }}
    .soft {{ fill: var(--soft); font-size: 14px; }}
    .grid {{ stroke: var(--grid); }}
    .line {{ stroke: var(--soft); stroke-opacity: 0.5; }}
  </style>
  <rect class="paper" width="{width}" height="{height}" rx="10"/>
  {body}
</svg>
"""


def _mark(peers: list[str], peer: str, x: float, y: float, told: str = "") -> str:
    title = f"<title>{escape(told)}</title>" if told else ""
    if peer == "tenure":
        path = f"M{x:.1f} {y - 8:g}l8 8l-8 8l-8-8z"
        return f'<path d="{path}" style="fill: var(--main)">{title}</path>'
    return f'<circle cx="{x:.1f}" cy="{y:g}" r="5.5" style="fill: var(--p{peers.index(peer)})">{title}</circle>'


def _legend(peers: list[str]) -> str:
    x, y, parts = LEFT + 8, 24, []
    for peer in ["tenure", *peers]:
        width = 36 + int(8.8 * len(name(peer)))
        if x + width > WIDTH + 16:
            x, y = LEFT + 8, y + 24
        parts.append(_mark(peers, peer, x, y))
        parts.append(f'<text x="{x + 13}" y="{y + 5}">{escape(name(peer))}</text>')
        x += width
    return "\n  ".join(parts)


def _tick(power: int) -> str:
    size, unit = next((size, unit) for size, unit in ((0, "s"), (-3, "ms"), (-6, "µs"), (-9, "ns")) if power >= size)
    return f"{10 ** (power - size)} {unit}"


def table(rows: list[Row]) -> str:
    """All cases, with every peer's figure and how many times better Tenure is."""
    lines = ["| Case | Tenure | Beside |", "|---|---:|---|"]
    for row in rows:
        if "tenure" not in row.figures:
            continue
        beside = []
        for peer, figure in row.figures.items():
            ratio = row.ratio(peer)
            if ratio is not None and peer not in YARDSTICKS:
                times = f"**{digits(ratio)}\u00a0×**" if ratio < 1.0 else f"{digits(ratio)}\u00a0×"
                beside.append(f"{name(peer)} {shown(figure, row.unit)} ({times})")
        measured = [f"{it} {shown(row.figures[it], row.unit)}" for it in row.figures if it in YARDSTICKS]
        case = f"{row.case} ({', '.join(measured)})" if measured else row.case
        lines.append(f"| {case} | {shown(row.figures['tenure'], row.unit)} | {'; '.join(beside) or '–'} |")
    return "\n".join(lines)


def machine(told: dict[str, str] | str, rounds: int) -> str:
    """The machine and the versions: as a report has them, and for Rust's peers as they are locked."""
    if isinstance(told, str):
        locked = tomllib.loads(LOCK.read_text(encoding="utf-8"))["package"]
        peers = {it["name"]: it["version"] for it in locked if it["name"] in RUST_PEERS}
        told = {"": told} | peers
    return ", ".join(f"{what} {value}".strip() for what, value in told.items()) + f"; medians of {rounds} rounds"


def page(reports: dict[str, dict[str, Any]]) -> str:
    """The page, in Markdown."""
    parts, machines = [], []
    for report, title in TITLES.items():
        if report in reports:
            rows = [row_of(plain) for plain in reports[report]["rows"]]
            beside = [it for it in rows if it.figures.keys() - YARDSTICKS - {"tenure"}]
            ahead = sum(
                1 for it in beside if any((it.ratio(peer) or 1.0) < 1.0 for peer in it.figures.keys() - YARDSTICKS)
            )
            parts.append(
                f"## {title}\n\n"
                f"![How long a call takes in {title}, with Tenure and with its peers; the tables below have the same "
                f"figures.](drawings/bench-{report}.svg)\n\n"
                f"{len(beside)} cases have a peer; in {ahead} of them a peer is ahead.\n\n{table(rows)}\n"
            )
            machines.append(f"- **{title}:** {machine(reports[report]['machine'], reports[report]['rounds'])}.\n")
    return PAGE.format(parts="\n".join(parts), method=METHOD, machines="".join(machines))


def main() -> None:
    """Writes the page and the charts."""
    folder, guide = Path(sys.argv[1]), Path(sys.argv[2])
    there = {it: folder / f"{it}.json" for it in TITLES if (folder / f"{it}.json").exists()}
    if not there:
        sys.exit(f"{folder} has neither python.json nor rust.json: run `make bench` first")
    reports = {it: json.loads(path.read_text(encoding="utf-8")) for it, path in there.items()}
    for report, content in reports.items():
        drawn = chart(f"What a call costs in {TITLES[report]}", [row_of(plain) for plain in content["rows"]])
        (guide / "drawings" / f"bench-{report}.svg").write_text(drawn, encoding="utf-8")
    (guide / "benchmarks.md").write_text(page(reports), encoding="utf-8")


if __name__ == "__main__":
    main()
