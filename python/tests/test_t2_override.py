"""T2: `override(f, value)` holds for a block or a test, for all threads and loops."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest

import tenure
from tenure.testing import override
from world import Job


@pytest.fixture(autouse=True)
def begins_anew() -> Iterator[None]:
    with tenure.testing.isolated():
        yield


released: list[Any] = []


@tenure.cache_resource(on_release=released.append)
def pool(name: str = "main") -> Any:
    return [name]


@tenure.cache_resource
async def client(name: str = "main") -> Any:
    return [name]


class Service:
    def __init__(self, name: str) -> None:
        self.name = name

    @tenure.cache_resource(hash_funcs={f"{__name__}.Service": id})
    def table(self, what: str) -> Any:
        return (self.name, what)


def test_t2_a_value_for_every_call_and_every_thread() -> None:
    fake = object()
    with override(pool, fake) as given:
        assert given is fake
        assert pool() is fake
        assert pool("x") is fake
        assert pool.__call__("y") is fake
        assert Job(pool).result() is fake
    assert pool() == ["main"]


def test_t2_a_function_gets_the_arguments_of_the_call() -> None:
    def fake(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    with override(pool, fake):
        assert pool("a") == (("a",), {})
        assert pool(name="b") == ((), {"name": "b"})
    with override(pool, functools.partial(fake, 1)):
        assert pool("a") == ((1, "a"), {})
    with override(pool, lambda name: name * 2):
        assert pool("a") == "aa"
        with pytest.raises(TypeError, match="missing"):
            pool()


def test_t2_a_mock_is_the_value() -> None:
    mock = MagicMock()
    with override(pool, mock):
        assert pool() is mock
    mock.assert_not_called()


def test_t2_the_last_one_counts_and_the_others_are_there_again() -> None:
    outer, inner = override(pool, 1), override(pool, 2)
    with outer:
        with inner:
            assert pool() == 2
            with outer:
                assert pool() == 1
            assert pool() == 2
        assert pool() == 1
    assert pool() == ["main"]
    with outer:
        inner.__enter__()
    assert pool() == 2  # They need not end in order.
    inner.__exit__(None, None, None)
    assert pool() == ["main"]


def test_t2_as_a_decorator() -> None:
    @override(pool, 7)
    def test() -> Any:
        return pool()

    @override(client, 8)
    async def test_async() -> Any:
        await asyncio.sleep(0)
        return await client()

    assert test() == 7
    assert asyncio.run(test_async()) == 8
    assert pool() == ["main"]


def test_t2_async_functions_stay_awaitable() -> None:
    async def fake(name: str = "main") -> str:
        await asyncio.sleep(0)
        return f"async {name}"

    async def main() -> None:
        with override(client, 7):
            assert await client() == 7
            async with client.lease("x") as leased:
                assert leased == 7
            assert await asyncio.create_task(client("y")) == 7
        with override(client, fake):
            assert await client("z") == "async z"
        with override(client, lambda: "plain"):
            assert await client() == "plain"
        assert await client() == ["main"]

    asyncio.run(main())


def test_t2_methods_of_all_and_of_one() -> None:
    one, two = Service("one"), Service("two")
    with override(Service.table, lambda self, what: (self.name, what, "fake")):
        assert one.table("t") == ("one", "t", "fake")
        with override(one.table, lambda what: what):
            assert one.table("t") == "t"
            assert two.table("t") == ("two", "t", "fake")
    with override(one.table, 7):
        assert one.table("t") == 7
        with one.table.lease("t") as leased:
            assert leased == 7
        assert one.table.peek("t") == 7
        assert two.table.peek("t") is None
        assert two.table("t") == ("two", "t")
    assert one.table("t") == ("one", "t")


def test_t2_what_else_is_asked_of_the_function() -> None:
    released.clear()
    kept = pool()
    with override(pool, "fake"):
        assert pool.peek() == "fake"
        with pool.lease() as leased:
            assert leased == "fake"
        pool.discard("fake")
        warming = pool.warm(["a", "b"])
        assert warming.wait(10)
        assert warming.failures == ()
        assert (pool.info().builds, pool.info().hits, pool.info().entries) == (1, 0, 1)
        pool.clear()
    assert released == [kept]
    with override(pool, lambda: "fake"):
        assert pool.peek() is None
    assert pool() is not kept


def test_t2_what_cannot_stand_there_is_refused() -> None:
    async def later() -> None: ...

    def yields() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"that tenure.cache_resource has decorated.*override\(f, value\)"):
        override(later, 1)
    with pytest.raises(TypeError, match="is not async, and what stands in its place is"):
        override(pool, later)
    with pytest.raises(TypeError, match="yields, and nothing tears it down"):
        override(pool, yields)
