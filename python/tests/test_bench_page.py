"""The guide's page on what Tenure costs, made from reports in the shape that `make bench` writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "bench" / "page.py"
SVG = "{http://www.w3.org/2000/svg}"


def row(case: str, unit: str = "s", more_is_better: bool = False, **figures: float) -> dict[str, Any]:
    return {"case": case, "figures": figures, "unit": unit, "goals": [], "more_is_better": more_is_better, "ratios": {}}


PYTHON = {
    "machine": {"processor": "A processor", "cores": "2", "python": "3.11.7", "tenure": "0.1.0", "streamlit": "1.67.0"},
    "rounds": 7,
    "rows": [
        row("a hit", tenure=30e-9, streamlit=8e-6, lru_cache=43e-9),
        row("a miss <of its own>", tenure=2e-6, streamlit=134e-6, lru_cache=0.2e-6),
        row("calls", "calls/s", True, tenure=12e6, lru_cache=8e6),
        row("alone", tenure=3e-6),
        row("with a bound", tenure=3e-6, **{"a plain hit": 2e-6}),
    ],
}
RUST = {"machine": "processor A processor, cores 2", "rounds": 5, "rows": [row("hit", "ns", tenure=10.4, moka=126.0)]}


def made(folder: Path, **reports: Any) -> subprocess.CompletedProcess[str]:
    (folder / "bench").mkdir()
    (folder / "guide" / "drawings").mkdir(parents=True)
    for name, report in reports.items():
        (folder / "bench" / f"{name}.json").write_text(json.dumps(report))
    return subprocess.run(
        [sys.executable, SCRIPT, folder / "bench", folder / "guide"], capture_output=True, text=True, check=False
    )


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    two = row("hit, u64", "ns", tenure=15.6, moka=126.0, quick_cache=13.2)
    done = made(tmp_path, python=PYTHON, rust={**RUST, "rows": [*RUST["rows"], two]})
    assert done.returncode == 0, done.stderr
    return tmp_path / "guide"


def test_the_page_has_every_case_with_the_peers_that_are_ahead_in_bold(guide: Path) -> None:
    page = (guide / "benchmarks.md").read_text().replace("\u00a0", " ")
    assert "| a hit | 30.0 ns | Streamlit 8.00 µs (267 ×); lru_cache 43.0 ns (1.43 ×) |" in page
    assert "lru_cache 200 ns (**0.10 ×**)" in page
    assert "| calls | 12.0 M/s | lru_cache 8.00 M/s (1.50 ×) |" in page
    assert "| alone | 3.00 µs | – |" in page
    assert "| with a bound (a plain hit 2.00 µs) | 3.00 µs | – |" in page
    assert "3 cases have a peer; in 1 of them a peer is ahead." in page


def test_the_page_names_the_machine_the_versions_and_the_rounds(guide: Path) -> None:
    page = (guide / "benchmarks.md").read_text()
    assert "processor A processor, cores 2, python 3.11.7, tenure 0.1.0, streamlit 1.67.0; medians of 7 rounds" in page
    assert re.search(r"processor A processor, cores 2,.* moka \d+\.\d+\.\d+.*; medians of 5 rounds", page)


def test_a_chart_has_whoever_is_ahead_further_left_and_says_so(guide: Path) -> None:
    chart = ElementTree.parse(guide / "drawings" / "bench-python.svg").getroot()
    texts = ["".join(it.itertext()) for it in chart.iter(f"{SVG}text")]
    assert "a miss <of its own> · lru_cache ahead" in texts
    assert "a hit" in texts
    assert "alone" not in texts
    places = {it.findtext(f"{SVG}title"): float(it.get("cx", "nan")) for it in chart.iter(f"{SVG}circle")}
    marks = {it.findtext(f"{SVG}title"): it.get("d", "") for it in chart.iter(f"{SVG}path")}
    ours = float(re.match(r"M([\d.]+)", marks["Tenure: 2.00 µs"])[1])  # type: ignore[index]
    assert places["lru_cache: 200 ns"] < ours < places["Streamlit: 134 µs"]


def test_every_peer_of_a_chart_stands_in_its_legend(tmp_path: Path) -> None:
    peers = dict.fromkeys(("moka ttl", "quick_cache", "papaya", "dashmap", "#[cached] ttl", "amalgam"), 2.0)
    rows = [row(case, "ns", tenure=1.0, **peers) for case in ("hit", "miss")]
    done = made(tmp_path, rust={**RUST, "rows": rows})
    assert done.returncode == 0, done.stderr
    chart = ElementTree.parse(tmp_path / "guide" / "drawings" / "bench-rust.svg").getroot()
    width = float(chart.get("viewBox", "").split()[2])
    places = {"".join(it.itertext()): float(it.get("x", "nan")) for it in chart.iter(f"{SVG}text")}
    for peer in ("Tenure", *peers):
        assert places[peer] + 8.0 * len(peer) < width, peer


def test_without_a_report_it_says_what_to_run(tmp_path: Path) -> None:
    done = made(tmp_path)
    assert done.returncode != 0
    assert "run `make bench` first" in done.stderr
