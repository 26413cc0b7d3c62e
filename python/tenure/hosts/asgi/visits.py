"""The requests and WebSockets that serve sessions: each one by itself, or all with one cookie.

1. A session is *visited* while a request or a WebSocket serves it. When the last visit of a cookie's session ends, the
   engine gives it its idle time, in which the next visit resumes it.
2. The cookie is set by the first response whose request has used the session. A session that the client has no cookie
   for ends with its visit, since nobody can come back to it.

Lock: the one of `ByCookie` is taken alone. The engine is told of visits under it, so that it hears of them in order; it
runs none of the program's code for that.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from tenure import _native
from tenure.hosts.asgi import sessions
from tenure.hosts.asgi.cookies import Cookie
from tenure.hosts.asgi.sessions import Session

__all__ = ["Alone", "ByCookie"]

_LATE = 60.0
"""Seconds after which the engine has ended a session whose time is over."""

_App = Callable[..., Awaitable[None]]
_Receive = Callable[[], Awaitable[Any]]
_Send = Callable[[Any], Awaitable[None]]


class Alone:
    """Each request and each WebSocket is a session by itself."""

    async def serve(self, app: _App, scope: Any, receive: _Receive, send: _Send) -> None:
        """Has a request or a WebSocket serve its session."""
        session = Session()
        token = sessions.current.set(session)
        try:
            await app(scope, receive, send)
        finally:
            sessions.current.reset(token)
            await sessions.end(session)

    async def end_all(self) -> None:
        """The server ends: nothing is left of those that it has served."""


class _Idle(NamedTuple):
    """A session that nobody visits, and when it ends."""

    name: str
    until: float


class ByCookie:
    """All requests with one cookie are a session."""

    def __init__(self, cookie: Cookie) -> None:
        self._cookie = cookie
        self._lock = threading.Lock()
        self._visited: dict[str, Session] = {}
        self._idle: dict[str, _Idle] = {}
        """Those that nobody visits, the next one to end first."""

    async def serve(self, app: _App, scope: Any, receive: _Receive, send: _Send) -> None:
        """Has a request or a WebSocket serve its session."""
        is_socket = scope["type"] == "websocket"
        shares = self._cookie.websockets or not is_socket
        known = self._cookie.read(scope["headers"]) if shares else None
        value = known or self._cookie.draw()
        key, session = self._begin(value)
        has_cookie = known is not None

        async def answering(message: Any) -> None:
            nonlocal has_cookie
            if message["type"] == "http.response.start" and not is_socket:
                header = None
                if session.is_over and has_cookie:
                    header = self._cookie.header("", scope.get("scheme", "http"))
                elif session.is_used and not session.is_over and not has_cookie:
                    header = self._cookie.header(value, scope.get("scheme", "http"))
                    has_cookie = True
                if header is not None:
                    message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        token = sessions.current.set(session)
        try:
            await app(scope, receive, answering)
        finally:
            sessions.current.reset(token)
            if self._leave(key, session, has_cookie):
                await sessions.end(session)

    def _begin(self, value: str) -> tuple[str, Session]:
        """Begins a visit of the session of a cookie; gives what it is known by here, too."""
        key = hashlib.sha256(value.encode()).hexdigest()
        with self._lock:
            session = self._visited.get(key)
            if session is None or session.is_over:
                idle = self._idle.pop(key, None)
                # One that was ended while others visit it has nothing in common with the next one.
                session = self._visited[key] = Session(None if idle is None else idle.name)
                if idle is not None:
                    _native.resume_session(session.name)
            session.visits += 1
            return key, session

    def _leave(self, key: str, session: Session, has_cookie: bool) -> bool:
        """Ends a visit. Whether the session is to be ended with it."""
        with self._lock:
            session.visits -= 1
            if session.visits > 0:
                return False
            if self._visited.get(key) is session:
                del self._visited[key]
            if session.is_over or not session.is_used:
                return False
            if not has_cookie:
                return True
            now = time.monotonic()
            while self._idle and self._idle[first := next(iter(self._idle))].until + _LATE < now:
                del self._idle[first]
            self._idle[key] = _Idle(session.name, now + self._cookie.idle)
            _native.end_session_after(session.name, self._cookie.idle)
            return False

    async def end_all(self) -> None:
        """The server ends: nobody comes back to those that nobody visits."""
        with self._lock:
            left, self._idle = tuple(self._idle.values()), {}
        for idle in left:
            await sessions.end(Session(idle.name))
