"""The outside of a resource, as it is seen where the resource lives."""

from __future__ import annotations

import inspect
from typing import Any

from tenure.cluster._answers import Face

__all__ = ["face", "kind"]

_REMOTE = (
    "__aiter__",
    "__bool__",
    "__call__",
    "__contains__",
    "__delitem__",
    "__getitem__",
    "__iter__",
    "__len__",
    "__next__",
    "__setitem__",
)
_HERE = ("__aenter__", "__aexit__", "__enter__", "__exit__")
"""Methods that belong to one caller, so that they cannot be calls of their own."""

_STREAMS = {"__aiter__": "async stream", "__iter__": "stream"}


def kind(method: Any) -> str:
    """The kind of answer of a method."""
    method = inspect.unwrap(method) if callable(method) else method
    method = getattr(method, "__func__", method)
    if inspect.isasyncgenfunction(method):
        return "async stream"
    if inspect.isgeneratorfunction(method):
        return "stream"
    if inspect.iscoroutinefunction(method):
        return "await"
    # A callable object is what its `__call__` is.
    if not inspect.isroutine(method) and not isinstance(method, type):
        call = inspect.getattr_static(type(method), "__call__", None)
        if inspect.isfunction(call):
            return kind(call)
    return "call"


def face(resource: Any) -> Face:
    """Looks at a resource without running any code of it."""
    cls = type(resource)
    names: dict[str, str] = {}
    for name in _REMOTE:
        # Not by `getattr`, which finds what the class itself can do: be called, for one.
        method = next((vars(it)[name] for it in cls.__mro__ if name in vars(it)), None)
        if method is not None:
            names[name] = _STREAMS.get(name) or kind(method)
    for name in _names(resource):
        names[name] = _kind_of(resource, name)
    refused = tuple(name for name in _HERE if hasattr(cls, name))
    return Face(f"{cls.__module__}.{cls.__qualname__}", tuple(sorted(names.items())), refused)


def _names(resource: Any) -> list[str]:
    names: set[str] = set()
    for cls in type(resource).__mro__:
        names.update(vars(cls))
    names.update(getattr(resource, "__dict__", None) or ())
    return [name for name in names if isinstance(name, str) and name.isidentifier() and not name.startswith("_")]


def _kind_of(resource: Any, name: str) -> str:
    it = inspect.getattr_static(resource, name)
    if isinstance(it, (staticmethod, classmethod)):
        return kind(it.__func__)
    if inspect.isdatadescriptor(it) or not (callable(it) or inspect.isroutine(it)):
        return "data"
    return kind(it)
