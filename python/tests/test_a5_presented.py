"""A1, A5: what a cached function that yields shows to whoever inspects it."""

from __future__ import annotations

import functools
import inspect
import typing
from collections import abc
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from typing import Any

import pytest

import tenure


def function(first: int, /, second: str = "2", *rest: float, third: list[Thing] | None = None, **more: Any) -> Any:
    yield


class Thing:
    def method(self, first: int, second: str = "2") -> Iterator[Thing]:
        yield self

    def __call__(self, first: int, second: str = "2") -> Iterator[Thing]:
        yield self


SHAPES: dict[str, Any] = {
    "function": function,
    "bound method": Thing().method,
    "object": Thing(),
    "partial": functools.partial(function, 1),
    "partial with names": functools.partial(function, second="3"),
    "partial of a method": functools.partial(Thing().method, second="3"),
    "lambda": lambda *, default={}: (yield default),  # noqa: B006
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a5_its_parameters_are_those_of_the_function(shape: str) -> None:
    given = SHAPES[shape]
    cached = tenure.cache_resource(given)
    for looked_at in (cached, inspect.unwrap(cached)):
        shown, own = inspect.signature(looked_at), inspect.signature(given)
        assert shown.parameters == own.parameters
        shown, own = inspect.signature(looked_at, eval_str=True), inspect.signature(given, eval_str=True)
        assert shown.parameters == own.parameters
        assert not inspect.isgeneratorfunction(looked_at)


def one(): yield  # noqa: E704  # fmt: skip


def two() -> Iterator[Thing]: yield  # noqa: E704  # fmt: skip


def three() -> Generator[Thing, None, str]: yield  # noqa: E704  # fmt: skip


def four() -> typing.Iterator[dict[str, Thing]]: yield  # noqa: E704, UP006  # fmt: skip


def five() -> abc.Iterable[Thing]: yield  # noqa: E704  # fmt: skip


def six() -> Iterator: yield  # noqa: E704  # fmt: skip


def seven() -> Any: yield  # noqa: E704  # fmt: skip


async def eight() -> AsyncIterator[Thing]: yield  # noqa: E704  # fmt: skip


async def nine() -> AsyncGenerator[Thing, None]: yield  # noqa: E704  # fmt: skip


def eleven() -> Iterable[Thing]: yield  # noqa: E704  # fmt: skip


@pytest.mark.parametrize(
    ("func", "given"),
    [
        (one, None),
        (two, Thing),
        (three, Thing),
        (four, dict[str, Thing]),
        (five, Thing),
        (six, None),
        (seven, Any),
        (eight, Thing),
        (nine, Thing),
        (eleven, Thing),
    ],
)
def test_a5_it_returns_what_it_yields(func: Any, given: Any) -> None:
    cached = tenure.cache_resource(func)
    assert typing.get_type_hints(cached).get("return") == given
    signature = inspect.signature(cached, eval_str=True)
    assert signature.return_annotation == (inspect.Signature.empty if given is None else given)


def test_a5_annotations_that_are_no_strings() -> None:
    def yields(count: int) -> Any:
        yield count

    for annotation, given in ((Iterator[Thing], Thing), (typing.Generator[int, None, None], int), (Iterator, None)):
        yields.__annotations__ = {"count": int, "return": annotation}
        cached = tenure.cache_resource(yields)
        assert cached.__annotations__.get("return") == given
        assert cached.__annotations__["count"] is int
        # Those of the function itself are its own.
        assert yields.__annotations__["return"] == annotation


def test_a1_partials_and_objects_are_coroutine_functions_too() -> None:
    class Async:
        async def __call__(self) -> None: ...

    async def work(number: int) -> None: ...

    for func in (Async(), functools.partial(work, 1)):
        assert inspect.iscoroutinefunction(tenure.cache_resource(func))
