"""One line of the table: figures of several peers, and the goals set for Tenure's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Goal:
    """A goal in words, and whether the figures of its row reach it."""

    text: str
    reached: Callable[[dict[str, float]], bool]


@dataclass
class Row:
    """A case with one figure per peer, all in one unit."""

    case: str
    figures: dict[str, float]
    unit: str = "s"
    goals: list[Goal] = field(default_factory=list)
    more_is_better: bool = False

    def ratio(self, peer: str) -> float | None:
        """How many times better Tenure's figure is than the peer's."""
        if peer not in self.figures or peer == "tenure" or "tenure" not in self.figures:
            return None
        better, other = self.figures["tenure"], self.figures[peer]
        if self.unit == "B" and max(abs(better), abs(other)) < 0.5:
            return 1.0  # nothing is kept on either side
        if self.more_is_better:
            better, other = other, better
        return other / better if better > 0 else float("inf")

    def cell(self, peer: str) -> str:
        """The peer's figure, and how many times better Tenure's is."""
        ratio = self.ratio(peer)
        share = f" ({digits(ratio)} ×)" if ratio is not None else ""
        return shown(self.figures[peer], self.unit) + share

    def as_json(self) -> dict[str, Any]:
        """The row without its functions."""
        plain = asdict(Row(self.case, self.figures, self.unit, [], self.more_is_better))
        plain["goals"] = [{"goal": goal.text, "reached": goal.reached(self.figures)} for goal in self.goals]
        ratios = {peer: self.ratio(peer) for peer in self.figures if peer != "tenure"}
        plain["ratios"] = {peer: None if ratio == float("inf") else ratio for peer, ratio in ratios.items()}
        return plain


def faster(times: float, peer: str) -> Goal:
    """At least this many times faster than the peer."""
    return Goal(f"≥ {times:g} × {NAMES.get(peer, peer)}", lambda figures: figures[peer] >= times * figures["tenure"])


def within(times: float, peer: str) -> Goal:
    """At most this many times what the peer needs."""
    return Goal(f"≤ {times:g} × {NAMES.get(peer, peer)}", lambda figures: figures["tenure"] <= times * figures[peer])


def at_most(value: float, text: str) -> Goal:
    """At most this figure, in the row's unit."""
    return Goal(f"≤ {text}", lambda figures: figures["tenure"] <= value)


def at_least(times: float, peer: str) -> Goal:
    """At least this share of the peer's figure, where more is better."""
    return Goal(f"≥ {times:g} × {NAMES.get(peer, peer)}", lambda figures: figures["tenure"] >= times * figures[peer])


NAMES = {
    "tenure": "Tenure",
    "streamlit": "Streamlit",
    "lru_cache": "lru_cache",
    "cachetools": "cachetools",
    "cachebox": "cachebox",
}

YARDSTICKS = frozenset(
    {
        "a bare Ray actor",
        "a bare async def",
        "a fresh hit",
        "a plain hit",
        "a task by hand",
        "an asyncio.Event",
        "create_task and await",
        "numpy.sum",
        "OnceLock borrow",
        "OnceLock clone",
        "tenure blocking",
        "tenure plain",
        "the same without clears",
        "uncounted",
        "undisturbed",
        "without a fleet",
        "without max_idle",
    }
)
"""What a case is compared with that is no peer: Tenure itself without what is measured, or the least it could cost."""

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def shown(value: float, unit: str) -> str:
    """A figure with three digits and a fitting unit."""
    if unit == "s":
        for size, name in _TIMES:
            if abs(value) >= size or name == "ns":
                return f"{digits(value / size)} {name}"
    if unit == "calls/s":
        return f"{digits(value / 1e6)} M/s" if value >= 1e6 else f"{digits(value / 1e3)} k/s"
    return f"{digits(value)} {unit}"


def digits(value: float) -> str:
    """A number with three digits."""
    if value == float("inf"):
        return "∞"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table: figures, then how many times better Tenure is."""
    shown_peers = {peer for row in rows for peer in row.figures}
    peers = [peer for peer in NAMES if peer in shown_peers]
    lines = [
        "| Case | " + " | ".join(NAMES[peer] for peer in peers) + " | Goal | Reached |",
        "|---" * (len(peers) + 3) + "|",
    ]
    for row in rows:
        beside = [f"{peer} {row.cell(peer)}" for peer in row.figures if peer not in NAMES]
        cells = [row.case + (f" ({', '.join(beside)})" if beside else "")]
        for peer in peers:
            cells.append(row.cell(peer) if peer in row.figures else "–")
        cells.append("; ".join(goal.text for goal in row.goals) or "–")
        cells.append("; ".join("yes" if goal.reached(row.figures) else "no" for goal in row.goals) or "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
