"""K1 to K6: two generated values have one key if and only if they are equal in type and content.

What "equal in type and content" means is written a second time here, in the simplest way that is right: as a form of
plain tuples that Python compares itself.
"""

from __future__ import annotations

import collections
import copy
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import struct
import uuid
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenure._native import _encode


class Shade(enum.Enum):
    DARK = 1
    LIGHT = "light"


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass
class Box:
    content: Any
    label: str = ""


class Bag:
    __slots__ = ("__dict__", "kept")


def bag(kept: Any, others: dict[str, Any]) -> Bag:
    made = Bag()
    made.kept = kept
    vars(made).update(others)
    return made


def form(value: Any) -> Any:
    """The type and content of a value as nested tuples; equal if and only if the values are."""
    kind = type(value).__qualname__
    match value:
        case float():
            return kind, struct.pack("<d", value)
        case complex():
            return kind, struct.pack("<dd", value.real, value.imag)
        case decimal.Decimal():
            return kind, str(value)
        case dt.datetime():
            return kind, value.replace(tzinfo=None), value.fold, repr(value.tzinfo)
        case list() | tuple() | collections.deque():
            return kind, tuple(form(item) for item in value), getattr(value, "maxlen", None)
        case collections.OrderedDict():
            return kind, tuple((form(key), form(item)) for key, item in value.items())
        case dict():
            return kind, frozenset((form(key), form(item)) for key, item in value.items())
        case set() | frozenset():
            return kind, frozenset(form(item) for item in value)
        case Box():
            return kind, tuple(form(getattr(value, field.name)) for field in fields(value))
        case Bag():
            return kind, form(value.kept), form(vars(value))
        case np.ndarray() if value.dtype == object:
            return kind, "O", value.shape, tuple(form(item) for item in value.ravel())
        case np.ndarray() | np.generic():
            return kind, str(value.dtype), value.shape, np.asarray(value).tobytes()
        case bytearray():
            return kind, bytes(value)
        case range() | slice():
            return kind, value.start, value.stop, value.step
        case _:
            return kind, value


texts = st.text(st.sampled_from("ab\0é日😀\ud800"), max_size=3)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([127, 128, -129, 2**31, 2**63, -(2**63) - 1, 2**64]),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, float("inf"), float("nan")]),
    st.sampled_from([0j, 1j, complex(-0.0, 0)]),
    texts,
    st.binary(max_size=3),
    st.sampled_from(["x" * 240, "x" * 241, b"x" * 240, b"x" * 241]),
    st.sampled_from(list(Shade)),
    st.sampled_from([decimal.Decimal(text) for text in ("0", "-0", "1", "1.0", "Infinity")]),
    st.sampled_from([fractions.Fraction(1), fractions.Fraction(1, 2)]),
    st.sampled_from(
        [
            dt.date(2024, 1, 1),
            dt.time(1),
            dt.timedelta(1),
            dt.datetime(2024, 1, 1),
            dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        ]
    ),
    st.sampled_from(
        [uuid.UUID(int=1), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), range(2), range(0, 2, 2), ...]
    ),
    st.sampled_from(
        [np.int64(1), np.int32(1), np.float64(1), np.float64(-0.0), np.bool_(True), np.str_("a"), np.datetime64(1, "s")]
    ),
)
keys = st.one_of(
    texts,
    st.integers(-2, 2),
    st.booleans(),
    st.sampled_from([0.0, 1.0, None, b"a", Shade.DARK, (1, "a"), frozenset({1})]),
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(texts, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(texts, inner, max_size=3).map(collections.OrderedDict),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
        st.lists(inner, max_size=3).map(collections.deque),
        st.builds(Pair, inner, inner),
        st.builds(Box, inner, texts),
        st.builds(bag, inner, st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)),
        st.binary(max_size=3).map(bytearray),
        st.lists(inner, min_size=1, max_size=3).map(objects),
    )


def objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


values = st.recursive(scalars, containers, max_leaves=8)


@given(values, values)
def test_k1_k2_keys_of_generated_values_are_equal_exactly_when_the_values_are(one: Any, two: Any) -> None:
    """K1, K2, K4, K7"""
    assert (_encode(one) == _encode(two)) == (form(one) == form(two))


@given(values)
def test_k3_a_copy_has_the_same_key(value: Any) -> None:
    """K3, K4: whatever a copy shares and in whatever order it was filled."""
    assert _encode(copy.deepcopy(value)) == _encode(value)
    assert _encode(refilled(value)) == _encode(value)


def refilled(value: Any) -> Any:
    """The value with dicts and sets filled from the other end."""
    match value:
        case collections.OrderedDict():
            return collections.OrderedDict((key, refilled(item)) for key, item in value.items())
        case dict():
            return {key: refilled(item) for key, item in reversed(value.items())}
        case set() | frozenset():
            return type(value)(reversed(list(value)))
        case list() | collections.deque():
            return type(value)(refilled(item) for item in value)
        case tuple() if type(value) is tuple:
            return tuple(refilled(item) for item in value)
        case _:
            return value


