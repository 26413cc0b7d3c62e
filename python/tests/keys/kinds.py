"""Every type that has a key, as a way to make values of it: equal parameters make equal values, and no others do.

A *spec* is the name of a kind with its parameters, as plain tuples. What a spec makes is told from what another makes
exactly if the specs differ, so a generator of specs is a generator of values that knows which are equal. The parameters
of one kind are of one type each, since Python compares `1` and `True` as equal.
"""

# ruff: noqa: E501
from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import io
import math
import operator
import pathlib
import re
import types
import uuid
import weakref
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
from hypothesis import strategies as st
from PIL import Image

Spec = tuple[str, tuple[Any, ...]]
Parameters = st.SearchStrategy[tuple[Any, ...]]


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: Any
    y: int


@dataclass
class Box:
    content: Any
    label: str


@dataclass(slots=True, frozen=True)
class Slotted:
    content: Any
    label: str


@attrs.define
class Defined:
    content: Any
    label: str


@attrs.define(slots=False)
class Open:
    content: Any
    label: str


class Model(pydantic.BaseModel):
    content: Any
    label: str
    _private: int = pydantic.PrivateAttr(default=0)


class Plain:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def method(self) -> Any:
        return self

    def other(self) -> None: ...


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)


class Words(list):
    pass


class Table(dict):
    pass


class Name(str):
    pass


def attributed(value: Any, **attributes: Any) -> Any:
    for name, attribute in attributes.items():
        setattr(value, name, attribute)
    return value


def closing(value: Any) -> Callable[[], Any]:
    return lambda: value


def defaulting(value: Any) -> Callable[..., Any]:
    return lambda it=value: it


def key_defaulting(value: Any) -> Callable[..., Any]:
    return lambda *, it=value: it


def with_constant(number: int) -> Callable[[], Any]:
    made: Callable[[], Any] = eval(f"lambda: {number}", {"__name__": "made"})
    return made


KEPT = [Plain(n=0), Plain(n=1)]


def memory_file(content: bytes, position: int) -> io.BytesIO:
    file = io.BytesIO(content)
    file.seek(position)
    return file


def strided(numbers: tuple[int, ...], dtype: str, step: int) -> np.ndarray:
    """The same array whatever the step is, which says how it lies in memory."""
    room = np.zeros(len(numbers) * step, dtype)
    room[::step] = numbers
    return room[::step]


def objects(items: list[Any]) -> np.ndarray:
    made = np.empty(len(items), object)
    made[:] = items
    return made


def image(mode: str, shades: tuple[int, ...]) -> Image.Image:
    made = Image.new(mode, (len(shades), 1))
    for at, shade in enumerate(shades):
        made.putpixel((at, 0), shade if mode in ("L", "P") else (shade, 0, 0))
    return made


