"""The hazards that the promises on keys name, one line each: what must be told apart, and what must not.

A line is the promise, what could go wrong, and functions that make the values, so that nothing is shared by accident.

Those of classes, functions and objects are in `hazard_objects.py`.
"""

# ruff: noqa: E501
from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import fractions
import functools
import io
import math
import pathlib
import pickle
import re
import struct
import types
import uuid
import weakref
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from PIL import Image
from scipy import sparse

Line = tuple[str, str, tuple[Callable[[], Any], ...]]


def nan(payload: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0000 | payload))[0]


def with_attribute(value: Any, **attributes: Any) -> Any:
    for name, attribute in attributes.items():
        setattr(value, name, attribute)
    return value


class UnitType(pd.api.extensions.ExtensionDtype):
    name = "unit"
    type = float

    def __init__(self, unit: str) -> None:
        self.unit = unit


class UnitArray(pd.api.extensions.ExtensionArray):
    def __init__(self, values: list[float], unit: str) -> None:
        self._ndarray = np.asarray(values)
        self._dtype = UnitType(unit)

    dtype = property(lambda self: self._dtype)
    nbytes = 8

    def __len__(self) -> int:
        return len(self._ndarray)

    def __getitem__(self, at: Any) -> Any:
        return self._ndarray[at]

    def copy(self) -> UnitArray:
        return UnitArray(list(self._ndarray), self._dtype.unit)


class Plain:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    @functools.cached_property
    def size(self) -> Any:
        return self.a

    def method(self) -> None: ...


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [0.5, math.nan, 1.5],
            "s": ["a", None, "c"],
            "o": pd.Series([1, "x", (2,)], dtype=object),
            "c": pd.Categorical(["x", "y", "x"]),
            "t": pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"),
            "n": pd.array([1, None, 3], dtype="Int64"),
        },
        index=pd.Index([10, 20, 30], name="key"),
    )


def changed(change: Callable[[pd.DataFrame], Any]) -> Callable[[], pd.DataFrame]:
    def make() -> pd.DataFrame:
        table = frame()
        result = change(table)
        return table if result is None else result

    return make


