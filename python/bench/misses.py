"""What a miss costs beyond the build, and what clearing many entries costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

import tenure
from loops import interleaved
from machine import one_core
from peers import PEERS, clear
from rows import Row, at_most, faster

MISSES = 2000
ENTRIES = 100_000
RESULT = object()
builds = 0


def build(a: int):
    global builds
    builds += 1
    return RESULT


def clearable(a: int):
    return RESULT


def spun(a: int):
    return build(a)


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows whose name is wanted."""
    rows = []
    name = "a miss beyond the build, spinner off"
    if wanted(name):
        cached = {peer: decorate(build) for peer, decorate in PEERS.items()}
        rows.append(Row(name, _missing(rounds, seconds, cached), goals=[at_most(1e-6, "1 µs")]))
    spinning = {"tenure": tenure.cache_resource(spun), "streamlit": st.cache_resource(spun)}
    name = "a miss beyond the build, default spinner, no app"
    if wanted(name):
        rows.append(Row(name, _missing(rounds, seconds, spinning), goals=[at_most(5e-6, "5 µs")]))
    name = "a miss beyond the build, default spinner, in an app"
    if wanted(name):
        figures = _in_an_app(lambda: _missing(rounds, seconds, spinning))
        rows.append(Row(name, figures, goals=[at_most(5e-6, "5 µs"), faster(10, "streamlit")]))
    name = "clear() of 100 k entries"
    if wanted(name):
        rows.append(Row(name, _clearing(min(rounds, 5)), goals=[at_most(5e-3, "5 ms")]))
    return rows


def _missing(rounds: int, seconds: float, cached: Mapping[str, Callable[..., Any]]) -> dict[str, float]:
    """The same new keys again and again in a cache that is emptied between, for about as long as it is told."""
    keys = list(range(10_000, 10_000 + MISSES))

    def through(function: Callable[..., Any]) -> float:
        start = time.perf_counter()
        for key in keys:
            function(key)
        return time.perf_counter() - start

    def one_round(peer: str, function: Callable[..., Any]) -> Callable[[], float]:
        def run() -> float:
            began = time.perf_counter()
            beyond = []
            while not beyond or time.perf_counter() - began < seconds:
                clear(peer, function)
                before = builds
                taken = through(function)
                assert builds - before == MISSES, f"{peer}: {builds - before} builds for {MISSES} new keys"
                assert function(keys[0]) is RESULT
                beyond.append(taken - through(build))
            clear(peer, function)
            return sum(beyond) / len(beyond) / MISSES

        return run

    with one_core():
        return interleaved(rounds, {peer: one_round(peer, function) for peer, function in cached.items()})


def _in_an_app(run: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Runs it inside a script run of Streamlit's own test harness, which has a session and takes messages."""
    from streamlit.testing.v1 import AppTest

    outcome: list[dict[str, float]] = []

    def script(outcome, run):
        outcome.append(run())

    app = AppTest.from_function(script, default_timeout=600, kwargs={"outcome": outcome, "run": run})
    app.run()
    assert not app.exception, app.exception
    return outcome[0]


def _clearing(rounds: int) -> dict[str, float]:
    def one_round(peer: str, function: Callable[..., Any]) -> Callable[[], float]:
        def run() -> float:
            for key in range(ENTRIES):
                function(key)
            start = time.perf_counter()
            clear(peer, function)
            return time.perf_counter() - start

        return run

    cached = {peer: decorate(clearable) for peer, decorate in PEERS.items()}
    with one_core():
        return interleaved(rounds, {peer: one_round(peer, function) for peer, function in cached.items()})
