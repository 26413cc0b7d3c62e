"""K10, K12, K13, K15: cycles and depth, the user's own rules, arguments that change, and the secret of digests."""

from __future__ import annotations

import collections
import decimal
import enum
import fractions
import functools
import gc
import io
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
import types
import uuid
import weakref
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any, List  # noqa: UP035 - as older programs write it

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tenure
from tenure._native import NestingError, UnhashableParamError, UserHashError, _encode


class Person:
    def __init__(self, name: str) -> None:
        self.name = name


class Other:
    def __init__(self, name: Any) -> None:
        self.name = name


class Side(enum.Enum):
    LEFT = 1
    RIGHT = 2


def with_attribute(value: Any, **attributes: Any) -> Any:
    for name, attribute in attributes.items():
        setattr(value, name, attribute)
    return value


def nested(depth: int, wrap: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    value: Any = ()
    for _ in range(depth):
        value = wrap(value)
    return value


# --- K9 -------------------------------------------------------------------------------------------


def test_k9_what_cannot_be_keyed_names_everything() -> None:
    """K9: function, parameter, type, way, and the two ways out."""
    with pytest.raises(UnhashableParamError) as caught:
        _encode({"pool": [threading.Lock()]})
    text = str(caught.value)
    for part in ("`_encode`", "`value`", "_thread.lock", "'pool'", "item 0", "`_value`", "hash_funcs={"):
        assert part in text
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value.__cause__, TypeError)


def test_k9_the_way_out_is_for_the_class_that_holds_what_has_no_key() -> None:
    """K9: a rule for the user's own class, not for the lock inside it."""
    with pytest.raises(UnhashableParamError, match="`_thread.lock`") as caught:
        _encode([Other({"pool": Person(threading.Lock())})])  # type: ignore[arg-type]
    assert f'hash_funcs={{"{__name__}.Other": function}}' in str(caught.value)


def test_k9_what_takes_the_rest_is_named_as_it_is_written() -> None:
    """K9: the parameter that would be left out by an underscore."""

    @tenure.cache_resource
    def connect(*hosts: Any, **options: Any) -> None: ...

    with pytest.raises(
        tenure.UnhashableParamError, match=r"`\*hosts` of `.*connect`[^`]*`_thread.lock`[^`]*`\*_hosts`"
    ):
        connect("a", threading.Lock())
    with pytest.raises(tenure.UnhashableParamError, match=r"`pool`[^`]*`.*connect`[^`]*`_thread.lock`[^`]*`_pool`"):
        connect(pool=threading.Lock())


def test_k9_a_scalar_that_lies_about_its_array_is_read_all_the_same() -> None:
    """K9, K2: memory is read of arrays only, whatever a derived class gives for one."""

    class Lying(np.float64):
        def __array__(self, *args: Any, **kwargs: Any) -> Any:
            return [1]

    assert _encode(Lying(1)) == _encode(Lying(1))
    assert _encode(Lying(1)) != _encode(Lying(2))


def test_k9_a_number_that_was_tampered_with_raises_nothing_odd() -> None:
    """K9: what stands in the place of a number is keyed as what it is."""
    one, two = fractions.Fraction(1, 2), fractions.Fraction(1, 2)
    one._numerator = "x"  # type: ignore[attr-defined]
    assert _encode(one) != _encode(two)


def test_k7_members_are_keyed_by_class_name_and_value() -> None:
    """K7: also where they are numbers, and the class is not found under its name, so that what it is made of counts."""

    def members(extra: str) -> list[Any]:
        names: dict[str, Any] = {"__name__": "page", "enum": enum}
        exec(f"class Level(enum.IntEnum):\n LOW = 1\n HIGH = 2\n def f(self): return {extra}", names)
        exec("class Mode(enum.IntFlag):\n READ = 1\n WRITE = 2", names)
        exec("class Name(str, enum.Enum):\n A = 'a'", names)
        level, mode = names["Level"], names["Mode"]
        return [*level, *mode, mode.READ | mode.WRITE, mode(0), names["Name"].A, 1, 2, "a"]

    keys = [_encode(member) for member in members("1")]
    assert len(set(keys)) == len(keys)
    again = members("1")
    # A combination of flags that was met before is no part of what the class is made of.
    assert keys == [_encode(member) for member in again] == [_encode(member) for member in again]
    assert not set(keys[:2]) & {_encode(member) for member in members("2")}


