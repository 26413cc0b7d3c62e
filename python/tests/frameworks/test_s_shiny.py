"""S: Shiny's sessions: a real server, and what a page says to it over its WebSocket."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from baskets import async_basket, basket, ledger
from servers import listening
from shiny import App, Inputs, Outputs, Session, module, reactive, render, ui
from websockets.sync.client import connect

import tenure.asgi
from world import LOST

pytestmark = pytest.mark.filterwarnings("ignore")


class Page:
    """An open page."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def say(self, method: str, **inputs: Any) -> None:
        self._socket.send(json.dumps({"method": method, "data": inputs}))

    def hears(self, text: str) -> None:
        """Waits for a message with this text."""
        while text not in self._socket.recv(LOST):
            pass


@contextmanager
def opened(url: str) -> Iterator[Page]:
    with connect(url.replace("http", "ws") + "/websocket/") as socket:
        yield Page(socket)


def app(server: Any) -> App:
    return App(ui.page_fluid(ui.input_text("thing", "Thing")), server)


def test_s2_a_page_is_a_session_and_its_resources_are_released_at_its_end() -> None:
    @module.server
    def part(input: Inputs, output: Outputs, session: Session) -> None:
        basket().append("module")

    def server(input: Inputs, output: Outputs, session: Session) -> None:
        basket().append("opened")
        part("part")

        @output
        @render.text
        def things() -> str:
            basket().append(input.thing())
            return ",".join(basket())

        @output
        @render.text
        async def things_async() -> str:
            input.thing()
            return "async " + ",".join(await async_basket())

    with listening(app(server)) as url:
        with opened(url) as hers, opened(url) as his:
            for page in (hers, his):
                outputs = {f".clientdata_output_{it}_hidden": False for it in ("things", "things_async")}
                page.say("init", thing="a", **outputs)
                page.hears("opened,module,a")
            hers.say("update", thing="b")
            hers.hears("async opened,module,a,b")
            assert ledger.names() == []
            assert basket.info().entries == 2
        ledger.await_releases(2)
    assert sorted(ledger.names()) == [["opened", "module", "a"], ["opened", "module", "a", "b"]]
    assert async_basket.info().entries == 0


def test_s2_what_outlives_a_page_builds_for_nobody() -> None:
    is_served, goes_on, done = threading.Event(), threading.Event(), threading.Event()

    def server(input: Inputs, output: Outputs, session: Session) -> None:
        basket()
        is_served.set()
        context = contextvars.copy_context()

        def later() -> None:
            assert goes_on.wait(LOST)
            context.run(basket)
            done.set()

        threading.Thread(target=later).start()

    with listening(app(server)) as url:
        with opened(url) as page:
            page.say("init")
            assert is_served.wait(LOST)
        ledger.await_releases(1)
        goes_on.set()
        assert done.wait(LOST)
        ledger.await_releases(2)
    assert basket.info().entries == 0


def test_s2_a_server_that_a_page_has_begun_serves_sessions_of_its_own() -> None:
    """Its requests carry what Shiny says of that page, and are no part of it."""
    asked: list[list[list[str]]] = []
    is_asked = threading.Event()

    async def put(scope: Any, receive: Any, send: Any) -> None:
        basket().append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(basket()).encode()})

    def server(input: Inputs, output: Outputs, session: Session) -> None:
        @reactive.effect
        async def _() -> None:
            basket().append("page")
            within = httpx.ASGITransport(tenure.asgi.Middleware(put))
            async with httpx.AsyncClient(transport=within, base_url="http://within") as client:
                asked.append([(await client.get(it)).json() for it in ("/a", "/b")])
            asked.append([basket()])
            is_asked.set()

    with listening(app(server)) as url, opened(url) as page:
        page.say("init")
        assert is_asked.wait(LOST)
    assert asked == [[["/a"], ["/b"]], [["page"]]]


def test_s3_where_no_page_is_known_there_is_no_session() -> None:
    raised: list[BaseException | None] = []
    is_served = threading.Event()

    def server(input: Inputs, output: Outputs, session: Session) -> None:
        with ThreadPoolExecutor(1) as pool:
            raised.append(pool.submit(basket).exception())
        is_served.set()

    with listening(app(server)) as url, opened(url) as page:
        page.say("init")
        assert is_served.wait(LOST)
    assert "In Shiny call it in the server function" in str(raised[0])
    with pytest.raises(tenure.ScopeError):
        basket()
    assert ledger.built == []
