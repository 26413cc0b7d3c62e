"""K18: a request of any framework stands for whoever asks now, so it is no argument; what was read of it is."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import flask
import litestar.testing
import pytest
import quart
from aiohttp.test_utils import make_mocked_request
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

import tenure

SENT = {"path": "/", "query_string": b"", "headers": [(b"authorization", b"ada")]}


class Own(Request):
    """A request as a program extends it."""


async def receive() -> Any:
    """Nothing comes."""


async def send(message: Any) -> None:
    """Nobody listens."""


def of_flask() -> Any:
    with flask.Flask(__name__).test_request_context("/", headers={"authorization": "ada"}):
        return flask.request._get_current_object()  # type: ignore[attr-defined]


async def of_quart() -> Any:
    async with quart.Quart(__name__).test_request_context("/", headers={"authorization": "ada"}):
        return quart.request._get_current_object()  # type: ignore[attr-defined]


REQUESTS: dict[str, Callable[[], Any]] = {
    "starlette": lambda: Request({"type": "http", "method": "GET", **SENT}),
    "a class of the program's": lambda: Own({"type": "http", "method": "GET", **SENT}),
    "a connection": lambda: HTTPConnection({"type": "http", **SENT}),
    "a websocket": lambda: WebSocket({"type": "websocket", **SENT}, receive, send),
    "litestar": lambda: litestar.testing.RequestFactory().get("/", headers={"authorization": "ada"}),
    "flask": of_flask,
    "quart": lambda: asyncio.run(of_quart()),
    "aiohttp": lambda: make_mocked_request("GET", "/", headers={"authorization": "ada"}),
}


@dataclasses.dataclass
class Holding:
    request: Any


AROUND: dict[str, Callable[[Any], Any]] = {
    "alone": lambda it: it,
    "in a list": lambda it: [it],
    "in an object": Holding,
}


@tenure.cache_resource
def of_request(request: Any) -> list[Any]:
    return [request]


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("made", REQUESTS.values(), ids=REQUESTS)
def test_k18_a_request_is_refused_with_what_to_pass(made: Callable[[], Any], around: Callable[[Any], Any]) -> None:
    request = made()
    with pytest.raises(tenure.UnhashableParamError) as caught:
        of_request(around(request))
    text = str(caught.value)
    name = f"{type(request).__module__}.{type(request).__qualname__}"
    said = f'a `{name}`, which stands for whoever asks now. Pass what counts of it, request.headers["…"] say'
    assert said in text
    assert of_request(request.headers["authorization"]) == ["ada"]


def test_k18_what_a_request_is_keyed_by_can_be_said() -> None:
    @tenure.cache_resource(hash_funcs={Request: lambda it: it.headers["authorization"]})
    def keyed(request: Request) -> list[str]:
        return [request.headers["authorization"]]

    assert keyed(REQUESTS["starlette"]()) is keyed(REQUESTS["starlette"]())
