"""A1, A5: cached functions as what a framework injects: as they are, with their parameters."""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import caching
import pytest
from fastapi import Depends, FastAPI, Query, WebSocket
from fastapi.testclient import TestClient
from litestar import Litestar, get
from litestar.di import Provide
from litestar.testing import TestClient as LitestarClient

import tenure
import tenure.asgi

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@tenure.cache_resource(scope="loop")
async def numbers(size: int = 4) -> list[int]:
    return list(range(size))


@tenure.cache_resource(scope="loop")
async def greeting(name: Annotated[str, Query(min_length=2)] = "you") -> AsyncIterator[dict[str, str]]:
    caching.notes.append(f"{name} comes")
    yield {"hello": name}
    caching.notes.append(f"{name} goes")


@tenure.cache_resource
def shelf(shop: str) -> Iterator[list[str]]:
    yield [shop]
    caching.notes.append(f"{shop} closes")


@tenure.cache_resource
def plain(count: int = 1) -> dict[str, int]:
    return {"count": count}


class Service:
    @tenure.cache_resource(scope="loop")
    async def numbers(_self, size: int = 2) -> list[int]:
        return list(range(size))

    @tenure.cache_resource(scope="loop")
    async def greeting(_self, name: str = "you") -> AsyncIterator[dict[str, str]]:
        yield {"hello": name}


async def yielding(first: str, name: str = "x") -> AsyncIterator[list[str]]:
    yield [first, name]


def yielding_blocking(first: str, name: str = "x") -> Iterator[list[str]]:
    yield [first, name]


async def returning(first: str, name: str = "x") -> list[str]:
    return [first, name]


class Yielding:
    async def __call__(self, name: str = "x") -> AsyncIterator[list[str]]:
        yield ["called", name]


class YieldingBlocking:
    def __call__(self, name: str = "x") -> Iterator[list[str]]:
        yield ["called", name]


class Returning:
    async def __call__(self, name: str = "x") -> list[str]:
        return ["called", name]


SHAPES: dict[str, Any] = {
    "async partial": functools.partial(returning, "a"),
    "async generator partial": functools.partial(yielding, "a"),
    "generator partial": functools.partial(yielding_blocking, "a"),
    "async object": Returning(),
    "async generator object": Yielding(),
    "generator object": YieldingBlocking(),
}


