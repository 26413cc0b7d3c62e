"""A9: the same caching code under each framework: one lifespan, and one middleware with its sessions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import caching
import litestar
import pytest
import quart
import trio
from fastapi import BackgroundTasks, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

import tenure.asgi
from served import Client, serving

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def answer(thing: str) -> dict[str, Any]:
    """What every app answers: it is open, and this is what the caller has put into their basket."""
    own = await caching.basket()
    own.append(thing)
    pool = await caching.pool()
    return {"open": pool.is_open, "pool": id(pool), "own": own, "model": caching.model()["name"]}


@asynccontextmanager
async def own_lifespan(app: Any) -> AsyncIterator[None]:
    caching.notes.append("app starts")
    yield
    caching.notes.append("app ends")


def fastapi(lifespan: Any) -> Any:
    app = FastAPI(lifespan=lifespan)
    app.get("/{thing}")(answer)

    @app.websocket("/{thing}")
    async def socket(socket: WebSocket, thing: str) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(json.dumps(await answer(text)))

    return app


def starlette(lifespan: Any) -> Any:
    async def get(request: Any) -> JSONResponse:
        return JSONResponse(await answer(request.path_params["thing"]))

    async def socket(socket: Any) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(json.dumps(await answer(text)))

    return Starlette(routes=[Route("/{thing}", get), WebSocketRoute("/{thing}", socket)], lifespan=lifespan)


def litestar_app(lifespan: Any) -> Any:
    @litestar.get("/{thing:str}")
    async def get(thing: str) -> dict[str, Any]:
        return await answer(thing)

    @litestar.websocket_listener("/{thing:str}")
    async def socket(data: str, thing: str) -> str:
        return json.dumps(await answer(data))

    return litestar.Litestar([get, socket], lifespan=[lifespan] if lifespan else [])


def quart_app(lifespan: Any) -> Any:
    app = quart.Quart(__name__)

    @app.get("/<thing>")
    async def get(thing: str) -> dict[str, Any]:
        return await answer(thing)

    @app.websocket("/<thing>")
    async def socket(thing: str) -> None:
        while True:
            text = await quart.websocket.receive()
            await quart.websocket.send(json.dumps(await answer(text)))

    if lifespan is not None:

        @app.while_serving
        async def live() -> AsyncIterator[None]:
            async with lifespan(app):
                yield

    return app


APPS = [fastapi, starlette, litestar_app, quart_app]


@pytest.mark.parametrize("make", APPS)
@pytest.mark.parametrize("has_own", [False, True])
def test_a9_the_lifespan_serves_every_framework(make: Callable[[Any], Any], has_own: bool) -> None:
    async def main() -> None:
        lifespan = tenure.asgi.lifespan(own_lifespan) if has_own else tenure.asgi.lifespan
        async with serving(make(lifespan)):
            await caching.pool()
        own = ["app starts"] * has_own, ["app ends"] * has_own
        assert caching.notes == [*own[0], "pool of 4 opens", *own[1], "pool of 4 closes"]

    asyncio.run(main())


@pytest.mark.parametrize("make", APPS)
def test_a9_the_middleware_serves_every_framework(make: Callable[[Any], Any]) -> None:
    async def main() -> None:
        inner = make(own_lifespan)
        app = tenure.asgi.Middleware(inner, warm=[caching.pool], session="cookie")
        async with serving(app):
            ada, bob = Client(app), Client(app)
            seen = [json.loads(await who.get(path)) for who, path in ((ada, "/a"), (bob, "/b"), (ada, "/c"))]
            assert [it["own"] for it in seen] == [["a"], ["b"], ["a", "c"]]
            assert len({it["pool"] for it in seen}) == 1
            assert all(it["open"] for it in seen)
            async with ada.socket("/d") as socket:
                assert json.loads(await socket.ask("e"))["own"] == ["a", "c", "e"]
            caching.notes.append("server stops")
        assert caching.notes[:2] == ["pool of 4 opens", "app starts"]
        end = caching.notes[caching.notes.index("server stops") + 1 :]
        assert end == ["app ends", "basket of 1 closes", "basket of 3 closes", "pool of 4 closes"]

    asyncio.run(main())


@pytest.mark.parametrize("make", APPS)
def test_a9_requests_and_websockets_are_sessions_under_every_framework(make: Callable[[Any], Any]) -> None:
    async def main() -> None:
        app = tenure.asgi.Middleware(make(None))
        async with serving(app):
            client = Client(app)
            for thing in "ab":
                assert json.loads(await client.get(f"/{thing}"))["own"] == [thing]
            async with client.socket("/c") as socket:
                await socket.ask("d")
                assert json.loads(await socket.ask("e"))["own"] == ["d", "e"]
            while sum(note.startswith("basket of") for note in caching.notes) < 3:
                await asyncio.sleep(0.001)
        assert [note for note in caching.notes if "basket of" in note] == [
            "basket of 1 closes", "basket of 1 closes", "basket of 2 closes"
        ]  # fmt: skip

    asyncio.run(main())


def test_a9_the_sessions_of_the_middleware_serve_under_trio() -> None:
    released = []

    @tenure.cache_resource(scope="session", on_release=released.append)
    def own() -> list[str]:
        return ["own"]

    async def get(request: Any) -> JSONResponse:
        return JSONResponse(own())

    app = Starlette(routes=[Route("/", get)])
    assert json.loads(trio.run(Client(tenure.asgi.Middleware(app)).get)) == ["own"]
    assert released == [["own"]]


def test_a9_an_endpoint_of_starlette_is_a_function_that_calls_a_cached_one() -> None:
    @tenure.cache_resource
    async def page(request: Any) -> JSONResponse:
        raise AssertionError("must not be called")

    async def main() -> None:
        with pytest.raises(TypeError, match="too many positional arguments"):
            await Client(Starlette(routes=[Route("/", page)])).get()

    asyncio.run(main())


def test_a9_the_middleware_is_one_among_those_of_starlette_too() -> None:
    app = FastAPI(lifespan=own_lifespan)
    app.add_middleware(tenure.asgi.Middleware, warm=[caching.pool])

    async def passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)

    async def note() -> None:
        caching.notes.append(f"background finds {len(await caching.basket())}")

    @app.get("/stream")
    async def stream(tasks: BackgroundTasks) -> Any:
        async def body() -> AsyncIterator[str]:
            for thing in "ab":
                (await caching.basket()).append(thing)
                yield thing

        tasks.add_task(note)
        return StreamingResponse(body(), background=tasks)

    @app.get("/blocking")
    def blocking() -> str:
        return caching.model()["name"]

    async def main() -> None:
        async with serving(app):
            assert await Client(app).get("/stream") == "ab"
            assert await Client(app).get("/blocking") == '"small"'
            while "basket of 2 closes" not in caching.notes:
                await asyncio.sleep(0.001)
        assert caching.notes == [
            "pool of 4 opens", "app starts", "basket opens", "background finds 2", "basket of 2 closes", "app ends",
            "pool of 4 closes",
        ]  # fmt: skip

    asyncio.run(main())
