"""The requests and WebSockets that serve sessions: each one by itself, or all with one cookie.

1. The cookie is set by the first response whose request has used the session. A session that the client has no cookie
   for ends with its visit, since nobody can come back to it.
2. A session that was ended is over for good: who comes with its cookie later begins another one, under another id. The
   response of the visit that has ended it takes the cookie away, and no other, since the client may have a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from tenure.hosts import sessions
from tenure.hosts.asgi.cookies import Cookie
from tenure.hosts.known import Known
from tenure.hosts.sessions import Session, Visit

__all__ = ["Alone", "ByCookie"]

_App = Callable[..., Awaitable[None]]
_Receive = Callable[[], Awaitable[Any]]
_Send = Callable[[Any], Awaitable[None]]


class Alone:
    """Each request and each WebSocket is a session by itself."""

    async def serve(self, app: _App, scope: Any, receive: _Receive, send: _Send) -> None:
        """Has a request or a WebSocket serve its session."""
        session = Session("asgi")
        try:
            with sessions.serving(Visit(session)):
                await app(scope, receive, send)
        finally:
            await sessions.end(session)

    async def end_all(self) -> None:
        """The server ends: nothing is left of those that it has served."""


class ByCookie:
    """All requests with one cookie are a session."""

    def __init__(self, cookie: Cookie) -> None:
        self._cookie = cookie
        self._known = Known("asgi", cookie.idle, is_once=True)

    async def serve(self, app: _App, scope: Any, receive: _Receive, send: _Send) -> None:
        """Has a request or a WebSocket serve its session."""
        is_socket = scope["type"] == "websocket"
        shares = self._cookie.websockets or not is_socket
        known = self._cookie.read(scope["headers"]) if shares else None
        session = None if known is None else self._known.begin(_key(known))
        has_cookie = session is not None
        value = known if known is not None and has_cookie else self._cookie.draw()
        if session is None:
            session = self._known.begin(_key(value))
            assert session is not None, "an id has just been drawn twice"
        visit = Visit(session)

        async def answering(message: Any) -> None:
            nonlocal has_cookie
            if message["type"] == "http.response.start" and not is_socket:
                header = None
                if visit.has_ended_it and known is not None:
                    header = self._cookie.header("", scope.get("scheme", "http"))
                elif session.is_used and not session.is_over and not has_cookie:
                    header = self._cookie.header(value, scope.get("scheme", "http"))
                    has_cookie = True
                if header is not None:
                    message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        try:
            with sessions.serving(visit):
                await app(scope, receive, answering)
        finally:
            if self._known.leave(_key(value), session, comes_back=has_cookie):
                await sessions.end(session)

    async def end_all(self) -> None:
        """The server ends: nobody comes back to those that nobody visits."""
        await self._known.end_all()


def _key(value: str) -> str:
    """What the session of a cookie is known by here: not what the client has."""
    return hashlib.sha256(value.encode()).hexdigest()
