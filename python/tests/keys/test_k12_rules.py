"""K12: `hash_funcs`, what a rule reaches, and what is said of a wrong one."""

from __future__ import annotations

import collections
import decimal
import enum
import functools
import io
import re
import threading
import types
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, List  # noqa: UP035 - as older programs write it

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hazards import with_attribute
from walked import Other, Person

from tenure._native import UnhashableParamError, UserHashError, _encode


class Side(enum.Enum):
    LEFT = 1
    RIGHT = 2


@pytest.mark.parametrize("key", [Person, f"{Person.__module__}.Person"], ids=["class", "name"])
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
        f"{Person.__module__}.Person",
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
