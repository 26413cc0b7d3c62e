"""Where the conformance suite runs: each scope, with and without a host, and what must hold after each test."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import Ledger, TestHost, settled


class Recorded(TestHost):
    """A host for which every build puts something out, so that every hit is replayed."""

    def begin(self, func: Any, text: str | None, show_time: bool, allow_widgets: bool) -> Any:
        self.put(getattr(func, "__name__", "?"))
        return super().begin(func, text, show_time, allow_widgets)


class Note:
    """A resource, which the ledger itself does not hold."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    @property
    def number(self) -> int:
        return self.thing.number

    @property
    def is_open(self) -> bool:
        return self.thing.is_open


class Place:
    """A scope and a host, or none; and everything that was made there."""

    def __init__(self, clock: Clock, scope: str, host: TestHost | None) -> None:
        self.clock, self.scope, self.host = clock, scope, host
        self.ledger = Ledger()
        self.functions: list[Any] = []

    def cache(self, **settings: Any) -> Callable[[Callable[..., Any]], Any]:
        """`tenure.cache_resource` in this scope, with releases that are written down."""
        settings.setdefault("on_release", self.release)

        def decorate(func: Callable[..., Any]) -> Any:
            cached = tenure.cache_resource(func, scope=self.scope, **settings)
            self.functions.append(cached)
            return cached

        return decorate

    def build(self, name: object = None) -> Note:
        return Note(self.ledger.build(name))

    def release(self, note: Note) -> None:
        self.ledger.release(note.thing)

    def names(self) -> list[object]:
        return self.ledger.names()

    def serving(self) -> ExitStack:
        """For other threads than the test's: the same session."""
        stack = ExitStack()
        if self.host is not None:
            stack.enter_context(self.host.serving("ada"))
        return stack

    def check(self) -> None:
        """Nothing is under way, and everything that was built is live, draining, or released once."""
        counts = _native._inspect()
        assert counts["flights"] == counts["waits"] == 0, counts
        for function in self.functions:
            assert settled(function), function.info()
            assert function.info().waiting == 0
        infos = [function.info() for function in self.functions]
        there = sum(info.entries + info.draining for info in infos)
        assert len(self.ledger.built) == len(self.ledger.released) + there

    def check_empty(self) -> None:
        """Once all is cleared and nobody holds anything, nothing is left of it."""
        gc.collect()
        tenure.cache_resource.clear()
        self.clock.advance("1s")
        _native.end_session("ada")
        self.clock.advance("1s")
        for function in self.functions:
            info = function.info()
            assert (info.entries, info.draining) == (0, 0), info
        assert len(self.ledger.built) == len(self.ledger.released)
        left = {what: count for what, count in _native._inspect().items() if count}
        assert left == {}


PLACES = [("global", None), ("global", TestHost), ("global", Recorded), ("session", TestHost), ("session", Recorded)]


@pytest.fixture(params=PLACES, ids=lambda it: f"{it[0]}-{it[1].__name__ if it[1] else 'no host'}")
def place(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Place]:
    scope, make_host = request.param
    host = make_host() if make_host else None
    _native.set_host(host)
    place = Place(clock, scope, host)
    with place.serving():
        yield place
        place.check()
    place.check_empty()
