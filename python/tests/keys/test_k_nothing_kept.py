"""K7: what is known of a class keeps nothing of it: it goes when the program lets go, and its namespace with it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import tenure

CLASSES = {
    "cached_property": """
import functools
class Local:
    def __init__(self): self.a = 1
    @functools.cached_property
    def url(self): return self.a + 1
""",
    "attrs-slots": """
import attrs, functools
@attrs.define
class Local:
    a: int = 1
    @functools.cached_property
    def url(self): return self.a + 1
""",
    "accessor": """
import polars.api
class Accessor:
    def __init__(self, of): pass
class Local:
    url = polars.api.NameSpace("url", Accessor)
""",
    "hidden-slot": """
class Base:
    __slots__ = ("url", "__weakref__")
class Local(Base):
    __slots__ = ()
    url = "covered"
""",
    "compiled-with-slots": """
class Base(dict):
    __slots__ = ("url",)
    def __reduce__(self): return Local, ()
class Local(Base):
    __slots__ = ()
""",
    "exception": """
class Base(Exception):
    __slots__ = ("url",)
class Local(Base): pass
""",
}


class Held:
    pass


@tenure.cache_resource
def take(it: Any) -> int:
    return 1


@pytest.mark.parametrize("kind", CLASSES)
def test_k7_a_class_that_was_read_goes_with_its_namespace(kind: str) -> None:
    """K7: with its bases, what its properties are made of, and everything else in the namespace."""

    def once() -> list[weakref.ref[Any]]:
        names: dict[str, Any] = {"__name__": "of_a_moment", "held": Held()}
        exec(CLASSES[kind], names)
        it = names["Local"]()
        for _ in range(3):
            take(it)
        take.clear()
        return [
            weakref.ref(names["held"]),
            *(weakref.ref(base) for base in names["Local"].__mro__ if base.__module__ == "of_a_moment"),
        ]

    seen = once()
    gc.collect()
    assert [it() for it in seen] == [None] * len(seen)
