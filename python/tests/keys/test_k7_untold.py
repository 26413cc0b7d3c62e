"""K7: the fields that a class adds to one that says what its instances are pickled as count beside that."""

from __future__ import annotations

import copyreg
import functools
import http.cookies
import io
import ipaddress
import logging
import pathlib
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import sqlalchemy
import werkzeug.datastructures

import tenure


@tenure.cache_resource
def connect(user: Any) -> object:
    return object()


Make = Callable[[str], Any]


class Client:
    """Names what is kept of it, and leaves out a cache and a lock of its own."""

    kept = ("url",)

    def __init__(self) -> None:
        self.url = "db"
        self.cache: dict[str, str] = {}
        self.lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.kept}

    def look(self, name: str) -> str:
        return self.cache.setdefault(name, name)


class Api(Client):
    def __init__(self, tenant: Any) -> None:
        super().__init__()
        self.tenant = tenant


class Mixin:
    tenant: str


class Mixed(Mixin, Client):
    pass


class SlottedHost(ipaddress.IPv4Address):
    __slots__ = ("tenant",)

    tenant: str


class Host(ipaddress.IPv4Address):
    tenant: str


class Upload(io.BytesIO):
    tenant: str


class Note(io.StringIO):
    tenant: str


class Picture(PIL.Image.Image):
    tenant: str


class SlottedSeries(pd.Series):
    __slots__ = ("tenant",)

    tenant: str


class Index(pd.Index):
    tenant: str


class Delta(pd.Timedelta):
    tenant: str


class Month(pd.Period):
    tenant: str


class Multi(werkzeug.datastructures.MultiDict):  # type: ignore[type-arg]
    tenant: str


class FixedMulti(werkzeug.datastructures.ImmutableMultiDict):  # type: ignore[type-arg]
    tenant: str


class FixedList(werkzeug.datastructures.ImmutableList):  # type: ignore[type-arg]
    tenant: str


class FixedDict(werkzeug.datastructures.ImmutableDict):  # type: ignore[type-arg]
    tenant: str


class Crumb(http.cookies.Morsel):  # type: ignore[type-arg]
    tenant: str


class Chance(random.Random):
    tenant: str


class Schema(sqlalchemy.MetaData):
    tenant: str


class Folder(pathlib.PurePosixPath):
    tenant: str


class Registered:
    def __init__(self) -> None:
        self.url = "db"


copyreg.pickle(Registered, lambda it: (Registered, (), {"url": it.url}))


class EmptyDict(dict[str, str]):
    def __reduce__(self) -> Any:
        return EmptyDict, ()


class EmptyList(list[str]):
    def __reduce__(self) -> Any:
        return EmptyList, ()


class EmptySet(set[str]):
    def __reduce__(self) -> Any:
        return EmptySet, ()


class EmptyText(str):
    def __reduce__(self) -> Any:
        return EmptyText, ()


class EmptyPart(functools.partial):  # type: ignore[type-arg]
    def __reduce__(self) -> Any:
        return EmptyPart, (print,)


class EmptyArray(np.ndarray):
    def __reduce__(self) -> Any:
        return EmptyArray, ((1,),)


def given(make: Callable[[], Any]) -> Make:
    def made(tenant: str) -> Any:
        it = make()
        it.tenant = tenant
        return it

    return made


def index() -> Index:
    return Index._simple_new(pd.Index(["a"])._values, name=None)


def chance() -> Chance:
    it = Chance()
    it.seed(1)
    return it


FIELDS: dict[str, Make] = {
    "a class below one with __getstate__": Api,
    "by hand": given(Client),
    "a class beside it": given(Mixed),
    "a registered class": given(Registered),
    "ipaddress": given(lambda: Host("10.0.0.1")),
    "ipaddress, a slot": given(lambda: SlottedHost("10.0.0.1")),
    "BytesIO": given(lambda: Upload(b"x")),
    "StringIO": given(lambda: Note("x")),
    "PIL": given(Picture),
    "pandas.Index": given(index),
    "pandas.Series, a slot": given(lambda: SlottedSeries([1])),
    "pandas.Timedelta": given(lambda: Delta.__new__(Delta, "1D")),
    "pandas.Period": given(lambda: Month.__new__(Month, "2020-01")),
    "MultiDict": given(Multi),
    "ImmutableMultiDict": given(FixedMulti),
    "ImmutableList": given(FixedList),
    "ImmutableDict": given(FixedDict),
    "Morsel": given(Crumb),
    "Random": given(chance),
    "MetaData": given(Schema),
    "a path": given(lambda: Folder("a")),
    "members of a dict": lambda tenant: EmptyDict(tenant=tenant),
    "members of a list": lambda tenant: EmptyList([tenant]),
    "members of a set": lambda tenant: EmptySet([tenant]),
    "a text": EmptyText,
    "a partial": lambda tenant: EmptyPart(print, tenant),
    "an array": lambda tenant: np.array([tenant]).view(EmptyArray),
}


@pytest.mark.parametrize("make", FIELDS.values(), ids=list(FIELDS))
def test_k7_a_field_that_the_class_which_is_pickled_does_not_name_counts(make: Make) -> None:
    first = connect(make("alice"))
    assert connect(make("alice")) is first
    assert connect(make("bob")) is not first


def test_k7_what_the_class_stores_and_leaves_out_itself_does_not_count() -> None:
    api = Api("alice")
    first = connect(api)
    api.look("x")
    assert connect(api) is first is connect(Api("alice"))


class KeepsMost(Client):
    """Takes the dict as it is, but for what it lists."""

    transient: tuple[str, ...] = ("connection",)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: it for name, it in vars(self).items() if name not in self.transient}
        return {name: it for name, it in state.items() if name not in ("cache", "lock")}


class KeepsLess(KeepsMost):
    transient = ("connection", "channel")

    def __init__(self) -> None:
        super().__init__()
        self.channel = threading.Lock()


def test_k7_what_a_class_lists_as_left_out_does_not_count() -> None:
    assert connect(KeepsLess()) is connect(KeepsLess())


def test_k7_what_libraries_keep_for_themselves_does_not_count() -> None:
    png = io.BytesIO()
    PIL.Image.new("RGB", (2, 2)).save(png, "png")

    def opened() -> PIL.Image.Image:
        return PIL.Image.open(io.BytesIO(png.getvalue()))

    loaded = opened()
    first = connect(loaded)
    loaded.load()
    assert connect(loaded) is first is connect(opened())

    labels = pd.Index(["a", "b"])
    first = connect(labels)
    assert labels.is_unique
    assert labels.get_indexer(["a"])[0] == 0
    assert connect(labels) is first is connect(pd.Index(["a", "b"]))

    logger = logging.getLogger("tests.k7.untold")
    first = connect(logger)
    assert logger.isEnabledFor(logging.WARNING)
    assert connect(logger) is first

    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), sqlalchemy.Column("a", sqlalchemy.Integer))
    assert connect(table.c) is connect(table.c)


def test_k9_such_a_field_without_a_key_is_refused_by_its_name() -> None:
    with pytest.raises(tenure.UnhashableParamError) as caught:
        connect(Api(threading.Lock()))
    for part in ("its attribute `tenant`", "_thread.lock", "hash_funcs=", "Api"):
        assert part in str(caught.value)


def test_k9_reading_an_exception_leaves_it_as_it_was() -> None:
    error = ValueError("x")
    assert connect(error) is connect(error) is connect(ValueError("x"))
