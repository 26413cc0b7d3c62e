"""K18: what keeps what it is in its fields is keyed by them, whatever hooks and properties it has."""

from __future__ import annotations

import argparse
import collections.abc
import functools
import os
import types
import unittest.mock
from collections.abc import Callable, Iterator
from typing import Any

import addict
import box
import celery
import easydict
import flask_login
import omegaconf
import pluggy
import pydantic
import pytest
import werkzeug.local
from tenants import NAMES, TENANT, Make, connect
from tenants import cleared as cleared  # a fixture for all


class Dialect:
    """Holds nothing, and shows nothing but constants."""

    @property
    def name(self) -> str:
        return "sqlite"

    @property
    def title(self) -> str:
        return self.name.upper()

    @functools.singledispatchmethod
    def show(self, value: Any) -> str:
        return os.sep

    def quote(self, text: str) -> str:
        return f"{os.sep}{text}"


class Wrapper:
    def __init__(self, func: Any) -> None:
        self.func = func

    def __call__(self) -> Any:
        return self.func()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.func, name)


class Dataset:
    def __init__(self, rows: list[int], transform: Callable[[int], int]) -> None:
        self.rows, self.transform = rows, transform

    def __getitem__(self, at: int) -> int:
        return self.transform(self.rows[at])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first(self) -> int:
        return self.transform(self.rows[0])


class Delegating:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)


class Derived:
    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def short(self) -> str:
        return NAMES.get(self.name, self.name.strip().lower())

    @property
    def _quick(self) -> str:
        return TENANT.get()


class View(collections.abc.Mapping[str, Any]):
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def __getitem__(self, name: str) -> Any:
        return self._content[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


class EmptyModel(pydantic.BaseModel):
    pass


def mocked(url: str) -> Any:
    mock = unittest.mock.NonCallableMock(spec=Derived)
    mock.name = url
    return mock


def twice(n: int) -> int:
    return n * 2


def thrice(n: int) -> int:
    return n * 3


KEPT: list[tuple[str, Make, Make | None]] = [
    ("constants", Dialect, None),
    ("a model without fields", EmptyModel, None),
    ("a wrapper around a function", lambda: Wrapper(twice), lambda: Wrapper(thrice)),
    ("a function among the data", lambda: Dataset([1], twice), lambda: Dataset([1], thrice)),
    ("data beside a function", lambda: Dataset([1], twice), lambda: Dataset([2], twice)),
    ("a hook for its own field", lambda: Delegating([1]), lambda: Delegating([2])),
    ("properties of its own fields", lambda: Derived("a"), lambda: Derived("b")),
    ("a mapping of its own", lambda: View({"a": 1}), lambda: View({"a": 2})),
    ("EasyDict", lambda: easydict.EasyDict(a=1), lambda: easydict.EasyDict(a=2)),
    ("Box", lambda: box.Box(a={"b": 1}), lambda: box.Box(a={"b": 2})),
    ("addict", lambda: addict.Dict(a=1), addict.Dict),
    ("omegaconf", lambda: omegaconf.OmegaConf.create({"a": 1}), lambda: omegaconf.OmegaConf.create({"a": 2})),
    ("argparse", lambda: argparse.Namespace(a=1), lambda: argparse.Namespace(a=2)),
    ("a namespace", lambda: types.SimpleNamespace(a=1), types.SimpleNamespace),
    ("a mock", lambda: unittest.mock.MagicMock(email="a"), lambda: unittest.mock.MagicMock(email="b")),
    ("a mock of a class", lambda: mocked("a"), lambda: mocked("b")),
    (
        "Celery's app",
        lambda: celery.Celery("a", set_as_current=False),
        lambda: celery.Celery("b", set_as_current=False),
    ),
    ("a plugin manager", lambda: pluggy.PluginManager("a"), lambda: pluggy.PluginManager("b")),
    (
        "werkzeug's type of a dict",
        lambda: werkzeug.datastructures.MultiDict({"a": 1}),
        werkzeug.datastructures.MultiDict,
    ),
    ("Flask's anonymous user", flask_login.AnonymousUserMixin, None),
]


@pytest.mark.parametrize(("make", "other"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT])
def test_k18_what_keeps_its_state_goes_on_as_it_was(make: Make, other: Make | None) -> None:
    """K18, K9: hooks and properties over own fields are no reason to refuse."""
    TENANT.set("a")
    assert connect(make()) is connect(make())
    if other is not None:
        assert connect(other()) is not connect(make())
