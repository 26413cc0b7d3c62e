"""A member that only writes keys: it reads specs of values, and answers with what their keys are."""

from __future__ import annotations

import base64
import dataclasses
import enum
import pickle
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "keys"))

import kinds

import tenure
from tenure import _native

LONG = "a default that is longer than what stands in a key by itself: " * 10


@dataclasses.dataclass
class Order:
    """A class of the script."""

    number: int
    lines: dict[str, object]
    note: str = LONG


class Colour(enum.Enum):
    RED = "r"


def made(base: int) -> type:
    class Made:
        step = base

        def next(self) -> int:
            """Says what comes next. """ + LONG
            return self.step + 1

    return Made


def double(value: int) -> int:
    return value * 2


def own() -> list[object]:
    """What no spec makes."""
    return [
        Order(1, {name: len(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon")}),
        Colour.RED,
        made(3),
        made(3)(),
        double,
        lambda value: value + 1,
        {"b" * 300: 1, "a" * 300: 2, "ä": 3, "z": 4},
        {frozenset({"x", "y", "z"}): {"p", "q", "r"}},
        {"nested": {"one": {"two": [1, {"three": LONG}]}}},
        LONG.encode() * 10_000,
        [LONG] * 3_000,
    ]


def told(value: object) -> tuple[str, bytes]:
    return _native._meaning(value), _native._encode(value)


def main() -> None:
    tenure.configure(fleet="redis://127.0.0.1:1", fleet_secret=sys.argv[1])
    for line in sys.stdin:
        asked = pickle.loads(base64.b64decode(line))
        values = own() if asked is None else [kinds.build(spec) for spec in asked]
        print(base64.b64encode(pickle.dumps([told(value) for value in values])).decode(), flush=True)


if __name__ == "__main__":
    main()
