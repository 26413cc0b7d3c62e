"""K1, K3, K9, K11 to K13: how a call becomes a key, by which calls share an entry."""

from __future__ import annotations

import inspect
import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tenure

Call = Callable[[Callable[..., Any]], Any]


def entries(func: Callable[..., Any], *calls: Call) -> list[int]:
    """Calls a cached function in several ways; calls that share an entry get the same number."""
    cached = tenure.cache_resource(func)
    cached.clear()
    results = [call(cached) for call in calls]
    kept: list[int] = []
    for result in results:
        if id(result) not in kept:
            kept.append(id(result))
    return [kept.index(id(result)) for result in results]


def variadic(*args: Any) -> object:
    return object()


def keywords(**more: Any) -> object:
    return object()


def full(a: Any, b: Any = 2, /, c: Any = 3, *rest: Any, d: Any = 4, e: Any = None, **more: Any) -> object:
    return object()


def plain(a: Any, b: Any = "d", *, c: Any = None) -> object:
    return object()


def underscored(a: Any, _b: Any = 0, *_rest: Any, c: Any = 0, _d: Any = 0, **_more: Any) -> object:
    return object()


def everything_left_out(_a: Any, *, _b: Any = None) -> object:
    return object()


# --- K1 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "calls",
    [
        [lambda f: f("a", "b"), lambda f: f("ab", ""), lambda f: f("ab"), lambda f: f(), lambda f: f(("a", "b"))],
        [
            lambda f: f("foo", "bar"),
            lambda f: f("foostr:ystr:bar"),
            lambda f: f(["foo", "bar"]),
            lambda f: f("foo", ["bar"]),
        ],
        [lambda f: f(1), lambda f: f(1, 1), lambda f: f(True), lambda f: f(1.0), lambda f: f(None)],
        [lambda f: f(()), lambda f: f([]), lambda f: f({}), lambda f: f(set()), lambda f: f("")],
    ],
)
def test_k1_calls_with_other_arguments_never_share(calls: list[Call]) -> None:
    """K1, K2: through `*args`, where nothing else tells arguments apart."""
    assert entries(variadic, *calls) == list(range(len(calls)))


def test_k1_what_is_given_where_is_told_apart() -> None:
    """K1: as a positional one, a keyword, in `*rest` and in `**more`."""
    calls: list[Call] = [
        lambda f: f(1),
        lambda f: f(1, 9),
        lambda f: f(1, c=9),
        lambda f: f(1, 2, 3, 9),
        lambda f: f(1, 2, 3, 9, 9),
        lambda f: f(1, d=9),
        lambda f: f(1, e=9),
        lambda f: f(1, f=9),
        lambda f: f(1, g=9),
        lambda f: f(1, a=9),
        lambda f: f(1, b=9),
        lambda f: f(1, f=9, g=9),
        lambda f: f(1, f={"g": 9}),
        lambda f: f(1, 2, 3, ("f", 9)),
    ]
    assert entries(full, *calls) == list(range(len(calls)))


# --- K3 -------------------------------------------------------------------------------------------


def test_k3_equal_calls_share_however_they_are_written() -> None:
    """K3"""
    calls: list[Call] = [
        lambda f: f(1),
        lambda f: f(a=1),
        lambda f: f(1, "d"),
        lambda f: f(1, b="d"),
        lambda f: f(b="d", a=1),
        lambda f: f(c=None, b="d", a=1),
        lambda f: f(*[1], **{"b": "d"}),
    ]
    assert entries(plain, *calls) == [0] * len(calls)


def test_k3_keywords_in_any_order_share() -> None:
    """K3: declared ones and others."""
    given = {"c": 5, "d": 6, "e": [7], "f": 8, "g": {"h": 9}}
    calls = [(lambda f, order=order: f(1, **dict(order))) for order in itertools.permutations(given.items())]
    assert entries(full, *calls) == [0] * len(calls)


def test_k3_keywords_that_cannot_be_written_out_are_keywords() -> None:
    """K3, K1: lone surrogates in names, which JSON can bring in."""
    names: list[dict[str, Any]] = [{"\ud800": 1}, {"\ud801": 1}, {"\ud800": 1}, {"\ufffd": 1}, {"_\ud800": 1}, {}]
    calls: list[Call] = [lambda f, given=given: f(**given) for given in names]  # type: ignore[misc]
    assert entries(keywords, *calls) == [0, 1, 0, 2, 3, 3]