def test_a1_fastapi_depends_takes_them_as_they_are() -> None:
    app = FastAPI(lifespan=tenure.asgi.lifespan)

    @app.get("/async")
    async def get_async(
        some: Annotated[list[int], Depends(numbers)], greets: dict[str, str] = Depends(greeting)
    ) -> list[Any]:
        return [some, greets, id(some), id(greets)]

    @app.get("/blocking/{shop}")
    def get_blocking(goods: Annotated[list[str], Depends(shelf)], one: Annotated[Any, Depends(plain)]) -> list[Any]:
        return [goods, one, id(goods), id(one)]

    service = Service()

    @app.get("/methods")
    def get_methods(some: Any = Depends(service.numbers), greets: Any = Depends(service.greeting)) -> list[Any]:
        return [some, greets]

    with TestClient(app) as client:
        for path in ("/async", "/async?size=2&name=ada", "/blocking/seeds", "/blocking/bulbs?count=7"):
            # The same objects each time: what yields is not entered and left at each request.
            assert client.get(path).json() == client.get(path).json()
        assert client.get("/async?size=2&name=ada").json()[:2] == [[0, 1], {"hello": "ada"}]
        assert client.get("/blocking/bulbs?count=7").json()[:2] == [["bulbs"], {"count": 7}]
        assert client.get("/methods?size=3&name=bob").json() == [[0, 1, 2], {"hello": "bob"}]
        refused = client.get("/async?name=x")
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["query", "name"])
        assert caching.notes == ["you comes", "ada comes"]
    assert sorted(caching.notes[2:]) == ["ada goes", "you goes"]
    shelf.clear("seeds")
    assert caching.notes[4:] == ["seeds closes"]
    parameters = app.openapi()["paths"]["/async"]["get"]["parameters"]
    assert [(it["name"], it["schema"].get("minLength")) for it in parameters] == [("size", None), ("name", 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a1_partials_and_callable_objects_too(shape: str) -> None:
    cached = tenure.cache_resource(SHAPES[shape])
    assert inspect.iscoroutinefunction(cached) == shape.startswith("async")
    app = FastAPI()

    @app.get("/")
    async def read(it: list[str] = Depends(cached)) -> list[Any]:
        return [*it, id(it)]

    with TestClient(app) as client:
        assert client.get("/?name=y").json()[1] == "y"
        assert client.get("/").json() == client.get("/").json()
    cached.clear()


def test_a1_a_websocket_depends_on_them_too() -> None:
    app = FastAPI()

    @app.websocket("/")
    async def greet(socket: WebSocket, greets: Annotated[dict[str, str], Depends(greeting)]) -> None:
        await socket.accept()
        await socket.send_json(greets)
        await socket.close()

    with TestClient(app) as client, client.websocket_connect("/?name=ada") as socket:
        assert socket.receive_json() == {"hello": "ada"}


def test_a1_they_are_endpoints_themselves() -> None:
    """What a response is made of is what is yielded, not the generator that the function is annotated as."""
    app = FastAPI()
    app.get("/numbers")(numbers)
    app.get("/greeting")(greeting)
    app.get("/shelf/{shop}")(shelf)
    with TestClient(app) as client:
        got = [client.get(path).json() for path in ("/numbers?size=2", "/greeting?name=ada", "/shelf/seeds")]
    assert got == [[0, 1], {"hello": "ada"}, ["seeds"]]
    response = app.openapi()["paths"]["/greeting"]["get"]["responses"]["200"]
    assert response["content"]["application/json"]["schema"]["type"] == "object"


def test_a1_litestar_provides_them() -> None:
    dependencies = {
        "some": Provide(numbers),
        "greets": Provide(greeting),
        "goods": Provide(shelf, sync_to_thread=False),
        "one": Provide(plain, sync_to_thread=True),
    }

    @get("/{shop:str}", dependencies=dependencies)
    async def read(
        some: list[int], greets: dict[str, str], goods: list[str], one: dict[str, int]
    ) -> list[Any]:  # fmt: skip
        return [some, greets, goods, one]

    with LitestarClient(Litestar([read], lifespan=[tenure.asgi.lifespan])) as client:
        seen = [client.get("/seeds?size=2&name=ada&count=3").json() for _ in range(2)]
        assert seen[0] == seen[1]
        assert seen[0] == [[0, 1], {"hello": "ada"}, ["seeds"], {"count": 3}]
        # What the endpoint gets may be a copy, which its types are checked on.
        assert [it.info().entries for it in (numbers, greeting, shelf, plain)] == [1] * 4
        assert caching.notes == ["ada comes"]
    assert caching.notes == ["ada comes", "ada goes"]


@pytest.mark.parametrize("cached", [numbers, greeting, Service.numbers, Service().greeting])
def test_a1_whoever_inspects_one_sees_a_coroutine_function(cached: Any) -> None:
    for looked_at in (cached, inspect.unwrap(cached)):
        assert inspect.iscoroutinefunction(looked_at)
        assert not inspect.isasyncgenfunction(looked_at)
        assert not inspect.isgeneratorfunction(looked_at)


def test_a5_whoever_reads_annotations_sees_what_is_yielded() -> None:
    for cached, given in ((greeting, dict[str, str]), (shelf, list[str]), (numbers, list[int])):
        assert typing.get_type_hints(cached)["return"] == given
        assert inspect.signature(cached, eval_str=True).return_annotation == given
    name = typing.get_type_hints(greeting, include_extras=True)["name"]
    assert name.__metadata__[0].metadata[0].min_length == 2


def test_a5_what_stands_behind_one_that_yields_says_what_to_call() -> None:
    with pytest.raises(TypeError, match="call shelf itself"):
        shelf.__wrapped__("seeds")
    with pytest.raises(TypeError, match="call greeting itself"):
        asyncio.run(greeting.__wrapped__())
