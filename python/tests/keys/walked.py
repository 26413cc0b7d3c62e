"""Arguments that tests of the walk share: instances of two classes that are alike, and nests of any depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Person:
    def __init__(self, name: str) -> None:
        self.name = name


class Other:
    def __init__(self, name: Any) -> None:
        self.name = name


def nested(depth: int, wrap: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    value: Any = ()
    for _ in range(depth):
        value = wrap(value)
    return value
