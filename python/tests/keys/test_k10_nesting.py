"""K10: nesting, cycles and sharing, on stacks of any size."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from walked import Other, Person, nested, run

from tenure._native import NestingError, UnhashableParamError, _encode


@pytest.mark.parametrize(
    "wrap",
    [lambda v: [v], lambda v: (v,), lambda v: {"a": v}, lambda v: {0: v}, lambda v: frozenset([v]), Other],
    ids=["list", "tuple", "dict", "dict of ints", "frozenset", "instance"],
)
def test_k10_deep_nesting_is_keyed_or_refused(wrap: Callable[[Any], Any]) -> None:
    """K10: deep nesting works, and beyond the limit there is a clear error."""
    if wrap(()) == frozenset([()]):
        depth = 500  # hashing a frozenset is recursive in Python itself
    else:
        depth = 9_000
        with pytest.raises(NestingError, match="10000 levels") as caught:
            _encode(nested(20_000, wrap))
        assert isinstance(caught.value, RecursionError)
        assert isinstance(caught.value, UnhashableParamError)
    assert _encode(nested(depth, wrap)) == _encode(nested(depth, wrap))
    assert _encode(nested(depth, wrap)) != _encode(nested(depth - 1, wrap))


def test_k10_deep_nesting_on_a_small_stack() -> None:
    """K10: also in a thread with little stack."""
    outcome: list[bool] = []
    before = threading.stack_size(256 << 10)
    try:
        deep = nested(9_000)
        thread = threading.Thread(target=lambda: outcome.append(_encode(deep) == _encode(deep)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert outcome == [True]


NO_PYTHON = 32 if sys.version_info < (3, 14) else 64
"""The largest stack, in KiB, that has no room for Python inside of an argument. The last 64 are Python's own from 3.14
on, where a thread takes no 32."""


@pytest.mark.parametrize("kib", sorted({NO_PYTHON, 64, 256}))
def test_k10_a_small_stack_survives_whatever_is_nested(kib: int) -> None:
    """K10: it works, or raises a clear error: for what is only read, for what runs Python, and for types."""
    program = f"""
import functools, threading, tenure

@tenure.cache_resource
def take(it):
    return 1

class Slotted:
    __slots__ = ("it",)
    def __init__(self, it):
        self.it = it

class Instance:
    def __init__(self, it):
        self.it = it

class Reduced(Instance):
    def __reduce__(self):
        return Reduced, (self.it,)

def nested(wrap, it=int, depth=3_000):
    for _ in range(depth):
        it = wrap(it)
    return it

def closure(it):
    return lambda: it

read = [lambda it: [it], lambda it: {{0: it}}]
wraps = [Instance, Slotted, Reduced, list.__class_getitem__, lambda it: tuple[it, int],
         lambda it: functools.partial(print, it), closure]
deep = [nested(wrap, 1) for wrap in read] + [nested(wrap) for wrap in wraps]
shallow = [nested(wrap, depth=3) for wrap in wraps] if {kib} > {NO_PYTHON} else []
told = []

def ask():
    for it in shallow:
        take(it)
    for it in deep:
        try:
            told.append(take(it))
        except tenure.NestingError as error:
            assert "stack" in str(error)
            told.append(0)

threading.stack_size({kib << 10})
thread = threading.Thread(target=ask)
thread.start()
thread.join()
assert len(told) == len(deep) and told[:2] == [1, 1], told      # lists and dicts need no Python
"""
    run(program)


@pytest.mark.parametrize("kib", [64, 256, 1024])
@pytest.mark.parametrize("depth", [3, 7, 8, 6_000])
def test_k10_user_code_may_switch_greenlets_however_deep_the_walk_is(kib: int, depth: int) -> None:
    """K10: it runs on the thread's own stack: in a reduction, a state, a hash function."""
    if kib <= NO_PYTHON:
        pytest.skip("Python's own end of a stack has no room for a greenlet (from 3.14 on)")
    program = f"""
import threading
import tenure
from greenlet import getcurrent, greenlet

def switch():
    getcurrent().parent.switch()

class Reduced:
    def __reduce__(self):
        switch()
        return Reduced, ()

class Stated:
    def __getstate__(self):
        switch()
        return 1

class Hashed:
    pass

def hashed(it):
    switch()
    return 1

@tenure.cache_resource(hash_funcs={{Hashed: hashed}})
def take(it):
    return it

def nested(it, depth):
    for at in range(depth):
        it = [it] if at % 3 else ({{"a": it}} if at % 2 else (it,))
    return it

given = [nested(make(), {depth} + number) for make in (Reduced, Stated, Hashed) for number in range(3)]

def ask():
    greenlets = [greenlet(take) for _ in given]
    for it, argument in zip(greenlets, given):
        it.switch(argument)             # each stops inside of its argument
    assert not any(it.dead for it in greenlets)
    while any(not it.dead for it in greenlets):
        for it in reversed(greenlets):
            if not it.dead:
                it.switch()

threading.stack_size({kib << 10})
thread = threading.Thread(target=ask)
thread.start()
thread.join()
assert take.info().entries == len(given), take.info()
"""
    run(program)


def test_k10_an_endless_reduction_is_refused() -> None:
    """K10: an object that goes on for ever ends in an error."""

    class Endless:
        def __reduce__(self) -> Any:
            return (Endless, (Endless(),))

    with pytest.raises(UnhashableParamError):
        _encode(Endless())


def test_k10_cycles_of_all_kinds() -> None:
    """K10: through lists, dicts, instances, closures and arrays."""
    through_list: list[Any] = [1]
    through_list.append(through_list)
    through_dict: dict[str, Any] = {}
    through_dict["self"] = [through_dict]
    through_instance = Person("a")
    through_instance.friend = Person("b")  # type: ignore[attr-defined]
    through_instance.friend.friend = through_instance  # type: ignore[attr-defined]
    through_array = np.array([None, 1], object)
    through_array[0] = through_array

    def through_closure() -> Any:
        return through_closure

    values = [through_list, through_dict, through_instance, through_array, through_closure]
    keys = [_encode(value) for value in values]
    assert len(set(keys)) == len(keys)
    assert keys == [_encode(value) for value in values]


def test_k10_where_a_cycle_leads_counts() -> None:
    """K10"""

    def make(to: int) -> list[Any]:
        levels: list[list[Any]] = [[], [], []]
        levels[0].append(levels[1])
        levels[1].append(levels[2])
        levels[2].append(levels[to])
        return levels[0]

    assert len({_encode(make(to)) for to in range(3)}) == 3


def test_k10_what_is_shared_is_walked_once() -> None:
    """K10: a small object that stands for a huge tree ends soon."""
    tree: Any = [1]
    cyclic: list[Any] = []
    ring: Any = [cyclic]
    for _ in range(300):
        tree, ring = [tree, tree], [ring, ring]
    cyclic.append(ring)
    other: Any = [2]
    for _ in range(300):
        other = [other, other]
    assert _encode(tree) != _encode(other)
    assert _encode(cyclic) == _encode(cyclic)


def test_k10_sharing_makes_no_difference() -> None:
    """K3: equal arguments are one key whether or not their parts are one object."""
    big = list(range(20_000))
    assert _encode([big, big, {"a": big}]) == _encode([list(big), list(big), {"a": list(big)}])
    assert _encode([big, big]) != _encode([big, [*big[:-1], 0]])