def test_k9_a_zone_from_a_file_is_refused_whatever_its_name() -> None:
    """K9, K1: as pickle refuses it, because two of one name may hold other rules."""
    for offset in (3600, 7200):
        head = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
        file = io.BytesIO(head + struct.pack(">lbb", offset, 0, 0) + b"CET\0")
        with pytest.raises(UnhashableParamError, match="ZoneInfo"):
            _encode(zoneinfo.ZoneInfo.from_file(file, key="Europe/Berlin"))


@pytest.mark.parametrize("error", [ValueError, AttributeError, NotImplementedError, RecursionError])
def test_k9_a_reduction_that_raises_is_no_key(error: type[Exception]) -> None:
    """K9: the failure is translated, and stays the cause."""

    class Broken:
        def __reduce_ex__(self, protocol: int) -> Any:
            raise error("no")

    with pytest.raises(UnhashableParamError, match="Broken") as caught:
        _encode([Broken()])
    assert type(caught.value.__cause__) is error


def test_k9_what_raises_when_it_is_looked_at_is_no_key() -> None:
    """K9: also where a class raises before anything is asked of the object."""

    class Odd(type):
        def __getattr__(cls, name: str) -> Any:
            raise ValueError(f"odd {name}")

    class Thing(metaclass=Odd):
        pass

    with pytest.raises(UnhashableParamError, match=r"'thing'.*could not be read \(ValueError: odd") as caught:
        _encode({"thing": Thing()})
    assert isinstance(caught.value.__cause__, ValueError)


def test_k9_an_interrupt_is_no_matter_of_keys() -> None:
    """K9: what is no Exception goes through as it is."""

    class Stopped:
        def __reduce_ex__(self, protocol: int) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _encode([Stopped()])

    class Starved:
        def __reduce_ex__(self, protocol: int) -> Any:
            raise MemoryError

    with pytest.raises(MemoryError):
        _encode([Starved()])


def test_k9_a_reduction_is_walked_not_pickled() -> None:
    """K9, K4: the order of what a reduction holds and who shares what make no difference."""

    class Reduced:
        def __init__(self, state: Any) -> None:
            self.state = state

        def __reduce__(self) -> Any:
            return (Reduced, (), self.state)

    shared = [1]
    assert _encode(Reduced({"a": shared, "b": shared})) == _encode(Reduced({"b": [1], "a": [1]}))
    assert _encode(Reduced({"a": 1})) != _encode(Reduced({"a": True}))


@pytest.mark.parametrize("reduced", [(1,), 5, (Other,), (Other, (), None, None, None, None, None)])
def test_k9_a_wrong_reduction_is_no_key(reduced: Any) -> None:
    """K9"""

    class Wrong:
        def __reduce_ex__(self, protocol: int) -> Any:
            return reduced

    with pytest.raises(UnhashableParamError, match="Wrong"):
        _encode(Wrong())


def test_k9_a_class_that_changes_is_looked_at_again() -> None:
    """K9: what was found out about a class does not outlive a change of it."""

    class Changing:
        def __init__(self) -> None:
            self.shown, self.hidden = 1, threading.Lock()

    value = Changing()
    with pytest.raises(UnhashableParamError):
        _encode(value)
    Changing.__reduce__ = lambda self: (Changing, (self.shown,))  # type: ignore[method-assign, assignment]
    assert _encode(value)
    del Changing.__reduce__
    with pytest.raises(UnhashableParamError):
        _encode(value)


def test_k9_an_attribute_that_appears_counts() -> None:
    """K9: an instance is read anew each time."""
    person = Person("a")
    before = _encode(person)
    person.age = 3  # type: ignore[attr-defined]
    assert _encode(person) != before
    del person.age  # type: ignore[attr-defined]
    assert _encode(person) == before


# --- K10 ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("kib", [32, 64, 256])
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
shallow = [nested(wrap, depth=3) for wrap in wraps] if {kib} > 32 else []
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
import os; os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)