small = st.integers(0, 2)
words = st.sampled_from(["", "a", "b", "é", "日"])
letters = st.sampled_from(["a", "b"])
some = st.lists(small, max_size=3).map(tuple)
more = st.lists(small, min_size=1, max_size=4).map(tuple)
# No time that a change of clocks makes ambiguous.
moments = st.builds(
    dt.datetime, st.sampled_from([1999, 2024]), st.sampled_from([1, 10]), st.sampled_from([1, 20]), small
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo"])
numeric = st.sampled_from(["<i4", ">i4", "<i8", "<u2", "<f4", ">f8", "<f8", "<c16"])
inner = st.deferred(lambda: SPECS)
pairs = st.dictionaries(letters, inner, max_size=2).map(lambda made: tuple(sorted(made.items())))
columns = st.lists(st.tuples(small, words), min_size=1, max_size=4).map(tuple)


def build(spec: Spec) -> Any:
    """The value that a spec stands for."""
    kind, parameters = spec
    return KINDS[kind][1](*parameters)


def every(specs: tuple[Spec, ...]) -> list[Any]:
    return [build(spec) for spec in specs]


def mapped(items: tuple[tuple[str, Spec], ...]) -> dict[str, Any]:
    return {name: build(spec) for name, spec in items}


def _frame(rows: tuple[tuple[int, str], ...], name: str, label: str) -> pd.DataFrame:
    made = pd.DataFrame({"n": [row[0] for row in rows], name: [row[1] for row in rows]})
    made.attrs["label"] = label
    return made


SCALARS: dict[str, tuple[Parameters, Callable[..., Any]]] = {
    "None": (st.just(()), lambda: None),
    "Ellipsis": (st.just(()), lambda: ...),
    "bool": (st.tuples(st.booleans()), bool),
    "int": (st.tuples(st.sampled_from([-129, -1, 0, 1, 127, 2**31, 2**63, -(2**63) - 1, 2**100])), int),
    "float": (st.tuples(st.sampled_from([-1.0, -1e-300, 1.0, 1e300, math.inf])), float),
    "zero": (st.tuples(st.sampled_from(["0.0", "-0.0", "nan"])), float),
    "complex": (st.tuples(small, small), complex),
    "str": (st.tuples(st.text(st.sampled_from("ab\0é日😀\ud800"), max_size=3)), str),
    "long str": (st.tuples(letters, st.sampled_from([239, 240, 241, 5000, 70_000])), operator.mul),
    "bytes": (st.tuples(st.binary(max_size=3)), bytes),
    "bytearray": (st.tuples(st.binary(max_size=3)), bytearray),
    "memoryview": (
        st.tuples(st.binary(min_size=8, max_size=8), st.sampled_from("BbHq")),
        lambda it, form: memoryview(it).cast(form) if form != "B" else memoryview(it),
    ),
    "array.array": (st.tuples(st.sampled_from("bhiIqd"), some), array.array),
    # Those of fewer numbers can be equal though their bounds differ.
    "range": (
        st.tuples(small, st.integers(2, 3), st.integers(1, 2)),
        lambda start, count, step: range(start, start + count * step, step),
    ),
    "Decimal": (st.tuples(st.sampled_from(["0", "-0", "1", "1.0", "NaN", "sNaN", "Infinity"])), decimal.Decimal),
    "Fraction": (
        st.tuples(st.integers(-2, 2), st.sampled_from([7, 11])).filter(lambda it: it[0] != 0),
        fractions.Fraction,
    ),
    "UUID": (st.tuples(small), lambda n: uuid.UUID(int=n)),
    "PurePosixPath": (st.tuples(letters), pathlib.PurePosixPath),
    "PureWindowsPath": (st.tuples(letters), pathlib.PureWindowsPath),
    "Pattern": (st.tuples(letters, st.sampled_from([0, re.I, re.M])), lambda text, flags: re.compile(text, flags)),
    "date": (st.tuples(st.sampled_from([1999, 2024]), st.sampled_from([1, 10]), st.sampled_from([1, 20])), dt.date),
    "time": (st.tuples(small, st.integers(0, 1)), lambda hour, fold: dt.time(hour, fold=fold)),
    "timedelta": (st.tuples(small, small, small), dt.timedelta),
    "datetime": (st.tuples(moments, st.integers(0, 1)), lambda it, fold: it.replace(fold=fold)),
    "datetime with a zone": (st.tuples(moments, zones), lambda it, zone: it.replace(tzinfo=zoneinfo.ZoneInfo(zone))),
    "timezone": (
        st.tuples(small, st.sampled_from(["x", "y"])),
        lambda hours, name: dt.timezone(dt.timedelta(hours=hours), name),
    ),
    "ZoneInfo": (st.tuples(zones), zoneinfo.ZoneInfo),
    "Enum": (st.tuples(st.sampled_from(["RED", "BLUE"])), Colour.__getitem__),
    "IntEnum": (st.tuples(st.sampled_from(["LOW", "HIGH"])), Level.__getitem__),
    "Flag": (st.tuples(st.integers(0, 3)), Mode),
    "class": (st.tuples(st.sampled_from(["Plain", "Slots", "Model", "Box", "Colour"])), lambda name: globals()[name]),
    "class made at run time": (
        st.tuples(small, letters),
        lambda n, name: type("Made", (), {name: n, "__module__": "made"}),
    ),
    "type with parameters": (
        st.tuples(st.sampled_from(["int", "str"])),
        lambda name: list[getattr(__import__("builtins"), name)],
    ),  # type: ignore[misc]
    "module": (st.tuples(st.sampled_from(["math", "operator", "re"])), __import__),
    "built-in function": (
        st.tuples(st.sampled_from(["len", "max", "min"])),
        lambda name: getattr(__import__("builtins"), name),
    ),
    "function of a module": (st.tuples(st.sampled_from(["pow", "sqrt"])), lambda name: getattr(math, name)),
    "method of a class": (
        st.tuples(st.sampled_from(["upper", "lower"]), st.booleans()),
        lambda name, text: getattr(str if text else bytes, name),
    ),
    "function": (st.tuples(small), with_constant),
    "itemgetter": (st.tuples(more), lambda items: operator.itemgetter(*items)),
    "weak reference": (st.tuples(st.integers(0, 1)), lambda n: weakref.ref(KEPT[n])),
    "BytesIO": (st.tuples(st.binary(max_size=2), small), memory_file),
    "StringIO": (st.tuples(letters), io.StringIO),
    "str subclass": (st.tuples(words, small), lambda text, n: attributed(Name(text), n=n)),
    "numpy scalar": (
        st.tuples(st.sampled_from(["i4", "i8", "u2", "f4", "f8", "c16"]), small),
        lambda dtype, n: np.dtype(dtype).type(n),
    ),
    "numpy str": (st.tuples(words), np.str_),
    "datetime64": (st.tuples(small, st.sampled_from(["s", "D", "25s"])), np.datetime64),
    "dtype": (st.tuples(st.sampled_from(["<i4", ">i4", "i4,i4", "U3", "S3", "M8[s]", "M8[D]", "O"])), np.dtype),
    "array": (st.tuples(some, numeric), np.array),
    "array of two dimensions": (
        st.tuples(st.lists(small, min_size=6, max_size=6).map(tuple), st.sampled_from([(2, 3), (3, 2), (6, 1)])),
        lambda numbers, shape: np.array(numbers).reshape(shape),
    ),
    "array of texts": (
        st.tuples(st.lists(letters, min_size=1, max_size=3).map(tuple), st.sampled_from(["<U1", "<U2", "S1", ">U1"])),
        np.array,
    ),
    "array of times": (st.tuples(some, st.sampled_from(["M8[s]", "M8[ms]", "m8[s]"])), np.array),
    "structured array": (
        st.tuples(
            st.lists(st.tuples(small, small), max_size=3).map(tuple), st.sampled_from(["i4,i8", "i4,f8", "i4,>f8"])
        ),
        lambda rows, dtype: np.array(list(rows), dtype),
    ),
    "masked array": (
        st.tuples(st.tuples(small, small), st.tuples(st.booleans(), st.booleans())),
        lambda numbers, mask: np.ma.array(numbers, mask=mask, fill_value=9),
    ),
    "Timestamp": (
        st.tuples(moments, zones, st.sampled_from(["s", "ms"])),
        lambda it, zone, unit: pd.Timestamp(it, tz=zone).as_unit(unit),
    ),
    "Timedelta": (st.tuples(small), lambda n: pd.Timedelta(n, "s")),
    "Period": (
        st.tuples(st.integers(2000, 2001), st.sampled_from(["D", "M", "Y"])),
        lambda year, freq: pd.Period(year=year, month=1, day=1, freq=freq),
    ),
    "Interval": (st.tuples(small, st.sampled_from(["left", "right"])), lambda n, closed: pd.Interval(n, n + 1, closed)),
    "Series": (
        st.tuples(
            some,
            st.sampled_from(["int64", "Int64", "float64", "category", "string", "double[pyarrow]"]),
            st.sampled_from(["x", "y"]),
        ),
        lambda n, dtype, name: pd.Series([str(it) for it in n] if dtype == "string" else n, dtype=dtype, name=name),
    ),
    "Series of times": (
        st.tuples(more, zones),
        lambda n, zone: pd.Series(pd.to_datetime(list(n), unit="s", utc=True).tz_convert(zone)),
    ),
    "Categorical": (
        st.tuples(st.lists(letters, max_size=3).map(tuple), st.permutations(["a", "b", "c"]).map(tuple), st.booleans()),
        pd.Categorical,
    ),
    "Index": (st.tuples(more, st.sampled_from(["x", "y"])), lambda n, name: pd.Index(list(n), name=name)),
    "RangeIndex": (st.tuples(small, st.integers(3, 4)), pd.RangeIndex),
    "MultiIndex": (
        st.tuples(st.lists(st.tuples(small, letters), min_size=1, max_size=3).map(tuple), letters),
        lambda rows, name: pd.MultiIndex.from_tuples(rows, names=[name, "z"]),
    ),
    "DataFrame": (st.tuples(columns, st.sampled_from(["s", "t"]), letters), _frame),
    "sparse": (st.tuples(more, st.integers(0, 1)), lambda n, fill: pd.arrays.SparseArray(list(n), fill_value=fill)),
    "Polars Series": (
        st.tuples(some, st.sampled_from(["Int8", "Int64", "UInt8", "Float32", "Date", "Time"]), letters),
        lambda n, dtype, name: pl.Series(name, n, dtype=pl.Int64).cast(getattr(pl, dtype)),
    ),
    "Polars texts": (
        st.tuples(
            st.lists(letters, min_size=1, max_size=3).map(tuple), st.sampled_from(["String", "Categorical", "Binary"])
        ),
        lambda texts, dtype: pl.Series(texts).cast(getattr(pl, dtype)),
    ),
    "Polars Enum": (
        st.tuples(letters, st.permutations(["a", "b"]).map(tuple)),
        lambda text, names: pl.Series([text], dtype=pl.Enum(names)),
    ),
    "Polars lists": (
        st.tuples(st.lists(st.one_of(st.none(), some), min_size=1, max_size=3).map(tuple)),
        lambda rows: pl.Series([None if row is None else list(row) for row in rows], dtype=pl.List(pl.Int64)),
    ),
    "Polars Struct": (
        st.tuples(st.lists(st.tuples(small, letters), min_size=1, max_size=3).map(tuple), letters),
        lambda rows, name: pl.Series([{"n": n, f"{name}ObjectId": text} for n, text in rows]),
    ),
    "Polars Decimal": (
        st.tuples(small, st.sampled_from([1, 2])),
        lambda n, scale: pl.Series([n], dtype=pl.Decimal(10, scale)),
    ),
    "Polars DataFrame": (
        st.tuples(columns, st.sampled_from(["s", "t"])),
        lambda rows, name: pl.DataFrame({"n": [row[0] for row in rows], name: [row[1] for row in rows]}),
    ),
    "Polars expression": (st.tuples(letters, small), lambda name, n: pl.col(name) + n),
    "LazyFrame": (st.tuples(more, small), lambda n, least: pl.LazyFrame({"n": n}).filter(pl.col("n") > least)),
    "Arrow array": (
        st.tuples(
            st.lists(st.one_of(st.none(), small), max_size=9).map(tuple),
            st.sampled_from(["int8", "int64", "float32", "date32"]),
        ),
        lambda n, kind: pa.array(n, pa.int32()).cast(getattr(pa, kind)()),
    ),
    "Arrow texts": (
        st.tuples(
            st.lists(st.one_of(st.none(), words, st.just("long" * 5)), max_size=5).map(tuple),
            st.sampled_from(["string", "large_string", "string_view", "binary"]),
        ),
        lambda texts, kind: pa.array(texts, pa.string()).cast(getattr(pa, kind)()),
    ),
    "Arrow lists": (
        st.tuples(
            st.lists(st.one_of(st.none(), some), max_size=3).map(tuple),
            st.sampled_from(["list_", "large_list", "list_view"]),
        ),
        lambda rows, kind: pa.array(rows, getattr(pa, kind)(pa.int64())),
    ),
    "Arrow dictionary": (
        st.tuples(st.lists(st.one_of(st.none(), letters), max_size=4).map(tuple)),
        lambda texts: pa.array(texts, pa.string()).dictionary_encode(),
    ),
    "Arrow table": (
        st.tuples(columns, letters, letters),
        lambda rows, name, meta: pa.table(
            {"n": [row[0] for row in rows], name: [row[1] for row in rows]}
        ).replace_schema_metadata({"m": meta}),
    ),
    "Arrow type": (
        st.tuples(st.sampled_from(["int8", "string", "large_string", "float64"])),
        lambda name: getattr(pa, name)(),
    ),
    "Arrow scalar": (st.tuples(small), pa.scalar),
    "image": (st.tuples(st.sampled_from(["L", "P", "RGB"]), more), image),
}

HOLDERS: dict[str, tuple[Parameters, Callable[..., Any]]] = {
    "list": (st.tuples(st.lists(inner, max_size=3).map(tuple)), every),
    "tuple": (st.tuples(st.lists(inner, max_size=3).map(tuple)), lambda specs: tuple(every(specs))),
    "dict": (st.tuples(pairs), mapped),
    "dict of ints": (
        st.tuples(st.dictionaries(small, inner, min_size=1, max_size=2).map(lambda it: tuple(sorted(it.items())))),
        lambda items: {n: build(spec) for n, spec in items},
    ),
    "set": (st.tuples(st.frozensets(small, max_size=3)), set),
    "frozenset": (st.tuples(st.frozensets(words, max_size=3)), frozenset),
    "deque": (
        st.tuples(st.lists(inner, max_size=2).map(tuple), st.sampled_from([5, 6])),
        lambda specs, length: collections.deque(every(specs), length),
    ),
    "OrderedDict": (
        st.tuples(st.permutations(["a", "b"]).map(tuple), inner),
        lambda names, spec: collections.OrderedDict((name, build(spec)) for name in names),
    ),
    "Counter": (
        st.tuples(st.dictionaries(letters, small).map(lambda it: tuple(sorted(it.items())))),
        lambda items: collections.Counter(dict(items)),
    ),
    "defaultdict": (
        st.tuples(st.sampled_from(["int", "list"]), pairs),
        lambda name, items: collections.defaultdict(getattr(__import__("builtins"), name), mapped(items)),
    ),
    "ChainMap": (st.tuples(pairs, pairs), lambda one, two: collections.ChainMap(mapped(one), mapped(two))),
    "UserDict": (st.tuples(pairs), lambda items: collections.UserDict(mapped(items))),
    "mapping proxy": (st.tuples(pairs), lambda items: types.MappingProxyType(mapped(items))),
    "view of values": (st.tuples(inner), lambda spec: {"a": build(spec)}.values()),
    "slice": (st.tuples(small, inner), lambda n, spec: slice(n, build(spec))),
    "namespace": (st.tuples(pairs), lambda items: types.SimpleNamespace(**mapped(items))),
    "named tuple": (st.tuples(inner, small), lambda spec, n: Point(build(spec), n)),
    **{
        kind.__name__: (
            st.tuples(inner, words),
            functools.partial(lambda kind, spec, label: kind(content=build(spec), label=label), kind),
        )
        for kind in (Box, Slotted, Defined, Open)
    },
    "pydantic model": (
        st.tuples(inner, words, small),
        lambda spec, label, private: attributed(Model(content=build(spec), label=label), _private=private),
    ),
    "instance": (st.tuples(pairs), lambda items: Plain(**mapped(items))),
    "instance with slots": (st.tuples(pairs), lambda items: Slots(**mapped(items))),
    "list subclass": (
        st.tuples(st.lists(inner, max_size=2).map(tuple), small),
        lambda specs, n: attributed(Words(every(specs)), n=n),
    ),
    "dict subclass": (st.tuples(pairs, small), lambda items, n: attributed(Table(mapped(items)), n=n)),
    "exception": (st.tuples(inner), lambda spec: ValueError(build(spec))),
    "closure": (st.tuples(inner), lambda spec: closing(build(spec))),
    "default": (st.tuples(inner), lambda spec: defaulting(build(spec))),
    "keyword default": (st.tuples(inner), lambda spec: key_defaulting(build(spec))),
    "partial": (st.tuples(inner, pairs), lambda spec, items: functools.partial(max, build(spec), **mapped(items))),
    "bound method": (
        st.tuples(inner, st.booleans()),
        lambda spec, one: (lambda it: it.method if one else it.other)(Plain(it=build(spec))),
    ),
    "bound built-in method": (
        st.tuples(inner, st.booleans()),
        lambda spec, one: (lambda it: it.append if one else it.extend)([build(spec)]),
    ),
    "object array": (
        st.tuples(st.lists(inner, min_size=1, max_size=3).map(tuple)),
        lambda specs: objects(every(specs)),
    ),
    "object column": (
        st.tuples(inner),
        lambda spec: pd.DataFrame({"a": pd.Series(objects([build(spec)]), dtype=object)}),
    ),
}

KINDS = SCALARS | HOLDERS


def of(kind: str) -> st.SearchStrategy[Spec]:
    """Specs of one kind."""
    return KINDS[kind][0].map(lambda parameters: (kind, parameters))


_scalars = st.sampled_from(list(SCALARS)).flatmap(of)
SPECS: st.SearchStrategy[Spec] = st.one_of(_scalars, _scalars, st.sampled_from(list(HOLDERS)).flatmap(of))
