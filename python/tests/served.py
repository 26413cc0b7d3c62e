"""What an ASGI server says to an app and hears from it, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Server:
    """The lifespan of an app, as a server drives it, and what the app has answered."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        self.answers: list[dict[str, Any]] = []
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def start(self) -> dict[str, Any]:
        async def send(message: Any) -> None:
            self.answers.append(message)
            await self._from_app.put(message)

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        self._task = asyncio.create_task(self.app(scope, self._to_app.get, send))
        return await self._say("lifespan.startup")

    async def stop(self) -> dict[str, Any]:
        answer = await self._say("lifespan.shutdown")
        await self._task
        return answer

    async def ended(self) -> BaseException | None:
        """What the app's call has raised."""
        await asyncio.wait({self._task})
        return self._task.exception()

    async def _say(self, kind: str) -> dict[str, Any]:
        await self._to_app.put({"type": kind})
        hears = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait({hears, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if hears.done():
            return hears.result()
        hears.cancel()
        return {"type": "nothing"}


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Server]:
    server = Server(app)
    assert await server.start() == {"type": "lifespan.startup.complete"}
    try:
        yield server
    finally:
        assert await server.stop() == {"type": "lifespan.shutdown.complete"}


class Client:
    """A browser: it sends the cookies that it was given."""

    def __init__(self, app: Any, cookie: str | None = None, scheme: str = "http") -> None:
        self.app = app
        self.cookie = cookie
        self.scheme = scheme
        self.set_cookie: str | None = None
        """What the last response has set, if it has."""

    def _scope(self, kind: str, path: str, scheme: str) -> dict[str, Any]:
        headers = [(b"host", b"shop.example")]
        if self.cookie:
            headers.append((b"cookie", f"other=1; {self.cookie}".encode()))
        scope = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": scheme,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("shop.example", 80),
            "state": {},
        }
        return scope | ({"method": "GET"} if kind == "http" else {"subprotocols": []})

    async def get(self, path: str = "/") -> str:
        body = []
        self.set_cookie = None
        is_sent = False

        async def receive() -> Any:
            nonlocal is_sent
            if is_sent:
                # The client stays until it has its response.
                await asyncio.Event().wait()
            is_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                for name, value in message.get("headers", ()):
                    if name == b"set-cookie":
                        self.set_cookie = value.decode()
                        self.cookie = self.set_cookie.partition(";")[0]
            else:
                body.append(message.get("body", b""))

        await self.app(self._scope("http", path, self.scheme), receive, send)
        return b"".join(body).decode()

    @asynccontextmanager
    async def socket(self, path: str = "/") -> AsyncIterator[Socket]:
        socket = Socket()
        scope = self._scope("websocket", path, "ws")
        task = asyncio.create_task(self.app(scope, socket.to_app.get, socket.from_app.put))
        await socket.to_app.put({"type": "websocket.connect"})
        assert (await socket.from_app.get())["type"] == "websocket.accept"
        try:
            yield socket
        finally:
            await socket.to_app.put({"type": "websocket.disconnect", "code": 1000})
            await task


class Socket:
    def __init__(self) -> None:
        self.to_app: asyncio.Queue[Any] = asyncio.Queue()
        self.from_app: asyncio.Queue[Any] = asyncio.Queue()

    async def ask(self, text: str) -> str:
        await self.to_app.put({"type": "websocket.receive", "text": text})
        return (await self.from_app.get())["text"]


async def respond(send: Any, text: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(text).encode()})
