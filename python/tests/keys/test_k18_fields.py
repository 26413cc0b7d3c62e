"""K18, K7: which fields of an object count, and objects that read differently twice in a row."""

from __future__ import annotations

import functools
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import attrs
import django.utils.functional
import matplotlib.figure
import pandas as pd
import polars as pl
import pydantic
import pytest
import werkzeug.utils

import tenure
from tenure._native import _encode


@tenure.cache_resource
def connect(user: Any) -> list[Any]:
    return [user]


@attrs.frozen(cache_hash=True)
class KeepsHash:
    name: str


@attrs.frozen(cache_hash=True, slots=False)
class KeepsHashInDict:
    name: str


class KeepsHashBelow(KeepsHashInDict):
    pass


@pytest.mark.parametrize("kind", [KeepsHash, KeepsHashInDict, KeepsHashBelow])
def test_k18_the_hash_that_attrs_keeps_does_not_count(kind: Callable[[str], Any]) -> None:
    used = kind("a")
    hash(used)
    assert connect(used) is connect(kind("a")) is not connect(kind("b"))


# --- fields and kept results ----------------------------------------------------------------------


class Base:
    @functools.cached_property
    def url(self) -> str:
        return "default"


@dataclass
class FieldOver(Base):
    url: str = ""  # type: ignore[assignment]


@attrs.define(slots=False)
class DefinedOver(Base):
    url: str = ""  # type: ignore[assignment]


class PlainOver(Base):
    def __init__(self, url: str) -> None:
        self.url = url


class OverInMiddle(PlainOver):
    @functools.cached_property
    def other(self) -> int:
        return 1


class ModelBase(pydantic.BaseModel):
    @functools.cached_property
    def url(self) -> str:
        return "default"


with pytest.warns(UserWarning, match="shadows"):

    class ModelOver(ModelBase):
        url: str = ""  # type: ignore[assignment]


class NameSpace(str):
    pass


class Accessor(str):
    pass


class CachedAccessor(str):
    pass


class cached_property(str):  # noqa: N801
    pass


def named_like(kind: type[str]) -> Callable[[str], Any]:
    class Client:
        member = kind("prod")

        def __init__(self, member: str) -> None:
            self.member = kind(member)

    return Client


def assigned(kind: type) -> Callable[[str], Any]:
    def make(value: str) -> Any:
        made = kind()
        made.url = value
        return made

    return make


class Plain:
    def __init__(self) -> None:
        self.host, self.port = "h", 1


class Werkzeug(Plain):
    @werkzeug.utils.cached_property
    def url(self) -> str:
        return f"{self.host}:{self.port}"


class Django(Plain):
    @django.utils.functional.cached_property
    def url(self) -> str:
        return f"{self.host}:{self.port}"


class Functools(Plain):
    @functools.cached_property
    def url(self) -> str:
        return f"{self.host}:{self.port}"


class lazy(functools.cached_property):  # type: ignore[type-arg]  # noqa: N801
    pass


class Subclassed(Plain):
    @lazy
    def url(self) -> str:
        return self.host + ":" + str(self.port)


@attrs.define
class Slots:
    host: str = "h"

    @functools.cached_property
    def url(self) -> str:
        return self.host.upper()


class Lists(Plain):
    @functools.cached_property
    def url(self) -> list[str]:
        return sorted([self.host, str(self.port)])


PROPERTIES = [Base, Werkzeug, Django, Functools, Subclassed, Slots, Lists]
FIELDS: dict[str, Callable[[str], Any]] = {
    "a dataclass": FieldOver,
    "an attrs class": lambda url: DefinedOver(url=url),  # type: ignore[call-arg]
    "a plain class": PlainOver,
    "a derived class": OverInMiddle,
    "a model": lambda url: ModelOver(url=url),
    **{
        f"a member called {kind.__name__}": named_like(kind)
        for kind in (NameSpace, Accessor, CachedAccessor, cached_property)
    },
    **{f"assigned to {kind.__name__}": assigned(kind) for kind in PROPERTIES},
}