@pytest.mark.parametrize("kib", [64, 256, 1024])
@pytest.mark.parametrize("depth", [3, 7, 8, 6_000])
def test_k10_user_code_may_switch_greenlets_however_deep_the_walk_is(kib: int, depth: int) -> None:
    """K10: it runs on the thread's own stack: in a reduction, a state, a hash function."""
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
import os; os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)


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


# --- K12 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [Person, f"{__name__}.Person"], ids=["class", "name"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda v: v,
        lambda v: [v],
        lambda v: {"a": v},
        lambda v: {0: (v,)},
        lambda v: Other(v),
        lambda v: np.array([v], object),
    ],
    ids=["alone", "list", "dict", "tuple", "attribute", "array"],
)
def test_k12_a_rule_applies_at_every_depth(key: Any, wrap: Callable[[Any], Any]) -> None:
    """K12"""
    rules = {key: lambda person: person.name.lower()}
    assert _encode(wrap(Person("a")), rules) == _encode(wrap(Person("A")), rules)
    assert _encode(wrap(Person("a")), rules) != _encode(wrap(Person("b")), rules)
    assert _encode(wrap(Person("a"))) != _encode(wrap(Person("A")))


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (1, 2),
        (1.0, 2.0),
        ("a", "b"),
        ([1], [2]),
        ({"a": 1}, {"b": 1}),
        ((1,), (2,)),
        ({1}, {2}),
        (None, None),
        (True, False),
        (np.zeros(2), np.ones(2)),
        (int, float),
        (Person.__init__, Other.__init__),
        (threading.Lock(), threading.Lock()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_k12_a_rule_wins_over_every_built_in_rule(value: Any, other: Any) -> None:
    """K12: at the top, in a list and in a dict of strings."""
    rules = {type(value): lambda _: "same"}
    for wrap in (lambda v: v, lambda v: (v,), lambda v: Other(v)):
        assert _encode(wrap(value), rules) == _encode(wrap(other), rules)


@pytest.mark.parametrize("key", [list[int], List[int]])  # noqa: UP006
def test_k12_a_rule_for_a_type_with_parameters_is_for_its_class(key: Any) -> None:
    """K12: as the reference takes it; a list does not know what it was declared to hold."""
    assert _encode([1, 2], {key: len}) == _encode(["a", "b"], {key: len}) == _encode([1, 2], {list: len})
    assert _encode([1, 2], {key: len}) != _encode([1], {key: len})


def test_k12_bytes_keep_their_own_rule() -> None:
    """K12"""
    rules = {bytes: lambda _: "same"}
    assert _encode(b"a", rules) != _encode(b"b", rules)


@pytest.mark.parametrize(
    "values",
    [
        (Path("a"), Path("b")),
        (Other(1), with_attribute(Other(1), extra=1), with_attribute(Other(1), other=1)),
        (lambda x: x + 1, lambda x: x + 2, lambda x: x.a, lambda x: x.b),
        (decimal.Decimal(1), decimal.Decimal(2)),
        (uuid.UUID(int=1), uuid.UUID(int=2)),
        (re.compile("a"), re.compile("b")),
        (np.zeros(2), np.zeros(3), np.zeros(2, "i8"), np.ones(2)),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}), pd.DataFrame({"a": [1.0]})),
        (pd.Series([1], dtype="category"), pd.Series([2], dtype="category")),
        (pl.Series([1]), pl.Series([2])),
        (io.BytesIO(b"a"), io.BytesIO(b"b")),
        (ValueError(Other(1)), KeyError(Other(1))),
        (Side.LEFT, Side.RIGHT),
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_k12_a_rule_does_not_reach_into_what_a_value_is_made_of(values: tuple[Any, ...]) -> None:
    """K12: a rule for strings is for strings that were passed, not for names of attributes or the text of a path."""
    classes = [str, int, tuple, dict, np.ndarray, pd.Index, pd.RangeIndex, type(Other.__init__.__code__)]
    rules: Any = {kind: lambda _: "same" for kind in classes if kind is not type(values[0])}
    assert len({_encode(value, rules) for value in values}) == len(values)


