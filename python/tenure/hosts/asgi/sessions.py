"""Which session the present code serves, and when it ends.

A context variable carries it, so that what a request starts (its tasks, the threads of its blocking endpoints) serves
its session too. Once the session is over it says so to whatever of these goes on.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from tenure import _native

__all__ = ["AsgiHost", "Session", "current", "end", "host"]

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


current: ContextVar[Session | None] = ContextVar("tenure_asgi_session", default=None)
"""The session that the present code serves."""


async def end(session: Session) -> None:
    """Ends a session. Its releases are the program's own code, and run beside the loop, which goes on meanwhile.

    Whoever waits for them here may stop waiting; they go on.
    """
    session.is_over = True
    if not session.is_used:
        return
    try:
        loop = asyncio.get_running_loop()
        ending = loop.run_in_executor(None, _native.end_session_after, session.name, 0.0)
    except RuntimeError:  # The loop is another library's, or has no threads any more.
        _native.end_session_after(session.name, 0.0)
    else:
        await asyncio.shield(ending)


class AsgiHost:
    """The host seam for an ASGI app; see `tenure.hosts.Host` for what each method is asked."""

    name = "asgi"

    def session(self) -> str | None:
        session = current.get()
        if session is None:
            return None
        session.is_used = True
        return session.name

    def has_ended(self, session: str) -> bool:
        here = current.get()
        return here is None or here.is_over or here.name != session

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
