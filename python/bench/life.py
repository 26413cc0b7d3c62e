"""What the looking after costs: settings on a hit, slow callbacks beside a hit, many deadlines, many sessions."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import streamlit as st

import tenure
from loops import call_loop, per_call
from machine import one_core
from rows import Row, at_most, within
from tenure import _native

PLAIN = "hit, one str, with ttl, max_entries and on_release"
VALIDATE = "slowest hit while validate of another key sleeps 1 s"
RELEASE = "slowest hit while on_release of another key sleeps 1 s"
DEADLINES = "1 M entries with deadlines, inserted and expired, each"
SESSION = "ending one of 10,000 sessions with 10 resources each"

SLEEP = 1.0


class Resource:
    """Something that may be slow to check and to release."""

    def __init__(self, slow: bool) -> None:
        self.slow = slow


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the rows whose name is wanted."""
    rows = []
    if wanted(PLAIN):
        rows.append(Row(PLAIN, _looked_after(rounds, seconds), goals=[within(1.05, "a plain hit")]))
    if wanted(VALIDATE):
        rows.append(Row(VALIDATE, _beside_slow_validate(), goals=[at_most(1e-3, "1 ms")]))
    if wanted(RELEASE):
        rows.append(Row(RELEASE, _beside_slow_release(), goals=[at_most(1e-3, "1 ms")]))
    if wanted(DEADLINES):
        rows.append(Row(DEADLINES, {"tenure": _deadlines(1_000_000)}, goals=[at_most(2e-6, "2 µs")]))
    if wanted(SESSION):
        rows.append(Row(SESSION, {"tenure": _sessions(10_000, 10)}, goals=[at_most(100e-6, "100 µs")]))
    return rows


def _looked_after(rounds: int, seconds: float) -> dict[str, float]:
    result = Resource(False)

    def plain(a: str):
        return result

    def looked_after(a: str):
        return result

    cached = {
        "tenure": tenure.cache_resource(looked_after, ttl="1h", max_entries=100, on_release=lambda _: None),
        "a plain hit": tenure.cache_resource(plain),
    }
    for function in cached.values():
        assert function("key") is result
    loops = {name: call_loop(function, {"a": "key"}) for name, function in cached.items()}
    with one_core():
        figures = per_call(rounds, loops, seconds)
    assert all(function.info().builds == 1 for function in cached.values())
    return figures


def _beside_slow_validate() -> dict[str, float]:
    figures = {}
    for peer, decorate in {"tenure": tenure.cache_resource, "streamlit": st.cache_resource}.items():
        inside = threading.Event()

        def validate(resource: Resource, inside: threading.Event = inside) -> bool:
            if resource.slow:
                inside.set()
                time.sleep(SLEEP)
            return True

        @decorate(validate=validate, show_spinner=False)
        def checked(slow: bool) -> Resource:
            return Resource(slow)

        checked(True)
        checked(False)
        inside.clear()
        figures[peer] = _slowest_hit(lambda: checked(False), inside, lambda: checked(True))
    return figures | {"undisturbed": _undisturbed()}


def _beside_slow_release() -> dict[str, float]:
    figures = {}
    for peer, decorate in {"tenure": tenure.cache_resource, "streamlit": st.cache_resource}.items():
        inside = threading.Event()

        def release(resource: Resource, inside: threading.Event = inside) -> None:
            if resource.slow:
                inside.set()
                time.sleep(SLEEP)

        @decorate(on_release=release, show_spinner=False)
        def released(slow: bool) -> Resource:
            return Resource(slow)

        released(True)
        released(False)
        figures[peer] = _slowest_hit(lambda: released(False), inside, lambda: released.clear(True))
    return figures | {"undisturbed": _undisturbed()}


def _undisturbed() -> float:
    """The slowest hit of as long a time with nobody in the way: what the machine itself does to a hit."""
    resource = Resource(False)
    cached = tenure.cache_resource(lambda: resource)
    inside = threading.Event()

    def rest() -> None:
        inside.set()
        time.sleep(SLEEP)

    return _slowest_hit(cached, inside, rest)


def _slowest_hit(hit: Callable[[], Any], inside: threading.Event, disturb: Callable[[], Any]) -> float:
    expected = hit()
    other = threading.Thread(target=disturb)
    other.start()
    inside.wait()
    slowest = 0.0
    while other.is_alive():
        start = time.perf_counter()
        found = hit()
        slowest = max(slowest, time.perf_counter() - start)
        assert found is expected
    other.join()
    return slowest


def _deadlines(entries: int) -> float:
    """Processor seconds of an entry, from its insertion to its release."""
    result = Resource(False)

    def short(a: int):
        return result

    cached = tenure.cache_resource(short, ttl=3.0, show_spinner=False)
    others = _native._inspect()["expiries"]
    start = time.process_time()
    for key in range(entries):
        cached(key)
    # Not `info`, which would list the age of each entry at every look.
    while _native._inspect()["expiries"] > others:
        time.sleep(0.1)
    taken = time.process_time() - start
    assert (cached.info().builds, cached.info().entries) == (entries, 0)
    return taken / entries


class _Sessions:
    """A host with sessions and nothing to show."""

    name = "benchmark"

    def __init__(self) -> None:
        self.now: str | None = None

    def session(self) -> str | None:
        return self.now

    def has_ended(self, session: str) -> bool:
        return False

    def begin(self, func: Any, text: str | None, show_time: bool, allow_widgets: bool) -> None:
        return None

    def wait(self, func: Any, text: str | None, show_time: bool) -> None:
        return None

    def replay(self, recording: Any, func: Any) -> None:
        pass

    def observe(self, inputs: Any) -> object:
        return None

    def interrupted(self) -> None:
        pass


def _sessions(sessions: int, resources: int) -> float:
    released: list[Resource] = []
    host, before = _Sessions(), _native.get_host()

    @tenure.cache_resource(scope="session", on_release=released.append, show_spinner=False)
    def mine(a: int) -> Resource:
        return Resource(False)

    _native.set_host(host)
    try:
        for number in range(sessions):
            host.now = f"session-{number}"
            for key in range(resources):
                mine(key)
        host.now = None
        taken = []
        for number in range(0, sessions, 50):
            goal = len(released) + resources
            start = time.perf_counter()
            _native.end_session(f"session-{number}")
            while len(released) < goal:
                time.sleep(0)
            taken.append(time.perf_counter() - start)
            assert len(released) == goal
        for number in range(sessions):
            _native.end_session(f"session-{number}")
        return statistics.median(taken)
    finally:
        _native.set_host(before)