@pytest.mark.parametrize("make", FIELDS.values(), ids=FIELDS)
def test_k18_a_field_counts_whatever_its_class_names_its_members(make: Callable[[str], Any]) -> None:
    """K18: a real field over a property that keeps its result, and a value that was assigned to one."""
    assert _encode(make("tenant-a")) == _encode(make("tenant-a"))
    assert _encode(make("tenant-a")) != _encode(make("tenant-b"))


@pytest.mark.parametrize("kind", PROPERTIES, ids=lambda kind: kind.__name__)
def test_k7_reading_a_property_that_keeps_its_result_changes_nothing(kind: type) -> None:
    """K7, K18: where what it gives can be seen to follow from the fields."""
    read = kind()
    assert read.url
    assert _encode(read) == _encode(kind())


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "Polars"])
def test_k7_an_accessor_that_was_used_changes_nothing(library: Any) -> None:
    """K7: a data library keeps it on the object."""
    used = library.Series(["a"])
    assert used.str is not None
    assert _encode(used) == _encode(library.Series(["a"]))


def test_k18_a_property_with_effects_is_not_run_for_a_key() -> None:
    """K18: what cannot be seen to be a result counts, and nothing is run to find out."""
    runs = []

    class Client:
        def __init__(self) -> None:
            self.hosts = ["a"]

        @functools.cached_property
        def connection(self) -> str:
            runs.append(self)
            return "open"

        @functools.cached_property
        def last(self) -> str:
            return self.hosts.pop()

        @functools.cached_property
        def more(self) -> list[str]:
            hosts = self.hosts
            hosts += ["b"]
            return hosts

    read = Client()
    assert read.connection == "open"
    assert _encode(read) != _encode(Client())
    assert len(runs) == 1
    assert read.last == "a"
    read.more = ["x"]
    _encode(read)
    assert read.hosts == []


# --- state that is new at every reading -----------------------------------------------------------


class Numbered:
    def __init__(self) -> None:
        self.numbers = itertools.count()

    def __getstate__(self) -> Any:
        return {"name": "a", "number": next(self.numbers)}


class Random:
    def __reduce__(self) -> Any:
        return Random, (), {"parts": [1, {"id": uuid.uuid4().hex}]}


def figure() -> Any:
    return matplotlib.figure.Figure()


def listed() -> Any:
    return {"all": [Numbered()]}


UNSTEADY: list[tuple[Callable[[], Any], str]] = [
    (figure, "'_cid_gen'"),
    (Numbered, "'number'"),
    (Random, "'id'"),
    (listed, "'number'"),
]


@pytest.mark.parametrize(("make", "where"), UNSTEADY, ids=[case[1] for case in UNSTEADY])
def test_k18_what_reads_differently_twice_is_refused_with_the_field(make: Callable[[], Any], where: str) -> None:
    """K18: nothing is built under a key that nobody can find again."""
    argument = make()
    with pytest.raises(tenure.UnhashableParamError, match="is another one at every reading") as caught:
        connect(argument)
    assert where in str(caught.value)
    with pytest.raises(tenure.UnhashableParamError, match="at every reading"), connect.lease(argument):
        pass


def test_k18_what_is_told_the_same_twice_is_built_once() -> None:
    """K18: reading again costs a miss a second look, and no rule of the user's is asked again."""
    asked = []

    class Tenant:
        def __init__(self, name: str) -> None:
            self.name = name

    @tenure.cache_resource(hash_funcs={Tenant: lambda tenant: asked.append(1) or tenant.name})  # type: ignore[func-returns-value]
    def connection(error: Exception, tenant: Tenant) -> object:
        return object()

    assert connection(ValueError(1), Tenant("a")) is connection(ValueError(1), Tenant("a"))
    assert len(asked) == 2


def test_k18_a_closure_over_it_is_told_apart_by_which_object_it_is() -> None:
    """K18, F1: with a warning that names the variable and the field."""

    def decorated(numbered: Any) -> Any:
        @tenure.cache_resource
        def function() -> object:
            return [numbered]

        return function

    numbered = Numbered()
    with pytest.warns(UserWarning, match=r"holds `numbered`.*at every reading"):
        first = decorated(numbered)
    assert decorated(numbered)() is first()