def test_f5_callables_without_a_signature_take_what_is_given() -> None:
    """F5, K1: some built-in ones do not tell theirs."""
    assert entries(dict, lambda f: f(a=1), lambda f: f(a=2), lambda f: f(a=1), lambda f: f([("a", 1)])) == [0, 1, 0, 2]


def test_k3_spelled_out_defaults_share() -> None:
    """K3"""
    calls: list[Call] = [
        lambda f: f(1),
        lambda f: f(1, 2),
        lambda f: f(1, 2, 3),
        lambda f: f(1, c=3, d=4),
        lambda f: f(1, 2, 3, d=4, e=None),
        lambda f: f(1, *(), **{}),
    ]
    assert entries(full, *calls) == [0] * len(calls)


def test_k3_clear_finds_the_entry_however_it_is_written() -> None:
    """K3: `f.clear(1, "d")` clears the entry of `f(1)`."""
    cached = tenure.cache_resource(lambda a, b="d": object())
    for clear in (lambda: cached.clear(1, "d"), lambda: cached.clear(a=1), lambda: cached.clear(b="d", a=1)):
        kept, cleared = cached(2), cached(1)
        clear()
        assert cached(2) is kept
        assert cached(1) is not cleared


def test_k11_clear_needs_no_argument_that_does_not_count() -> None:
    """K11, K3: an entry is named by what is in its key; a call needs everything, a hit too."""
    cached = tenure.cache_resource(lambda _pool, url, *, _log: object())
    kept, cleared = cached(1, "a", _log=2), cached(1, "b", _log=2)
    cached.clear(url="b")
    assert cached(3, "a", _log=4) is kept
    assert cached(3, "b", _log=4) is not cleared
    cached.clear(None, "a", _log=None)
    assert cached(3, "a", _log=4) is not kept
    for call in (lambda: cached(url="a", _log=4), lambda: cached(1, "a"), lambda: cached.clear(_pool=1)):
        with pytest.raises(TypeError, match="missing a required"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(),
        lambda f: f(1, 2, 3),
        lambda f: f(1, a=1),
        lambda f: f(1, x=1),
        lambda f: f(1, "d", None),
        lambda f: f(b=1),
    ],
)
def test_k3_a_wrong_call_fails_as_the_function_would(call: Call) -> None:
    """K3: with Python's own error, and nothing is built."""
    cached = tenure.cache_resource(plain)
    before = cached.info().builds
    with pytest.raises(TypeError):
        call(plain)
    with pytest.raises(TypeError) as caught:
        call(cached)
    assert not isinstance(caught.value, tenure.TenureError)
    assert cached.info().builds == before


def test_k3_the_signature_stays() -> None:
    """K3: editors, documentation and frameworks see the function's own."""
    assert inspect.signature(tenure.cache_resource(full)) == inspect.signature(full)


# --- K9, K12 --------------------------------------------------------------------------------------


def test_k9_the_error_names_the_function_and_the_parameter() -> None:
    """K9: also for keywords and in `*rest` and `**more`."""
    cached = tenure.cache_resource(full)
    lock = threading.Lock()
    for call, param in (
        (lambda: cached(lock), "a"),
        (lambda: cached(1, c=lock), "c"),
        (lambda: cached(1, 2, 3, lock), "rest"),
        (lambda: cached(1, d=[lock]), "d"),
        (lambda: cached(1, other=lock), "other"),
    ):
        with pytest.raises(tenure.UnhashableParamError) as caught:
            call()
        text = str(caught.value)
        assert "full" in text
        assert param in text.splitlines()[0]
        assert "_thread.lock" in text


class Person:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()


@pytest.mark.parametrize("key", [Person, f"{__name__}.Person"], ids=["class", "name"])
def test_k12_rules_are_given_to_the_decorator(key: Any) -> None:
    """K12"""

    @tenure.cache_resource(hash_funcs={key: lambda person: person.name})
    def greet(person: Any, times: int = 1) -> object:
        return object()

    assert greet(Person("a")) is greet(Person("a"))
    assert greet(Person("a")) is not greet(Person("b"))
    assert greet([Person("a")]) is greet([Person("a")])
    assert greet([Person("a")]) is not greet(Person("a"))


def test_k12_rules_for_built_in_types_hold_on_the_short_way_too() -> None:
    """K12: arguments of exact built-in types are not taken past the rules."""

    @tenure.cache_resource(hash_funcs={str: str.lower, "builtins.int": lambda number: number % 2})
    def find(text: Any, number: int = 0) -> object:
        return object()

    assert find("A") is find("a")
    assert find("a", 1) is find("a", 3)
    assert find("a", 1) is not find("a", 2)
    assert find("a") is not find(b"a")