def setting(column: str, row: int, value: Any) -> Callable[[], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        values = list(table[column])
        values[row] = value
        return table.assign(**{column: pd.Series(values, dtype=table[column].dtype, index=table.index)})

    return changed(change)


def numbers(at: int | None = None) -> np.ndarray:
    values = np.arange(500_000, dtype=np.float64)
    if at is not None:
        values[at] += 1e-9
    return values


def palette(last: int) -> Image.Image:
    image = Image.new("P", (2, 2))
    image.putpalette([1, 2, 3, 4, 5, last])
    return image


def animation(last: int) -> Image.Image:
    file = io.BytesIO()
    frames = [Image.new("L", (8, 8), shade) for shade in (0, last)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return Image.open(io.BytesIO(file.getvalue()))


def polars_frame(last: Any = 3, text: str = "c", **names: str) -> pl.DataFrame:
    rows = 40
    table = pl.DataFrame(
        {
            "i": [*range(rows - 1), last],
            "s": ["a" * 20] * (rows - 1) + [text],
            "c": pl.Series(["x", "y"] * (rows // 2), dtype=pl.Categorical),
            "b": [True, None] * (rows // 2),
        }
    )
    return table.rename(names)


def chunked(*sizes: int) -> pa.ChunkedArray:
    values = iter(["a", None, "c" * 20, "", "e", "f"])
    return pa.chunked_array([pa.array([next(values) for _ in range(size)], pa.string()) for size in sizes])


def held(value: Any) -> weakref.ref[Any]:
    keep.append(value)
    return weakref.ref(value)


keep: list[Any] = []


REFERRED = Plain(a=1)


LONG = 100_000


def long_pandas(at: int | None = None, text: bool = False) -> pd.DataFrame:
    """A long frame; `at` is the row of the cell that is another."""
    numbers, texts = np.arange(LONG, dtype=np.float64), [f"row {n}" for n in range(LONG)]
    if at is not None and text:
        texts[at] = "other"
    elif at is not None:
        numbers[at] += 1e-9
    return pd.DataFrame({"n": numbers, "t": texts})


def long_polars(at: int | None = None, text: bool = False) -> pl.DataFrame:
    table = long_pandas(at, text)
    return pl.DataFrame({"n": table["n"].to_numpy(), "t": table["t"].tolist()})


def long_arrow(at: int | None = None, text: bool = False) -> pa.Table:
    table = long_pandas(at, text)
    return pa.table({"n": table["n"].to_numpy(), "t": table["t"].tolist()})


def cells(make: Callable[..., Any]) -> tuple[Callable[[], Any], ...]:
    """The first, a middle and the last cell of each column changed, and nothing."""
    places = [(at, text) for at in (0, LONG // 2, LONG - 1) for text in (False, True)]
    return (make, *(functools.partial(make, at, text) for at, text in places))


def wide(at: int | None = None, mixed: bool = False) -> pd.DataFrame:
    """A frame of 300 columns, in one block or in two; `at` is the column of the cell that is another."""
    values = np.zeros((3, 300))
    if at is not None:
        values[2, at] = 1
    table = pd.DataFrame(values)
    return table.astype(dict.fromkeys(range(0, 300, 2), "int64")) if mixed else table


def picture(*at: int) -> Image.Image:
    image = Image.new("RGB", (1000, 1000))
    if at:
        image.putpixel(at, (0, 0, 1))
    return image


def noted(**metadata: Any) -> np.dtype[Any]:
    return np.dtype("i4", metadata=metadata)  # type: ignore[call-overload]


#: Values of one line are all told apart.
DIFFERENT: list[Line] = [
    ("K1", "two strings and one that looks like them", (lambda: ("foo", "bar"), lambda: ("foostr:ystr:bar",))),
    ("K1", "two members and one that looks like them", (lambda: ["a", "b"], lambda: ["astr:b"])),
    ("K1", "where one string ends", (lambda: ("a", "b"), lambda: ("ab", ""), lambda: ("", "ab"), lambda: ("ab",))),
    ("K1", "where one list ends", (lambda: [[1], [2]], lambda: [[1, 2]], lambda: [[1, 2], []], lambda: [1, 2])),
    ("K1", "bytes that hold another encoding", (lambda: [b"\x01\x01"], lambda: [b"\x01", b"\x01"], lambda: [[], []])),
    ("K1", "long and short", (lambda: "a" * 239, lambda: "a" * 240, lambda: "a" * 241, lambda: "a" * 100_000)),
    ("K1", "a long string's last character", (lambda: "a" * 99_999 + "a", lambda: "a" * 99_999 + "b")),
    ("K1", "a long list's last member", (lambda: [*range(99_999), 0], lambda: [*range(99_999), 1])),
    ("K1", "a dict, its items, its keys and its values",
     (lambda: {1: 2}, lambda: [(1, 2)], lambda: {1: 2}.items(), lambda: {1: 2}.keys(), lambda: {1: 2}.values())),
    ("K2", "one, of many types",
     (lambda: 1, lambda: 1.0, lambda: True, lambda: "1", lambda: b"1", lambda: decimal.Decimal(1), lambda: np.int64(1),
      lambda: fractions.Fraction(1), lambda: 1 + 0j, lambda: np.int32(1), lambda: np.float64(1), lambda: np.bool_(True),
      lambda: np.str_("1"), lambda: bytearray(b"1"), lambda: memoryview(b"1"), lambda: np.array(1), lambda: [1])),
    ("K2", "a type deep inside", (lambda: [(1,), (1,)], lambda: [(1,), (True,)], lambda: [(1,), (1.0,)])),
    ("K2", "a type as a key", (lambda: {1: 0}, lambda: {1.0: 0}, lambda: {True: 0})),
    ("K2", "a type in a set", (lambda: {1}, lambda: {1.0}, lambda: {True})),
    ("K2", "zeros of both signs", (lambda: 0.0, lambda: -0.0, lambda: 0)),
    ("K2", "zeros of both signs in an array", (lambda: np.array([0.0]), lambda: np.array([-0.0]))),
    ("K2", "NaNs of other bits", (lambda: nan(0), lambda: nan(1))),
    ("K2", "kinds of sequences", (lambda: [1], lambda: (1,), lambda: {1}, lambda: frozenset({1}), lambda: range(1, 2))),
    ("K2", "kinds of nothing", (lambda: None, lambda: ..., lambda: NotImplemented, lambda: 0, lambda: "", lambda: [],
                               lambda: pd.NA, lambda: pd.NaT, lambda: math.nan)),
    ("K2", "integers of all sizes",
     (lambda: 127, lambda: 128, lambda: -128, lambda: -129, lambda: 2**31, lambda: -(2**31) - 1, lambda: 2**63 - 1,
      lambda: 2**63, lambda: -(2**63), lambda: -(2**63) - 1, lambda: 2**64, lambda: 2**1000, lambda: -(2**1000))),
    ("K2", "strings of all widths",
     (lambda: "a", lambda: "é", lambda: "日", lambda: "😀", lambda: "\ud800", lambda: "a\0", lambda: "")),
    ("K2", "a string and the bytes of its characters", (lambda: "é", lambda: b"\xe9", lambda: "é".encode())),
    ("K2", "complex parts", (lambda: 1j, lambda: -1j, lambda: complex(0, -0.0), lambda: complex(-0.0, 0))),
    ("K2", "bounds", (lambda: range(3), lambda: range(0, 3, 2), lambda: slice(3), lambda: slice(0, 3), lambda: slice(0.0, 3))),
    ("K2", "dates and times",
     (lambda: dt.datetime(2024, 1, 1), lambda: dt.date(2024, 1, 1), lambda: dt.datetime(2024, 1, 1, fold=1),
      lambda: dt.datetime(2024, 1, 1, tzinfo=dt.UTC), lambda: pd.Timestamp(2024, 1, 1),
      lambda: dt.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")), lambda: np.datetime64("2024-01-01"),
      lambda: dt.datetime(2024, 1, 1, microsecond=1), lambda: "2024-01-01", lambda: dt.time(), lambda: dt.timedelta())),
    ("K2", "zones of one offset", (lambda: dt.timezone(dt.timedelta(hours=1)), lambda: dt.timezone(dt.timedelta(hours=1), "CET"),
                                   lambda: zoneinfo.ZoneInfo("Europe/Berlin"), lambda: zoneinfo.ZoneInfo("Europe/Paris"))),
    ("K2", "decimals by their digits", (lambda: decimal.Decimal("1"), lambda: decimal.Decimal("1.0"), lambda: decimal.Decimal("-0"),
                                        lambda: decimal.Decimal("0"), lambda: decimal.Decimal("NaN"), lambda: decimal.Decimal("sNaN"))),
    ("K2", "fractions", (lambda: fractions.Fraction(1, 2), lambda: fractions.Fraction(2, 1), lambda: (1, 2))),
    ("K2", "paths of other kinds", (lambda: pathlib.PurePosixPath("a"), lambda: pathlib.PureWindowsPath("a"), lambda: pathlib.Path("a"), lambda: "a")),
    ("K2", "identifiers", (lambda: uuid.UUID(int=1), lambda: uuid.UUID(int=2), lambda: 1, lambda: str(uuid.UUID(int=1)))),
    ("K2", "patterns", (lambda: re.compile("a"), lambda: re.compile("a", re.I), lambda: re.compile(b"a"), lambda: "a")),
    ("K2", "arrays of the standard library", (lambda: array.array("i", [1]), lambda: array.array("I", [1]), lambda: array.array("i", [2]))),
    ("K2", "views of memory", (lambda: memoryview(b"abcd"), lambda: memoryview(b"abcd").cast("H"), lambda: memoryview(b"abcd").cast("B", (2, 2)))),
    ("K4", "the order of an OrderedDict",
     (lambda: collections.OrderedDict(a=1, b=2), lambda: collections.OrderedDict(b=2, a=1), lambda: {"a": 1, "b": 2})),
    ("K4", "an OrderedDict whose order was changed later",
     (lambda: collections.OrderedDict(a=1, b=2), lambda: (d := collections.OrderedDict(a=1, b=2), d.move_to_end("a"))[0])),
    ("K4", "the order of the keys of an OrderedDict",
     (lambda: collections.OrderedDict(a=1, b=2).keys(), lambda: collections.OrderedDict(b=2, a=1).keys(), lambda: {"a": 1, "b": 2}.keys())),
    ("K4", "the order of the items of an OrderedDict",
     (lambda: collections.OrderedDict(a=1, b=2).items(), lambda: collections.OrderedDict(b=2, a=1).items(), lambda: {"a": 1, "b": 2}.items())),
    ("K4", "which key has which value", (lambda: {"a": 1, "b": 2}, lambda: {"a": 2, "b": 1}, lambda: {1: "a", 2: "b"})),
    ("K4", "a default factory", (lambda: collections.defaultdict(list), lambda: collections.defaultdict(set), lambda: {})),
    ("K4", "the length of a deque", (lambda: collections.deque([1]), lambda: collections.deque([1], 5), lambda: [1])),
    ("K4", "counts", (lambda: collections.Counter("aab"), lambda: collections.Counter("abb"), lambda: {"a": 2, "b": 1})),
    ("K4", "a read-only view of a dict", (lambda: types.MappingProxyType({"a": 1}), lambda: types.MappingProxyType({"a": 2}), lambda: {"a": 1})),
    ("K5", "any element of a large array", (lambda: numbers(), *(functools.partial(numbers, at) for at in (0, 1, 249_999, 499_998, 499_999)))),
    ("K5", "the shape", (lambda: np.zeros((2, 3)), lambda: np.zeros((3, 2)), lambda: np.zeros(6), lambda: np.zeros((2, 3, 1)))),
    ("K5", "an empty array's shape", (lambda: np.zeros((0, 3)), lambda: np.zeros((3, 0)), lambda: np.zeros(0))),
    ("K5", "the dtype", (lambda: np.zeros(8, "u1"), lambda: np.zeros(8, "i1"), lambda: np.zeros(8, "?"), lambda: np.zeros(8, "S1"),
                         lambda: np.zeros(8, "V1"), lambda: np.zeros(4, "e"), lambda: np.zeros(1), lambda: np.zeros(1, "i8"),
                         lambda: np.zeros(1, "M8[s]"), lambda: np.zeros(1, "M8[ms]"), lambda: np.zeros(1, "m8[s]"))),
    ("K5", "the byte order", (lambda: np.arange(3, dtype="<i4"), lambda: np.arange(3, dtype=">i4"), lambda: np.arange(3, dtype="<i4").byteswap())),
    ("K5", "a transposed array", (lambda: np.arange(6).reshape(2, 3), lambda: np.arange(6).reshape(2, 3).T, lambda: np.arange(6).reshape(3, 2))),
    ("K5", "the length of fixed strings", (lambda: np.array(["a"]), lambda: np.array(["a"], "U2"), lambda: np.array([b"a"]))),
    ("K5", "names and offsets of fields",
     (lambda: np.zeros(2, [("a", "i4"), ("b", "i4")]), lambda: np.zeros(2, [("a", "i4"), ("c", "i4")]),
      lambda: np.zeros(2, [("b", "i4"), ("a", "i4")]), lambda: np.zeros(2, [("a", "i4", (2,))]), lambda: np.zeros(2, "V8"))),
    ("K5", "a value in a field", (lambda: np.array([(1, 2.0)], "i4,f8"), lambda: np.array([(1, 3.0)], "i4,f8"))),
    ("K5", "the class of an array", (lambda: np.zeros(2), lambda: np.zeros(2).view(np.recarray), lambda: np.zeros(2).view(np.ma.MaskedArray))),
    ("K5", "what is masked", (lambda: np.ma.array([1, 2], mask=[0, 1]), lambda: np.ma.array([1, 2], mask=[1, 0]), lambda: np.ma.array([1, 2]))),
    ("K5", "anything in or about a frame",
     (frame, setting("i", 0, 9), setting("i", 2, 9), setting("f", 0, 0.25), setting("f", 1, 1.0), setting("s", 0, "b"),
      setting("s", 1, "b"), setting("s", 2, None), setting("c", 1, "x"), setting("n", 0, 5), setting("n", 1, 5), setting("n", 2, None),
      setting("t", 0, pd.Timestamp("2024-02-01", tz="Europe/Berlin")),
      changed(lambda t: t.set_axis([10, 20, 31])), changed(lambda t: t.rename_axis("other")), changed(lambda t: t.rename_axis(None)),
      changed(lambda t: t.rename(columns={"i": "j"})), changed(lambda t: t.rename_axis(columns="names")),
      changed(lambda t: t.astype({"i": "int32"})), changed(lambda t: t.astype({"i": "float64"})),
      changed(lambda t: t.assign(c=t.c.cat.add_categories(["z"]))), changed(lambda t: t.assign(c=t.c.cat.as_ordered())),
      changed(lambda t: t.assign(c=t.c.cat.reorder_categories(["y", "x"]))), changed(lambda t: t.assign(t=t.t.dt.tz_convert("UTC"))),
      changed(lambda t: t.assign(t=t.t.dt.tz_localize(None))), changed(lambda t: t.attrs.update(source="a")),
      changed(lambda t: t.set_flags(allows_duplicate_labels=False)), changed(lambda t: t[["f", "i", "s", "o", "c", "t", "n"]]),
      changed(lambda t: t[:2]), changed(lambda t: t.iloc[::-1]), changed(lambda t: t.reset_index()))),
    ("K5", "a series by its name", (lambda: pd.Series([1]), lambda: pd.Series([1], name="a"), lambda: pd.Series([1], name="b"), lambda: pd.Index([1]))),
    ("K5", "kinds of indexes", (lambda: pd.RangeIndex(2), lambda: pd.Index([0, 1]), lambda: pd.CategoricalIndex([0, 1]), lambda: pd.RangeIndex(0, 4, 2))),
    ("K5", "levels of an index", (lambda: pd.MultiIndex.from_tuples([(1, "a")]), lambda: pd.MultiIndex.from_tuples([(1, "b")]),
                                  lambda: pd.MultiIndex.from_tuples([(1, "a")], names=["x", "y"]))),
    ("K5", "kinds of intervals", (lambda: pd.Interval(0, 1), lambda: pd.Interval(0, 1, "left"), lambda: pd.Interval(0, 2))),
    ("K5", "units of time stamps", (lambda: pd.Timestamp(0), lambda: pd.Timestamp(0).as_unit("s"), lambda: pd.Timestamp(0, tz="UTC"))),
    ("K5", "anything in a Polars frame",
     (polars_frame, lambda: polars_frame(4), lambda: polars_frame(None), lambda: polars_frame(text="d"), lambda: polars_frame(i="j"),
      lambda: polars_frame().with_columns(pl.col("i").cast(pl.Int32)), lambda: polars_frame().with_columns(pl.col("c").cast(pl.String)),
      lambda: polars_frame().with_columns(pl.col("b").fill_null(False)), lambda: polars_frame().reverse(), lambda: polars_frame()[:39])),
    ("K5", "a Polars series", (lambda: pl.Series("a", [1]), lambda: pl.Series("b", [1]), lambda: pl.Series("a", [1], pl.Int8),
                               lambda: pl.Series("a", [[1]]), lambda: pl.Series("a", [None], pl.Int64))),
    ("K5", "a Polars type that has Object in its name",
     (lambda: pl.Series([{"ObjectId": 1}], dtype=pl.Struct({"ObjectId": pl.Int64})), lambda: pl.Series([{"ObjectId": 1}], dtype=pl.Struct({"ObjectId": pl.Int32})),
      lambda: pl.Series(["Object"], dtype=pl.Enum(["Object"])), lambda: pl.Series(["Object"], dtype=pl.Enum(["Object", "x"])), lambda: pl.Series(["Object"], dtype=pl.Object))),
    ("K5", "extension arrays that pandas does not know", (lambda: pd.Series(UnitArray([1.0], "m")), lambda: pd.Series(UnitArray([1.0], "s")), lambda: pd.Series(UnitArray([2.0], "m")),
                                                          lambda: UnitType("m"), lambda: UnitType("s"))),
    ("K5", "any cell of a long frame", cells(long_pandas)),
    ("K5", "any cell of a long Polars frame", cells(long_polars)),
    ("K5", "any cell of a long Arrow table", cells(long_arrow)),
    ("K5", "any column of a wide frame", (wide, *(functools.partial(wide, at) for at in (0, 1, 150, 255, 256, 298, 299)))),
    ("K5", "any column of a wide frame of two types", tuple(functools.partial(wide, at, True) for at in (None, 0, 1, 150, 255, 256, 298, 299))),
    ("K5", "any column of a wide Polars frame", tuple(functools.partial(lambda at: pl.DataFrame(wide(at).to_numpy()), at) for at in (None, 0, 150, 255, 256, 299))),
    ("K5", "any column of a wide Arrow table",
     tuple(functools.partial(lambda at: pa.Table.from_arrays([*wide(at).to_numpy().T], [f"c{n}" for n in range(300)]), at) for at in (None, 0, 150, 255, 256, 299))),
    ("K5", "any pixel of a large image", (picture, *(functools.partial(picture, *at) for at in ((0, 0), (500, 500), (999, 0), (0, 999), (999, 999))))),
    ("K5", "time zones of Polars columns", tuple(functools.partial(lambda zone: pl.Series([0], dtype=pl.Datetime("us", zone)), zone)
                                                 for zone in (None, "UTC", "Europe/Berlin", "Europe/Paris"))),
    ("K5", "units of Polars time stamps", tuple(functools.partial(lambda unit: pl.Series([None], dtype=pl.Datetime(unit, "UTC")), unit) for unit in ("ms", "us", "ns"))),
    ("K5", "time zones of Arrow columns", tuple(functools.partial(lambda zone: pa.array([0], pa.timestamp("us", zone)), zone)
                                                for zone in (None, "UTC", "Europe/Berlin", "Europe/Paris"))),
    ("K5", "time zones of indexes", tuple(functools.partial(lambda zone: pd.DatetimeIndex([0], tz=zone), zone) for zone in (None, "UTC", "Europe/Berlin", "Europe/Paris"))),
    ("K5", "attrs of a series", (lambda: pd.Series([1]), lambda: with_attribute(pd.Series([1]), attrs={"unit": "m"}),
                                 lambda: with_attribute(pd.Series([1]), attrs={"unit": "s"}), lambda: with_attribute(pd.Series([1]), attrs={"unit": ["m"]}))),
    ("K5", "what is masked", (lambda: np.ma.masked, lambda: np.ma.array([1, 2], mask=[0, 1]), lambda: np.ma.array([1, 2], mask=[1, 0]), lambda: np.array([1, 2]))),
    ("K5", "Polars categories", (lambda: pl.Series(["x"], dtype=pl.Enum(["x"])), lambda: pl.Series(["x"], dtype=pl.Enum(["x", "y"])))),
    ("K5", "Arrow tables", (lambda: pa.table({"a": [1]}), lambda: pa.table({"b": [1]}), lambda: pa.table({"a": [2]}),
                            lambda: pa.table({"a": [1]}).replace_schema_metadata({"k": "v"}), lambda: pa.table({"a": [None]}),
                            lambda: pa.table({"a": pa.array([1], pa.int8())}), lambda: pa.record_batch({"a": [1]}))),
    ("K5", "Arrow arrays", (lambda: pa.array(["a", None]), lambda: pa.array(["a", ""]), lambda: pa.array([None, "a"]),
                            lambda: pa.array(["a", None], pa.large_string()), lambda: pa.array([b"a", None]), lambda: pa.array([["a"], None]))),
    ("K5", "Arrow dictionaries", (lambda: pa.DictionaryArray.from_arrays([0], ["a", "b"]), lambda: pa.DictionaryArray.from_arrays([1], ["a", "b"]),
                                  lambda: pa.DictionaryArray.from_arrays([0], ["a", "c"]), lambda: pa.array(["a"]))),
    ("K5", "an image's size", (lambda: Image.new("L", (2, 8)), lambda: Image.new("L", (8, 2)), lambda: Image.new("L", (4, 4)))),
    ("K5", "an image's mode", (lambda: Image.new("L", (2, 2)), lambda: Image.new("P", (2, 2)), lambda: Image.new("RGB", (2, 2)))),
    ("K5", "an image's palette", (lambda: palette(6), lambda: palette(7))),
    ("K5", "an image's pixels", (lambda: Image.new("RGB", (2, 2)), lambda: Image.new("RGB", (2, 2), (0, 0, 1)))),
    ("K5", "an image's later frames", (lambda: animation(100), lambda: animation(200))),
    ("K6", "objects in an array", (lambda: np.array([1, "a"], object), lambda: np.array([1, "b"], object), lambda: np.array([1.0, "a"], object))),
    ("K6", "objects in a column", (lambda: pd.Series([(1,)], dtype=object), lambda: pd.Series([(2,)], dtype=object), lambda: pd.Series([[1]], dtype=object))),
    ("K6", "objects in a field", (lambda: np.array([(1, "a")], "i4,O"), lambda: np.array([(1, "b")], "i4,O"))),
    ("K6", "objects in a Polars column", (lambda: pl.Series([{1}], dtype=pl.Object), lambda: pl.Series([{2}], dtype=pl.Object))),
    ("K5", "sparse matrices", (lambda: sparse.csr_array(np.eye(3)), lambda: sparse.csr_array(2 * np.eye(3)), lambda: sparse.csr_array(np.eye(3)[::-1]),
                               lambda: sparse.csr_matrix(np.eye(3)))),
    ("K5", "hard masks and soft ones", (lambda: np.ma.array([1, 2]), lambda: np.ma.array([1, 2], hard_mask=True), lambda: np.ma.array([1, 2], fill_value=7))),
    ("K5", "what is noted on a dtype", (lambda: noted(a=1), lambda: noted(a=2), lambda: np.dtype("i4"), lambda: np.dtype([("x", noted(a=1))]), lambda: np.dtype([("x", noted(a=2))]))),
    ("K5", "what is noted on an array's dtype", (lambda: np.zeros(1, noted(a=1)), lambda: np.zeros(1, noted(a=2)), lambda: np.zeros(1, "i4"))),
    ("K2", "ways to refer to one object", tuple(functools.partial(lambda refer: refer(REFERRED), refer) for refer in (
        weakref.ref, weakref.proxy, lambda it: it, lambda it: weakref.WeakMethod(it.method), lambda it: held(it.method)))),
    ("K2", "ways to show bytes", (lambda: memoryview(b"a"), lambda: pickle.PickleBuffer(b"a"), lambda: b"a", lambda: bytearray(b"a"))),
    ("K10", "cycles of other lengths", tuple(functools.partial(lambda n: cycle(n), n) for n in (1, 2, 3))),
    ("K14", "content in memory", (lambda: io.BytesIO(b"a"), lambda: io.BytesIO(b"b"), lambda: io.StringIO("a"), lambda: b"a")),
    ("K14", "content behind layers", (lambda: io.BufferedReader(io.BytesIO(b"a")), lambda: io.BufferedReader(io.BytesIO(b"b")), lambda: io.TextIOWrapper(io.BytesIO(b"a")),
                                      lambda: io.TextIOWrapper(io.BytesIO(b"b")), lambda: (f := io.BufferedReader(io.BytesIO(b"a")), f.read(1))[0])),
    ("K14", "position in memory", (lambda: io.BytesIO(b"ab"), lambda: (f := io.BytesIO(b"ab"), f.seek(1))[0])),
]  # fmt: skip


def cycle(length: int) -> list[Any]:
    first: list[Any] = []
    last = first
    for _ in range(length - 1):
        last.append([])
        last = last[0]
    last.append(first)
    return first


def renamed(value: Any) -> Any:
    """The value with other objects in the place of equal strings."""
    return {bytes(key, "utf-8").decode(): value for key, value in value.items()}


#: Values of one line all have one key.
EQUAL: list[Line] = [
    ("K2", "a NaN and itself", (lambda: nan(5), lambda: nan(5))),
    ("K2", "a NaN in a list", (lambda: [math.nan], lambda: [float("nan")])),
    ("K4", "the order of a dict", (lambda: {"a": 1, "b": 2, 3: 4}, lambda: {3: 4, "b": 2, "a": 1})),
    ("K4", "the order of a dict of strings", (lambda: {"a": 1, "b": [2]}, lambda: renamed({"b": [2], "a": 1}))),
    ("K4", "the order of a large dict", (lambda: {str(n): n for n in range(5000)}, lambda: {str(n): n for n in reversed(range(5000))})),
    ("K4", "a dict that shrank", (lambda: {"a": 1}, lambda: (d := {"x": 0, "a": 1}, d.pop("x"))[0])),
    ("K4", "the order of a set", (lambda: {8, 16, 0}, lambda: {0, 8, 16}, lambda: (s := {32, 0, 8, 16}, s.discard(32))[0])),
    ("K4", "the order of a frozenset", (lambda: frozenset({"a", "b", (1,)}), lambda: frozenset({(1,), "b", "a"}))),
    ("K4", "the order of keys", (lambda: {1: 0, 2: 0}.keys(), lambda: {2: 0, 1: 0}.keys())),
    ("K4", "sets in dicts in sets", (lambda: {"a": {frozenset({1, 2}), 3}}, lambda: {"a": {3, frozenset({2, 1})}})),
    ("K4", "the order of counts", (lambda: collections.Counter("ab"), lambda: collections.Counter("ba"))),
    ("K4", "the order of attributes", (lambda: Plain(a=1, b=2), lambda: Plain(b=2, a=1))),
    ("K5", "how an array lies in memory",
     (lambda: np.arange(60_000.0).reshape(200, 300), lambda: np.asfortranarray(np.arange(60_000.0).reshape(200, 300)),
      lambda: np.arange(120_000.0).reshape(200, 600)[:, ::2] / 2, lambda: np.arange(120_000.0).reshape(200, 300, 2)[:, :, 0] / 2,
      lambda: np.arange(60_000.0)[::-1].reshape(200, 300)[::-1, ::-1])),
    ("K5", "the name of a numeric type", (lambda: np.arange(3, dtype="q"), lambda: np.arange(3, dtype="i8"), lambda: np.arange(3, dtype="l"))),
    ("K5", "padding between fields",
     (lambda: np.frombuffer(b"\1\0\0\0\2\0\0\0", np.dtype("i1,i4", align=True)), lambda: np.frombuffer(b"\1\7\7\7\2\0\0\0", np.dtype("i1,i4", align=True)))),
    ("K5", "padding of a long double", (lambda: np.longdouble("0.1"), lambda: np.array([np.longdouble("0.1"), 7])[0])),
    ("K5", "a read-only array on bytes", (lambda: np.frombuffer(bytes(100_000), "u1"), lambda: np.zeros(100_000, "u1"))),
    ("K5", "how a frame is put together", (frame, lambda: frame().copy(), lambda: pd.concat([frame()[["i", "f"]], frame().drop(columns=["i", "f"])], axis=1))),
    ("K5", "the blocks of a frame",
     (lambda: pd.DataFrame(np.arange(90_000.0).reshape(-1, 3)), lambda: pd.DataFrame({n: np.arange(90_000.0)[n::3].copy() for n in range(3)}).rename(columns=int).set_axis(pd.RangeIndex(3), axis=1))),
    ("K5", "levels that do not occur",
     (lambda: pd.Series([2], pd.MultiIndex.from_product([["a", "b"], [1]]).drop("a")), lambda: pd.Series([2], pd.MultiIndex.from_tuples([("b", 1)])))),
    ("K5", "what lies under a mask", (lambda: pd.Series(pd.arrays.IntegerArray(np.array([1, 7]), np.array([False, True]))), lambda: pd.Series([1, None], dtype="Int64"))),
    ("K5", "where chunks end", (lambda: chunked(6), lambda: chunked(1, 2, 3), lambda: chunked(0, 5, 1), lambda: pa.chunked_array([chunked(2, 4).combine_chunks()]))),
    ("K5", "where in its memory an array begins", (lambda: pa.array([True, None, False]), lambda: pa.array([None] * 9 + [True, None, False]).slice(9))),
    ("K5", "chunks of a Polars frame", (polars_frame, lambda: pl.concat([polars_frame()[:7], polars_frame()[7:]], rechunk=False), lambda: polars_frame().clone())),
    ("K5", "categories of other Polars columns", (lambda: pl.Series(["z", "x"], dtype=pl.Categorical), lambda: pl.Series(["q", "x", "z", "x"], dtype=pl.Categorical)[2:])),
    ("K5", "a copied image with colours of its mode", (lambda: Image.new("P", (2, 2)), lambda: Image.new("P", (2, 2)).copy(), lambda: pickle.loads(pickle.dumps(Image.new("P", (2, 2)))))),
    ("K5", "a copied image", (lambda: palette(6), lambda: palette(6).copy())),
    ("K5", "an animation", (lambda: animation(9), lambda: animation(9))),
    ("K6", "equal objects at other addresses", (lambda: np.array([f"{n}x" for n in range(9)], object), lambda: np.array([f"{n}x" for n in range(9)], object))),
    ("K6", "equal strings at other addresses", (lambda: pd.Series([f"{n}x" for n in range(9)], dtype=object), lambda: pd.Series([f"{n}x" for n in range(9)], dtype=object))),
    *(("K5", f"a sparse matrix that was used: {kind.__name__}",
       (functools.partial(kind, np.eye(3)), functools.partial(lambda kind: (it := kind(np.eye(3)), it.has_canonical_format, it @ it)[0], kind)))
      for kind in (sparse.csr_matrix, sparse.csc_array, sparse.bsr_array, sparse.coo_array)),
    ("K2", "ranges of the same numbers", (lambda: range(0, 3, 2), lambda: range(0, 4, 2), lambda: range(0, 3, 2)[:])),
    ("K2", "ranges of one number, and of none", (lambda: range(1), lambda: range(0, 5, 9)[:1])),
    ("K2", "empty ranges", (lambda: range(0), lambda: range(5, 1), lambda: range(1, 5, -1))),
    ("K2", "long ranges", (lambda: range(0, 2**70, 2**69), lambda: range(0, 2**69 + 1, 2**69))),
    ("K5", "range indexes of the same numbers", (lambda: pd.RangeIndex(0, 3, 2), lambda: pd.RangeIndex(0, 4, 2))),
    ("K5", "no mask and one that hides nothing", (lambda: np.ma.array([1, 2]), lambda: np.ma.array([1, 2], mask=False), lambda: np.ma.array([1, 2], mask=[0, 0]))),
    ("K2", "Windows paths in other cases", (lambda: pathlib.PureWindowsPath("C:/Data"), lambda: pathlib.PureWindowsPath("c:/dATA"))),
    ("K10", "equal cycles", (lambda: cycle(3), lambda: cycle(3))),
    ("K14", "equal files in memory", (lambda: io.BytesIO(b"ab"), lambda: io.BytesIO(b"ab"))),
]  # fmt: skip
