"""K9, K13, K15: what has no key, arguments that change, and the secret of digests."""

from __future__ import annotations

import enum
import fractions
import gc
import io
import struct
import subprocess
import sys
import threading
import tracemalloc
import weakref
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from walked import Other, Person

import tenure
from tenure._native import UnhashableParamError, _encode

# --- K9 ---------------------------------------------------------------------------------------------


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
    assert f'hash_funcs={{"{Other.__module__}.Other": function}}' in str(caught.value)


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


# --- K13 --------------------------------------------------------------------------------------------


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


# --- K15 --------------------------------------------------------------------------------------------


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