def test_k12_a_rule_reaches_what_a_value_holds() -> None:
    """K12"""
    rules = {Person: lambda person: "same"}
    one, two = Person("a"), Person("b")
    holders: list[Callable[[Any], Any]] = [
        lambda p: functools.partial(len, p),
        lambda p: functools.partial(len, key=p),
        lambda p: lambda: p,
        lambda p: lambda x=p: x,
        lambda p: pd.Series([p], dtype=object),
        lambda p: pd.DataFrame({"a": [1], "b": pd.Series([p], dtype=object)}),
        lambda p: np.array([(1, p)], "i4,O"),
        lambda p: ValueError(p),
        lambda p: {"a": p}.items(),
        lambda p: types.MappingProxyType({"a": p}),
        lambda p: types.SimpleNamespace(a=p),
        lambda p: collections.OrderedDict(a=p),
        lambda p: slice(p),
        lambda p: weakref.ref(p),
        lambda p: with_attribute(pd.DataFrame({"a": [1]}), attrs={"p": p}),
    ]
    for hold in holders:
        assert _encode(hold(one), rules) == _encode(hold(two), rules)
        assert _encode(hold(one)) != _encode(hold(two))


def test_k12_a_rule_is_for_its_class_only() -> None:
    """K12, as on the reference page"""

    class Derived(Person):
        pass

    rules = {Person: lambda _: 1}
    assert _encode(Derived("a"), rules) != _encode(Derived("b"), rules)


def test_k12_a_result_is_told_from_a_value() -> None:
    """K12, K2"""
    assert _encode(Person("a"), {Person: lambda p: p.name}) != _encode("a")
    assert _encode([Person("a")], {Person: lambda p: p.name}) != _encode(["a"], {Person: lambda p: p.name})


def test_k12_a_rule_may_return_its_own_class_or_object() -> None:
    """K12: nothing goes on for ever."""
    assert _encode("A", {str: str.lower}) == _encode("a", {str: str.lower})
    assert _encode(["A"], {str: str.lower}) == _encode(["a"], {str: str.lower})
    rules = {Person: lambda person: (person, 1)}
    assert _encode(Person("a"), rules) != _encode(Person("b"), rules)
    assert _encode(Person("a"), {Person: lambda person: person}) == _encode(
        Person("a"), {Person: lambda person: person}
    )


def test_k12_a_class_that_is_defined_anew_is_still_meant() -> None:
    """K12, K9"""
    first, second = (type("Person", (), {"__module__": "app", "__qualname__": "Person"}) for _ in range(2))
    rules = {first: lambda person: "same"}
    one, two = first(), second()
    two.lock = threading.Lock()  # type: ignore[attr-defined]
    assert _encode(one, rules) == _encode(two, rules)


def test_k12_a_rule_that_raises_tells_the_whole_way() -> None:
    """K12: function, type and the chain of objects."""

    def by_name(person: Person) -> str:
        raise ZeroDivisionError("nothing")

    with pytest.raises(UserHashError) as caught:
        _encode([{"boss": Other(Person("a"))}], {Person: by_name})
    text = str(caught.value)
    for part in (
        "by_name",
        f"{__name__}.Person",
        "ZeroDivisionError: nothing",
        "item 0",
        "'boss'",
        "Other",
        "name",
        "`_encode`",
        "`value`",
    ):
        assert part in text
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert isinstance(caught.value, RuntimeError)


def test_k12_a_result_without_a_key_tells_so() -> None:
    """K12, K9"""
    with pytest.raises(UnhashableParamError, match="what its hash function returned"):
        _encode(Person("a"), {Person: lambda person: threading.Lock()})


@pytest.mark.parametrize(
    ("rules", "error", "says"),
    [
        ([(Person, id)], TypeError, "must be a dict"),
        ({3: id}, TypeError, "classes or their fully-qualified names"),
        ({"Person": id}, ValueError, "needs the module too"),
        ({".Person": id}, ValueError, "fully-qualified"),
        ({Person: 3}, TypeError, "cannot be called"),
    ],
)
def test_k12_wrong_rules_say_what_to_write(rules: Any, error: type[Exception], says: str) -> None:
    """K12"""
    with pytest.raises(error, match=says) as caught:
        _encode(1, rules)
    assert "hash_funcs={Person: lambda person: person.id}" in str(caught.value)


# --- K13 ------------------------------------------------------------------------------------------


def sized(count: int) -> np.ndarray:
    return np.zeros(count)


