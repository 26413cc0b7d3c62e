"""Which session the present code serves, and when it ends.

A context variable carries the visit, so that what a request starts (its tasks, the threads of its blocking endpoints)
serves its session too. Once the session is over it says so to whatever of these goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from tenure import _native

__all__ = ["AsgiHost", "Session", "Visit", "current", "end", "host", "serving"]

_numbers = itertools.count(1)


class Session:
    """One session, as those who serve it see it."""

    __slots__ = ("is_over", "is_used", "name", "visits")

    def __init__(self, name: str | None = None) -> None:
        self.name = name or f"asgi:{next(_numbers)}"
        """What the engine knows it by: never what a client is told."""
        self.is_over = False
        self.is_used = name is not None
        """Whether anything may be kept for it: one that goes on under its name was used before."""
        self.visits = 0
        """How many requests and WebSockets serve it now."""


class Visit:
    """One request or WebSocket that serves a session."""

    __slots__ = ("has_ended_it", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.has_ended_it = False
        """Whether the session was ended here, and not by another visit."""


current: ContextVar[Visit | None] = ContextVar("tenure_asgi_visit", default=None)
"""The visit that the present code belongs to."""


@contextlib.contextmanager
def serving(visit: Visit) -> Iterator[None]:
    """Has the code of this context belong to a visit."""
    token = current.set(visit)
    # An app may be called in a build: its sessions are its own, and not those of whoever came first.
    inside = _native.in_session()
    entered = None if inside is None else _native.inside.set(inside)
    try:
        yield
    finally:
        if entered is not None:
            _native.inside.reset(entered)
        current.reset(token)


async def end(session: Session) -> None:
    """Ends a session. Its releases are the program's own code, and run beside the loop, which goes on meanwhile.

    Whoever waits for them here may stop waiting; they go on.
    """
    session.is_over = True
    if not session.is_used:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # It is another library's.
        _native.end_session_after(session.name, 0.0)
        return
    ended: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ended.done():
            ended.set_result(None)

    def told() -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed, and nobody waits there.
            loop.call_soon_threadsafe(tell)

    if _native.end_session_beside(session.name, told):
        await ended
    else:
        _native.end_session_after(session.name, 0.0)


class AsgiHost:
    """The host seam for an ASGI app; see `tenure.hosts.Host` for what each method is asked."""

    name = "asgi"

    def session(self) -> str | None:
        visit = current.get()
        if visit is None:
            return None
        visit.session.is_used = True
        return visit.session.name

    def has_ended(self, session: str) -> bool:
        visit = current.get()
        return visit is None or visit.session.is_over or visit.session.name != session

    def begin(self, func: Callable[..., Any], text: str | None, show_time: bool, allow_widgets: bool) -> None:
        return None

    def wait(self, func: Callable[..., Any], text: str | None, show_time: bool) -> None:
        return None

    def replay(self, recording: Any, func: Callable[..., Any]) -> None:
        return None

    def observe(self, inputs: Any) -> object:
        return None

    def interrupted(self) -> None:
        return None


host = AsgiHost()
