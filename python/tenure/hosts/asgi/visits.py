"""The requests and WebSockets that serve sessions: each one by itself, or all with one cookie.

1. A session is *visited* while a request or a WebSocket serves it. When the last visit of a cookie's session ends, the
   engine gives it its idle time, in which the next visit resumes it.
2. The cookie is set by the first response whose request has used the session. A session that the client has no cookie
   for ends with its visit, since nobody can come back to it.
3. A session that was ended is over for good: who comes with its cookie later begins another one, under another id. The
   response of the visit that has ended it takes the cookie away, and no other, since the client may have a new one.

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
from tenure.hosts.asgi.sessions import Session, Visit

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
        try:
            with sessions.serving(Visit(session)):
                await app(scope, receive, send)
        finally:
            await sessions.end(session)

    async def end_all(self) -> None:
        """The server ends: nothing is left of those that it has served."""


class _Idle(NamedTuple):
    """A session that nobody visits, and when it ends."""

    session: Session
    until: float


class ByCookie:
    """All requests with one cookie are a session."""

    def __init__(self, cookie: Cookie) -> None:
        self._cookie = cookie
        self._lock = threading.Lock()
        self._visited: dict[str, Session] = {}
        self._idle: dict[str, _Idle] = {}
        """Those that nobody visits, the next one to end first."""
        self._ended: dict[str, float] = {}
        """Those that were ended, until when their cookies may come back: the next one to be forgotten first."""

    async def serve(self, app: _App, scope: Any, receive: _Receive, send: _Send) -> None:
        """Has a request or a WebSocket serve its session."""
        is_socket = scope["type"] == "websocket"
        shares = self._cookie.websockets or not is_socket
        known = self._cookie.read(scope["headers"]) if shares else None
        begun = None if known is None else self._begin(known)
        has_cookie = begun is not None
        value = self._cookie.draw() if known is None or begun is None else known
        key, session = begun or self._add(value)
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
            if self._leave(key, session, has_cookie):
                await sessions.end(session)

    def _begin(self, value: str) -> tuple[str, Session] | None:
        """Begins a visit of the session of a cookie; gives what it is known by here, too. None: it was ended."""
        key = _key(value)
        with self._lock:
            self._forget()
            session = self._visited.get(key)
            idle = None if session is not None else self._idle.pop(key, None)
            if idle is not None:
                session = idle.session
            if key in self._ended or (session is not None and session.is_over):
                # For as long as the cookie would have been good, from now.
                self._ended.pop(key, None)
                self._ended[key] = time.monotonic() + self._cookie.idle
                return None
            if idle is not None:
                _native.resume_session(idle.session.name)
            return key, self._visit(key, session)

    def _add(self, value: str) -> tuple[str, Session]:
        """Begins the first visit of a session of its own."""
        key = _key(value)
        with self._lock:
            return key, self._visit(key, None)

    def _visit(self, key: str, session: Session | None) -> Session:
        session = self._visited[key] = session or Session()
        session.visits += 1
        return session

    def _forget(self) -> None:
        """Forgets what nobody can come back to."""
        now = time.monotonic()
        while self._ended and self._ended[first := next(iter(self._ended))] < now:
            del self._ended[first]
        while self._idle and self._idle[first := next(iter(self._idle))].until + _LATE < now:
            del self._idle[first]

    def _leave(self, key: str, session: Session, has_cookie: bool) -> bool:
        """Ends a visit. Whether the session is to be ended with it."""
        with self._lock:
            session.visits -= 1
            if session.visits > 0:
                return False
            del self._visited[key]
            until = time.monotonic() + self._cookie.idle
            if session.is_over:
                self._forget()
                self._ended[key] = until
                return False
            if not session.is_used:
                return False
            if not has_cookie:
                return True
            self._forget()
            self._idle[key] = _Idle(session, until)
            _native.end_session_after(session.name, self._cookie.idle)
            return False

    async def end_all(self) -> None:
        """The server ends: nobody comes back to those that nobody visits."""
        with self._lock:
            left, self._idle = tuple(self._idle.values()), {}
            self._ended.clear()
        for idle in left:
            await sessions.end(idle.session)


def _key(value: str) -> str:
    """What the session of a cookie is known by here: not what the client has."""
    return hashlib.sha256(value.encode()).hexdigest()