@pytest.mark.parametrize("count", [3, 100_000])
def test_k13_a_mutated_array_is_a_new_key(count: int) -> None:
    """K13: also through a view, and if it is made read-only in between."""
    values = sized(count)
    view = values[:]
    values.flags.writeable = False
    before = _encode(values)
    values.flags.writeable = True
    values[-1] = 1
    values.flags.writeable = False
    after = _encode(values)
    assert after != before
    assert _encode(view) == after
    # The view may still be written through, and the array that it shows stays read-only.
    view[0] = 2
    assert not values.flags.writeable
    assert _encode(values) not in (before, after)
    assert _encode(view) == _encode(values)


@pytest.mark.parametrize("size", [3, 1_000_000])
def test_k13_a_mutated_bytearray_is_a_new_key(size: int) -> None:
    """K13"""
    values = bytearray(size)
    before = _encode(values)
    view = _encode(memoryview(values))
    values[-1] = 1
    assert _encode(values) != before
    assert _encode(memoryview(values)) != view


def test_k13_mutated_containers_are_new_keys() -> None:
    """K13"""
    inner: list[int] = list(range(50_000))
    outer = {"a": [inner, inner]}
    before = _encode(outer)
    inner[-1] = 0
    after = _encode(outer)
    assert after != before
    inner[-1] = 49_999
    assert _encode(outer) == before


@pytest.mark.parametrize(
    "make", [lambda n: bytes([n]) * 200_000, lambda n: chr(97 + n) * 200_000], ids=["bytes", "str"]
)
def test_k13_an_address_used_again_is_no_match(make: Callable[[int], Any]) -> None:
    """K13: long immutable objects are remembered, others at the same address are not taken for them."""
    keys = {_encode(make(n % 20)) for n in range(200)}
    assert len(keys) == 20
    assert {_encode(make(n)) for n in range(20)} == keys


def test_k13_what_is_remembered_is_let_go() -> None:
    """K13: the memo keeps nothing alive past a garbage collection."""
    size = 1 << 20
    tracemalloc.start()
    try:
        content = b"x" * size
        held = sys.getrefcount(content)
        assert _encode(content) == _encode(np.full(size, ord("x"), "u1").tobytes())
        assert sys.getrefcount(content) == held + 1
        for n in range(8):
            _encode([bytes([n]) * size, chr(97 + n) * size, np.frombuffer(bytes([n + 9]) * size, "u1")])
        gc.collect()
        # Of what was remembered, only what someone else holds is left.
        assert tracemalloc.get_traced_memory()[0] < 2 * size
        assert sys.getrefcount(content) <= held + 1
    finally:
        tracemalloc.stop()


def test_k13_values_that_change_while_they_are_read() -> None:
    """K10, K13: code that runs meanwhile may change the containers; nothing breaks."""
    container: list[Any] = []

    class Emptying:
        def __reduce__(self) -> Any:
            container.clear()
            gc.collect()
            return (Emptying, ())

    for _ in range(5):
        container[:] = [Emptying(), *([object()] * 10), "x" * 100]
        _encode(container)
        mapping: dict[Any, Any] = {"a": Emptying(), **{str(n): [n] for n in range(50)}}
        container.append(mapping)
        _encode({"m": mapping, "c": container})


def test_k13_classes_are_not_kept_alive() -> None:
    """K13: what is known of a class does not keep it."""

    def encode_one() -> weakref.ref[type]:
        local = type("Local", (), {"__slots__": ("a",)})
        instance = local()
        instance.a = 1  # type: ignore[attr-defined]
        _encode(instance)
        return weakref.ref(local)

    references = [encode_one() for _ in range(5)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 5


# --- K15 ------------------------------------------------------------------------------------------


def test_k15_the_secret_of_the_digest_is_drawn_in_each_process() -> None:
    """K15: nobody can work out beforehand what two long arguments have for digests; short ones are kept as they are."""
    program = "from tenure._native import _encode; print(_encode('x' * 1000).hex(), _encode('x').hex())"
    long, short = set(), set()
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=True)
        one, other = done.stdout.split()
        long.add(one)
        short.add(other)
    assert len(long) == 3
    assert len(short) == 1
    assert _encode("x" * 1000) == _encode("x" * 1000)
    assert _encode("x" * 1000).hex() not in long
