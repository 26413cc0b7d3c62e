"""K18: whatever an object keeps counts. Each attribute and each part of what is pickled is changed, one by one."""

from __future__ import annotations

import collections
import contextlib
import copy
import datetime as dt
import decimal
import email.message
import enum
import fractions
import functools
import io
import ipaddress
import pathlib
import random
import string
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import kinds
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tenure
from tenure._native import _encode

#: What an object keeps and does not count, by the class that has it: see docs/guide/keys.md.
LEFT_OUT = {
    # What an uploaded file is called: files in memory count by content and position.
    (io.IOBase, "name"),
    # Those that a user sets on a frame, a series or an image of the library's own class.
    (pd.DataFrame, "__dict__"),
    (pd.Series, "__dict__"),
    (pd.Index, "__dict__"),
    (pd.api.extensions.ExtensionArray, "__dict__"),
    (dt.date, "__dict__"),
    (dt.timedelta, "__dict__"),
    (pd.Period, "__dict__"),
    (pl.DataFrame, "__dict__"),
    (pl.LazyFrame, "__dict__"),
    (pl.Series, "__dict__"),
    (pl.Expr, "__dict__"),
    (Image.Image, "__dict__"),
    # How it lies in memory, and whether it is shared or may be written to.
    (np.ndarray, "strides"),
    (np.ma.MaskedArray, "_sharedmask"),
    (Image.Image, "readonly"),
    (Image.Image, "_readonly"),
    # Kept results, and what the library's own methods never read.
    (np.ma.MaskedArray, "_basedict"),
    (np.ma.MaskedArray, "_isfield"),
    (pathlib.PurePath, "_drv"),
    (pathlib.PurePath, "_lines_cached"),
    (pathlib.PurePath, "_parts_normcase_cached"),
    (pathlib.PurePath, "_root"),
    (pathlib.PurePath, "_str_normcase_cached"),
    (pathlib.PurePath, "_tail_cached"),
    (pd.Index, "_cache"),
    (pd.MultiIndex, "name"),
    (pd.MultiIndex, "sortorder"),
    (Image.Image, "_exif"),
    # What pickle loses.
    (random.Random, "__dict__"),
    (ipaddress.IPv4Interface, "__dict__"),
    (ipaddress.IPv4Network, "__dict__"),
}

#: Names with underscores around them under which objects keep state. What else has such a name belongs to the class.
KEPT = {"__dict__", "__cause__", "__context__", "__suppress_context__", "__notes__", "__defaults__", "__kwdefaults__"}


def message(text: str) -> email.message.Message:
    made = email.message.Message()
    made["Subject"] = text
    return made


#: More objects of the standard library than have a form of their own.
MORE: dict[str, Callable[[], Any]] = {
    "Context": lambda: decimal.Context(prec=5),
    "Random": lambda: random.Random(1),
    "address": lambda: ipaddress.ip_address("fe80::1%eth0"),
    "network": lambda: ipaddress.ip_network("10.0.0.0/8"),
    "interface": lambda: ipaddress.ip_interface("10.0.0.1/8"),
    "message": lambda: message("a"),
    "Template": lambda: string.Template("$a"),
    "UserString": lambda: collections.UserString("a"),
    "UserList": lambda: collections.UserList([1]),
    "SimpleNamespace": lambda: types.SimpleNamespace(a=1),
    "AttributeError": lambda: AttributeError("x", name="a", obj=1),
    "NameError": lambda: NameError("x", name="a"),
    "ImportError": lambda: ImportError("x", name="a", path="b"),
    "OSError": lambda: OSError(2, "a", "b"),
    "StopIteration": lambda: StopIteration(1),
    "SystemExit": lambda: SystemExit(1),
    "SyntaxError": lambda: SyntaxError("x", ("f", 1, 2, "t")),
    "UnicodeDecodeError": lambda: UnicodeDecodeError("ascii", b"x", 0, 1, "r"),
    "partial": lambda: functools.partial(max, 1, key=abs),
    "partialmethod": lambda: functools.partialmethod(max, 1),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "iterator of a list": lambda: iter([1, 2]),
    "masked array": lambda: np.ma.array([1, 2], mask=[0, 1]),
}


