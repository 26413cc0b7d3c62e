"""C5: no lock of Tenure's is held while Python can run, or while waiting for the interpreter.

The engine's own tests show that it runs nothing under its locks; these have Python run in every place where the binding
might: in destructors, comparisons, hash functions, weak references' callbacks and collections, each calling back into
the cache on several threads at once. A lock held anywhere would be met by another thread, or by the same one, and hang.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import LOST, Job, Ledger, await_waiting, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

ROUNDS = 40


def test_c5_collections_that_call_back(clock: Clock) -> None:
    """Resources in cycles die in a collection, which any allocation may start."""
    deaths = []

    class Cyclic:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            deaths.append(thing(0))
            thing.clear(99)

    thing = tenure.cache_resource(max_entries=2)(lambda key: object() if key == 0 else Cyclic())
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:

        def work(number: int) -> None:
            for round in range(ROUNDS):
                thing(1 + (number + round) % 4)
                thing.info()

        together(4, work)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert deaths


def test_c5_weak_references_that_call_back(clock: Clock) -> None:
    calls = []

    class Part:
        pass

    references = []

    @tenure.cache_resource(max_entries=1)
    def thing(key: int) -> Part:
        part = Part()
        references.append(weakref.ref(part, lambda _: calls.append(other())))
        return part

    other = tenure.cache_resource(lambda: object())

    def work(number: int) -> None:
        for round in range(ROUNDS):
            thing(number * ROUNDS + round)

    together(4, work)
    assert len(calls) == 4 * ROUNDS - 1


def test_c5_arguments_that_call_back(clock: Clock) -> None:
    """Equality, hashing, pickling and destructors of arguments run while keys are written."""

    class Argument:
        def __init__(self, value: int) -> None:
            self.value = value

        def __reduce__(self) -> tuple[object, ...]:
            other()
            return (Argument, (self.value,))

        def __eq__(self, other_one: object) -> bool:
            other()
            return isinstance(other_one, Argument) and other_one.value == self.value

        def __hash__(self) -> int:
            other()
            return hash(self.value)

        def __del__(self) -> None:
            other()

    other = tenure.cache_resource(lambda: object())
    thing = tenure.cache_resource(max_entries=3)(lambda argument, also: object())

    def work(number: int) -> None:
        for round in range(ROUNDS):
            thing(Argument(round % 5), {Argument(number): [Argument(round)]})
            thing.clear(Argument(round % 5), also=frozenset([Argument(1)]))

    together(4, work)


def test_c5_decorated_functions_that_come_and_go(clock: Clock, ledger: Ledger) -> None:
    """Registering, superseding and dropping functions while others call them."""

    def make(factor: int) -> object:
        @tenure.cache_resource(max_entries=1 + factor % 3, on_release=lambda it: clear_all())
        def thing(key: int) -> object:
            return [factor, key]

        return thing

    def clear_all() -> None:
        _native.clear_all()

    def work(number: int) -> None:
        for round in range(ROUNDS):
            thing = make((number + round) % 4)
            assert thing(round)[1] == round
            del thing
            if round % 10 == 0:
                gc.collect()
                clock.advance("1s")

    together(4, work)


def test_c5_a_thread_that_waits_for_a_build_does_not_hold_the_interpreter(clock: Clock, ledger: Ledger) -> None:
    """If it did, the build could not go on, and this would hang."""

    @tenure.cache_resource
    def thing() -> object:
        await_waiting(thing, 7)
        return ledger.build()

    things = together(8, lambda _: thing())
    assert things == ledger.built * 8


LONG = 1 << 23


@pytest.mark.parametrize(
    "make",
    [
        lambda: bytes(LONG),
        lambda: "\xe9" * LONG,
        lambda value=bytearray(LONG): value,
        lambda value=np.zeros(LONG): value,
        lambda value=np.zeros((2, LONG // 2)).T: value,
    ],
    ids=["bytes", "str", "bytearray", "array", "strided"],
)
def test_c5_long_arguments_are_read_with_the_interpreter_released(make: Callable[[], Any]) -> None:
    """Python takes the interpreter from nobody here, so another thread runs only once it was given up."""
    turn, ran = threading.Lock(), []

    def run() -> None:
        with turn:
            ran.append(True)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e6)
    try:
        with turn:
            waiting = Job(run)
        for _ in range(3):
            make()
            _native._encode([b"short", "short", np.zeros(3)])
        assert not ran
        end = time.monotonic() + LOST
        # In rounds: whoever gives something up may be the first to take it again.
        while not ran and time.monotonic() < end:
            _native._encode(make())
        assert ran
    finally:
        sys.setswitchinterval(before)
    waiting.result()


def test_c5_clearing_and_ending_from_many_threads(clock: Clock, ledger: Ledger) -> None:
    def release(it: object) -> None:
        thing.info()
        ledger.release(it)

    thing = tenure.cache_resource(on_release=release)(lambda key: ledger.build(key))

    def work(number: int) -> None:
        for round in range(ROUNDS):
            thing(round % 7)
            if number == 0:
                thing.clear()
            elif number == 1:
                tenure.cache_resource.clear()
            elif number == 2:
                _native.shutdown()
            else:
                _native.end_session("nobody")

    together(5, work)
    thing.clear()
    assert len(ledger.built) == len(ledger.released)
