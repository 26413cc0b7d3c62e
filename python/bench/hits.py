"""What a hit costs, by the arguments that it is called with. Every loop is checked to hit, with the right object."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pydantic

from loops import Loop, call_loop, per_call
from machine import one_core
from peers import PEERS
from rows import Goal, Row, at_most, faster, within

HASHABLE = ("tenure", "streamlit", "lru_cache", "cachetools", "cachebox")
ANYTHING = ("tenure", "streamlit")

RESULT = object()
builds = 0


def build() -> object:
    """The resource, counted."""
    global builds
    builds += 1
    return RESULT


def no_argument():
    return build()


def one(a):
    return build()


def three(a: str, b: int, c: float):
    return build()


def three_by_name(a: str, b: int, c: float):
    return build()


@dataclass(frozen=True)
class Settings:
    """Five fields, as a configuration has them."""

    host: str = "db.example.org"
    port: int = 5432
    timeout: float = 2.5
    tls: bool = True
    options: tuple[str, ...] = ("a", "b")


class Person(pydantic.BaseModel):
    """A model with a nested list."""

    name: str
    age: int
    email: str
    tags: list[str]


@dataclass
class Case:
    """One way to call: the arguments are made when the case begins and dropped when it ends."""

    name: str
    function: Callable[..., object]
    arguments: Callable[[], dict[str, Any]]
    goals: list[Goal] = field(default_factory=list)
    peers: tuple[str, ...] = ANYTHING
    keywords: bool = False
    extra: Callable[[dict[str, Any]], dict[str, Loop]] | None = None


def _nested() -> dict[str, Any]:
    value = {
        "name": "orders",
        "columns": [{"name": f"c{i}", "type": "float", "nullable": i % 2 == 0} for i in range(12)],
        "filters": {"region": ["north", "south"], "since": "2024-01-01", "limit": 1000},
        "joins": [["orders", "users", "id"], ["orders", "items", "order_id"]],
        "note": "x" * 110,
    }
    assert 850 <= len(json.dumps(value)) <= 950, len(json.dumps(value))
    return value


ROWS = 1_000_000


def _columns() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    return {
        "id": np.arange(ROWS),
        "price": rng.random(ROWS),
        "paid": rng.random(ROWS) < 0.5,
        "day": np.datetime64("2024-01-01", "us") + rng.integers(0, 365 * 86400, ROWS).astype("timedelta64[s]"),
        "user": np.char.add("u", (np.arange(ROWS) % 1000).astype(str)).astype(object),
    }


def _numpy_sum(arguments: dict[str, Any]) -> dict[str, Loop]:
    return {"numpy.sum": call_loop(np.sum, {"a": arguments["a"]})}


CASES = [
    Case("a hit, no argument", no_argument, dict, [within(1.0, "lru_cache"), faster(120, "streamlit")], HASHABLE),
    Case(
        "a hit, one str",
        one,
        lambda: {"a": "sqlite:///a.db"},
        [within(1.3, "lru_cache"), faster(250, "streamlit")],
        HASHABLE,
    ),
    Case(
        "a hit, str, int, float",
        three,
        lambda: {"a": "host", "b": 5432, "c": 2.5},
        [within(1.5, "lru_cache"), faster(50, "streamlit")],
        HASHABLE,
    ),
    Case(
        "a hit, str, int, float as keywords",
        three_by_name,
        lambda: {"a": "host", "b": 5432, "c": 2.5},
        [within(0.6, "lru_cache"), faster(50, "streamlit")],
        HASHABLE,
        keywords=True,
    ),
    Case("a hit, list of 100 ints", one, lambda: {"a": list(range(1000, 1100))}, [faster(400, "streamlit")]),
    Case("a hit, dict of 20", one, lambda: {"a": {f"key{i}": i for i in range(20)}}, [faster(400, "streamlit")]),
    Case("a hit, nested, 0.9 KB as JSON", one, lambda: {"a": _nested()}, [faster(400, "streamlit")]),
    Case("a hit, dataclass of 5 fields", one, lambda: {"a": Settings()}, [faster(50, "streamlit")]),
    Case(
        "a hit, pydantic model",
        one,
        lambda: {"a": Person(name="Ada", age=36, email="ada@example.org", tags=["x", "y"])},
        [faster(20, "streamlit")],
    ),
    Case("a hit, NumPy 1 KB", one, lambda: {"a": np.arange(128.0)}, [faster(200, "streamlit")]),
    Case("a hit, NumPy 1 MB", one, lambda: {"a": np.arange(131072.0)}, [faster(40, "streamlit")]),
    Case(
        "a hit, NumPy 100 MB, every byte",
        one,
        lambda: {"a": np.arange(13107200.0)},
        [faster(1, "streamlit"), within(2, "numpy.sum")],
        extra=_numpy_sum,
    ),
    Case("a hit, pandas 1 M × 5, every value", one, lambda: {"a": pd.DataFrame(_columns())}, [faster(5, "streamlit")]),
    Case("a hit, Polars 1 M × 5, every value", one, lambda: {"a": pl.DataFrame(_columns())}, [at_most(5e-3, "5 ms")]),
    Case(
        "a hit, bytes 100 MB, same object again",
        one,
        lambda: {"a": np.random.default_rng(3).bytes(100 * 2**20)},
        [at_most(0.2e-6, "0.2 µs")],
        HASHABLE,
    ),
]


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the cases whose name is wanted."""
    return [_row(case, rounds, seconds) for case in CASES if wanted(case.name)]


def _row(case: Case, rounds: int, seconds: float) -> Row:
    arguments = case.arguments()
    cached = {peer: PEERS[peer](case.function) for peer in case.peers}
    loops: dict[str, Loop] = {}
    for peer, function in cached.items():
        _call(function, arguments, case.keywords)
        loops[peer] = call_loop(function, arguments, keywords=case.keywords)
    built = builds
    if case.extra is not None:
        loops |= case.extra(arguments)
    with one_core():
        figures = per_call(rounds, loops, seconds)
    for peer, function in cached.items():
        assert _call(function, arguments, case.keywords) is RESULT, peer
    assert builds == built, f"{case.name}: a loop that should hit has built"
    return Row(case.name, figures, goals=case.goals)


def _call(function: Callable[..., object], arguments: dict[str, Any], keywords: bool) -> object:
    return function(**arguments) if keywords else function(*arguments.values())