def test_k12_a_rule_that_raises_names_the_function() -> None:
    """K12"""

    @tenure.cache_resource(hash_funcs={Person: lambda person: person.missing})
    def greet(person: Any) -> object:
        return object()

    with pytest.raises(tenure.UserHashError, match=r"greet") as caught:
        greet({"who": Person("a")})
    assert isinstance(caught.value.__cause__, AttributeError)
    assert "'who'" in str(caught.value)


# --- K11 ------------------------------------------------------------------------------------------


def test_k11_underscored_parameters_are_left_out() -> None:
    """K11: by position, by keyword, in `*_rest` and in `**_more`; what has no key may be passed there."""
    lock = threading.Lock()
    calls: list[Call] = [
        lambda f: f(1),
        lambda f: f(1, 2),
        lambda f: f(1, _b=lock),
        lambda f: f(1, lock, lock, lock),
        lambda f: f(1, _d=lock),
        lambda f: f(1, other=lock, another=3),
        lambda f: f(a=1, c=0, _d=1),
    ]
    assert entries(underscored, *calls) == [0] * len(calls)
    assert entries(underscored, lambda f: f(1, 5), lambda f: f(2, 5), lambda f: f(1, c=5)) == [0, 1, 2]


def test_k11_nothing_left_is_one_entry() -> None:
    """K11"""
    assert entries(everything_left_out, lambda f: f(1), lambda f: f(_a=threading.Lock(), _b=3)) == [0, 0]


@pytest.mark.filterwarnings("ignore:.*every call of it is one entry")
def test_k11_the_function_still_gets_them() -> None:
    """K11"""
    cached = tenure.cache_resource(lambda _a, *_rest, _k=None, **_more: (_a, _rest, _k, _more))
    assert cached(1, 2, 3, _k=4, x=5) == (1, (2, 3), 4, {"x": 5})


# --- K13 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: [1], lambda value: value.append(2)),
        (lambda: {"a": [1]}, lambda value: value["a"].append(2)),
        (lambda: {1}, lambda value: value.add(2)),
        (lambda: bytearray(100), lambda value: value.__setitem__(99, 1)),
        (lambda: np.zeros(100_000), lambda value: value.__setitem__(99_999, 1)),
        (lambda: Plain(1), lambda value: setattr(value, "content", 2)),
    ],
)
def test_k13_a_mutated_argument_is_seen(make: Callable[[], Any], change: Callable[[Any], None]) -> None:
    """K13"""
    cached = tenure.cache_resource(lambda value: object())
    value, other = make(), make()
    first = cached(value)
    assert cached(value) is first
    change(value)
    assert cached(value) is not first
    assert cached(other) is first


class Plain:
    def __init__(self, content: Any) -> None:
        self.content = content


# --- K11: functions that take nothing else ------------------------------------------------------------


@pytest.mark.parametrize(
    ("func", "names"),
    [
        (lambda *_hosts: object(), ["`*_hosts`"]),
        (lambda **_options: object(), ["`**_options`"]),
        (lambda *_hosts, **_options: object(), ["`*_hosts` and `**_options`"]),
        (lambda _first, *_hosts, _last=None: object(), ["`*_hosts`"]),
    ],
)
def test_k11_a_function_that_takes_only_what_is_left_out_says_so_once(
    func: Callable[..., Any], names: list[str]
) -> None:
    """K11: at the decorator, the first time that it stands there."""
    with pytest.warns(UserWarning, match="every call of it is one entry") as caught:
        cached = tenure.cache_resource(func)
    (warning,) = caught
    assert warning.filename == __file__
    for name in names:
        assert name in str(warning.message)
    assert cached("a") is cached("b") if func.__code__.co_flags & inspect.CO_VARARGS else cached(x=1) is cached(x=2)
    # A script that runs again decorates again; warnings are errors here.
    tenure.cache_resource(show_spinner=False)(func)


@pytest.mark.parametrize(
    "func",
    [
        lambda: object(),
        lambda _connection: object(),
        lambda *hosts: object(),
        lambda **options: object(),
        lambda name, *_hosts: object(),
        lambda *_hosts, name=None: object(),
        lambda *hosts, **_options: object(),
    ],
)
def test_k11_who_takes_anything_that_counts_or_only_named_ones_is_not_warned(func: Callable[..., Any]) -> None:
    assert tenure.cache_resource(func).__wrapped__ is func