@given(st.data(), values)
def test_k1_one_changed_leaf_is_seen(data: st.DataObject, value: Any) -> None:
    """K1, K2: a value beside others in one container is told from another in its place."""
    other = data.draw(values)
    before, after = data.draw(st.lists(values, max_size=3)), data.draw(st.lists(values, max_size=3))
    one, two = [*before, value, *after], [*before, other, *after]
    assert (_encode(one) == _encode(two)) == (form(value) == form(other))
    assert (_encode({"a": one}) == _encode({"a": two})) == (form(value) == form(other))


@given(st.lists(st.lists(texts, max_size=3), max_size=3), st.lists(st.lists(texts, max_size=3), max_size=3))
def test_k1_where_one_value_ends_and_the_next_begins(one: list[list[str]], two: list[list[str]]) -> None:
    """K1"""
    assert (_encode(one) == _encode(two)) == (one == two)


dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.unicode_string_dtypes(max_len=3, endianness="?"),
    hnp.byte_string_dtypes(max_len=3),
    hnp.datetime64_dtypes(),
)
arrays = dtypes.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


@given(arrays, arrays)
def test_k5_arrays_are_equal_exactly_when_dtype_shape_and_bytes_are(one: np.ndarray, two: np.ndarray) -> None:
    """K5"""
    assert (_encode(one) == _encode(two)) == (form(one) == form(two))


@given(arrays, st.randoms())
def test_k5_the_layout_of_an_array_makes_no_difference(array: np.ndarray, random: Any) -> None:
    """K5: any order of axes in memory, any step, either direction."""
    order = random.sample(range(array.ndim), array.ndim)
    moved = (
        np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order).astype(int)) if array.ndim else array
    )
    room = np.empty([2 * side for side in array.shape], array.dtype)
    spread = room[(..., *(slice(None, None, random.choice([2, -2])) for _ in array.shape))]
    spread[...] = array
    assert _encode(moved) == _encode(array)
    assert _encode(spread) == _encode(array)


@given(arrays.filter(lambda array: array.size > 0), st.randoms())
def test_k5_any_changed_byte_of_an_array_is_seen(array: np.ndarray, random: Any) -> None:
    """K5"""
    if array.nbytes == 0:
        return
    raw = bytearray(array.tobytes())
    raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
    changed = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)
    assert _encode(changed) != _encode(array)


columns = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-2, 2)), min_size=1, max_size=70).map(lambda v: pa.array(v, pa.int32())),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=70).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.one_of(st.none(), st.text("ab", max_size=14)), min_size=1, max_size=20).map(
        lambda v: pa.array(v, pa.string())
    ),
    st.lists(st.one_of(st.none(), st.text("ab", max_size=14)), min_size=1, max_size=20).map(
        lambda v: pa.array(v, pa.string_view())
    ),
    st.lists(
        st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=3)), min_size=1, max_size=9
    ).map(lambda v: pa.array(v, pa.list_(pa.int8()))),
    st.lists(
        st.one_of(st.none(), st.fixed_dictionaries({"a": st.integers(0, 1), "b": st.text("a", max_size=2)})),
        min_size=1,
        max_size=9,
    ).map(lambda v: pa.array(v, pa.struct([("a", pa.int64()), ("b", pa.string())]))),
)


@given(columns, columns)
def test_k5_arrow_arrays_are_equal_exactly_when_type_and_values_are(one: pa.Array, two: pa.Array) -> None:
    """K5"""
    assert (_encode(one) == _encode(two)) == (one.type == two.type and one.equals(two))


@given(columns, st.data())
def test_k5_where_arrow_chunks_end_makes_no_difference(array: pa.Array, data: st.DataObject) -> None:
    """K5"""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(array)), max_size=4)))
    bounds = [0, *cuts, len(array)]
    pieces = [array.slice(start, end - start) for start, end in zip(bounds, bounds[1:], strict=False)]
    assert _encode(pa.chunked_array(pieces, array.type)) == _encode(pa.chunked_array([array]))


cells = st.one_of(st.none(), st.integers(-1, 1), st.text("ab", max_size=2))


@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=6), st.lists(st.tuples(cells, cells), min_size=1, max_size=6)
)
def test_k5_k6_frames_of_objects_are_equal_exactly_when_their_cells_are(one: list[Any], two: list[Any]) -> None:
    """K5, K6"""

    def make(rows: list[Any]) -> pd.DataFrame:
        return pd.DataFrame({"a": [row[0] for row in rows], "b": [row[1] for row in rows]}, dtype=object)

    assert (_encode(make(one)) == _encode(make(two))) == (form(one) == form(two))


numbers = st.lists(st.tuples(st.integers(-1, 1), st.sampled_from([0.5, -0.0, 0.0])), min_size=1, max_size=6)


@given(numbers, numbers)
def test_k5_frames_of_numbers_are_equal_exactly_when_their_cells_are(one: list[Any], two: list[Any]) -> None:
    """K5: in pandas and in Polars."""
    names = {"i": 0, "f": 1}
    for make in (pd.DataFrame, pl.DataFrame):
        first, second = ({name: [row[at] for row in rows] for name, at in names.items()} for rows in (one, two))
        assert (_encode(make(first)) == _encode(make(second))) == (form(one) == form(two))