def others(value: Any) -> Iterator[Any]:
    """Values of the same kind that are another."""
    if isinstance(value, enum.Enum):
        yield from (member for member in type(value) if member is not value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, 0 if value else 7)
    elif isinstance(value, str):
        yield f"{value}x"
    elif isinstance(value, bytes):
        yield value + b"x"
    elif value is None:
        yield from (ValueError("other"), "other", 1)
    elif type(value) is tuple:
        yield (*value, 1)
        for at, item in enumerate(value):
            yield from ((*value[:at], other, *value[at + 1 :]) for other in others(item))
    elif type(value) is list:
        yield [*value, 1]
    elif type(value) is dict:
        yield {**value, "other": 1}


def key(value: Any) -> Any:
    """The key; what is refused is told from everything."""
    try:
        return _encode(value)
    except tenure.UnhashableParamError:
        return object()


def differs(one: Any, two: Any) -> bool:
    """Whether two attributes are not the same; `False` where that cannot be said."""
    try:
        return type(one) is not type(two) or bool(one != two)
    except Exception:
        return False


def constants(kind: type) -> set[str]:
    """What the class itself has under a name, and no instance of its own."""
    found = {name: member for base in reversed(kind.__mro__) for name, member in vars(base).items()}
    return {name for name, member in found.items() if not hasattr(type(member), "__get__")}


def changed_attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Copies of a value with one attribute that is another, which reads so."""
    for name in dir(value):
        if name.startswith("__") and name not in KEPT or name in constants(type(value)):
            continue
        if any((base, name) in LEFT_OUT for base in type(value).__mro__):
            continue
        try:
            old = getattr(value, name)
        except Exception:
            continue
        for other in others(old):
            with contextlib.suppress(Exception):
                copied = copy.deepcopy(value)
                # What is its own copy, as a class is, would be changed itself.
                if copied is value:
                    return
                setattr(copied, name, other)
                if differs(getattr(copied, name), old):
                    yield f"{name} = {other!r}", copied


def changed_reductions(value: Any) -> Iterator[tuple[str, Any]]:
    """What is made anew from a reduction in which one part is another, and is not equal."""
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:
        return
    if not isinstance(reduced, tuple):
        return
    make, args, state, *_ = (*reduced, None)
    for what, (its_args, its_state) in [
        *((f"argument {other!r}", (other, state)) for other in others(args)),
        *((f"state {other!r}", (args, other)) for other in others(state) if state is not None),
    ]:
        with contextlib.suppress(Exception):
            made = copy._reconstruct(value, None, make, its_args, its_state)  # type: ignore[attr-defined]
            if made == copy.deepcopy(made) and value == copy.deepcopy(value) and made != value:
                yield what, made


def check(value: Any, changes: Iterable[tuple[str, Any]]) -> int:
    own, count = key(value), 0
    for what, other in changes:
        count += 1
        assert key(other) != own, what
    return count


@pytest.mark.parametrize("kind", kinds.KINDS)
@settings(max_examples=3)
@given(data=st.data())
def test_k18_each_part_of_a_value_counts(kind: str, data: st.DataObject) -> None:
    value = kinds.build(data.draw(kinds.of(kind)))
    check(value, changed_attributes(value))


@pytest.mark.parametrize("what", MORE)
def test_k18_each_part_of_an_object_of_the_standard_library_counts(what: str) -> None:
    value = MORE[what]()
    check(value, [*changed_attributes(value), *changed_reductions(value)])


def test_k18_the_generated_changes_find_something_to_change() -> None:
    for value in (kinds.Plain(a=1), AttributeError("x", name="a", obj=1), np.ma.array([1, 2], mask=[0, 1])):
        assert check(value, changed_attributes(value)) >= 1
