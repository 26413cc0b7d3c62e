"""K18: a value that a descriptor keeps beside an object counts as a field of it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tenure


@tenure.cache_resource
def connect(user: Any) -> object:
    return object()


class Weak:
    def __init__(self) -> None:
        self.values: Any = weakref.WeakKeyDictionary()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, it: Any, owner: Any = None) -> Any:
        return self if it is None else self.values[it]

    def __set__(self, it: Any, value: Any) -> None:
        self.values[it] = value


class ByAddress(Weak):
    def __init__(self) -> None:
        self.values = {}

    def __get__(self, it: Any, owner: Any = None) -> Any:
        return self if it is None else self.values[id(it)]

    def __set__(self, it: Any, value: Any) -> None:
        self.values[id(it)] = value


class ByPair(ByAddress):
    values: dict[Any, Any] = {}

    def __init__(self) -> None:
        pass

    def __get__(self, it: Any, owner: Any = None) -> Any:
        return self if it is None else self.values[id(it), self.name]

    def __set__(self, it: Any, value: Any) -> None:
        self.values[id(it), self.name] = value


VALUES: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


class InModule:
    def __get__(self, it: Any, owner: Any = None) -> Any:
        return self if it is None else VALUES[it]

    def __set__(self, it: Any, value: Any) -> None:
        VALUES[it] = value


def in_closure() -> property:
    values: dict[int, Any] = {}

    def read(self: Any) -> Any:
        return values[id(self)]

    def write(self: Any, value: Any) -> None:
        values[id(self)] = value

    return property(read, write)


class WithWeak:
    tenant = Weak()

    def __init__(self, tenant: Any) -> None:
        self.size = 5
        self.tenant = tenant


class WithAddress(WithWeak):
    tenant = ByAddress()


class WithPair(WithWeak):
    tenant = ByPair()


class WithModule(WithWeak):
    tenant = InModule()


class WithClosure(WithWeak):
    tenant = in_closure()


class NothingElse:
    tenant = ByAddress()

    def __init__(self, tenant: Any) -> None:
        self.tenant = tenant


class Pickled(WithWeak):
    def __getstate__(self) -> dict[str, int]:
        return {"size": self.size}


KINDS: list[Callable[[Any], Any]] = [
    WithWeak,
    WithAddress,
    WithPair,
    WithModule,
    WithClosure,
    NothingElse,
    Pickled,
]
MEANT = pytest.mark.parametrize("make", KINDS, ids=[kind.__name__ for kind in KINDS])


@MEANT
def test_k18_a_value_that_a_descriptor_keeps_counts(make: Callable[[Any], Any]) -> None:
    alice, other, bob = make("alice"), make("alice"), make("bob")
    first = connect(alice)
    assert connect(other) is first is connect(alice)
    assert connect(bob) is not first
    bob.tenant = "alice"
    assert connect(bob) is first


@MEANT
def test_k18_such_a_value_without_a_key_is_refused(make: Callable[[Any], Any]) -> None:
    with pytest.raises(tenure.UnhashableParamError, match="its attribute `tenant`"):
        connect(make(threading.Lock()))
    lent = make("alice")
    assert connect(lent) is connect(lent)


RESULTS: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


class Remembers:
    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def title(self) -> str:
        return RESULTS.setdefault(self, self.name.title())


def test_k18_what_a_property_remembers_and_nobody_assigns_does_not_count() -> None:
    it = Remembers("a")
    first = connect(it)
    assert it.title == "A"
    assert connect(it) is first
