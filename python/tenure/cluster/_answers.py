"""The answers of an actor that are none of its resource."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Face", "Itself", "Method", "Over"]


class Over:
    """The answer of an actor that has ended: nothing was run."""


class Itself:
    """The answer of a method that has returned the resource."""


class Method(NamedTuple):
    """The answer to a question for an attribute that is to be called."""

    kind: str


class Face(NamedTuple):
    """The outside of a resource: the names that a handle has, with what each of them is.

    `"call"`, `"await"`, `"stream"` and `"async stream"` are methods; `"data"` is what is read.
    """

    class_name: str
    names: tuple[tuple[str, str], ...]
    refused: tuple[str, ...]
    """The names of the resource that a handle has not."""
