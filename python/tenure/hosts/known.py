"""Sessions that are known by a key, which whoever comes back has: visited, idle, ended.

A session is *visited* while something serves it. When its last visit ends, the engine gives it its idle time, in which
the next visit resumes it.

Lock: the one of `Known` is taken alone. The engine is told of visits under it, so that it hears of them in order; it
runs none of the program's code for that.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Hashable

from tenure import _native
from tenure.hosts import sessions
from tenure.hosts.sessions import Session

__all__ = ["Known"]

_LATE = 60.0
"""Seconds after which the engine has ended a session whose time is over."""


class Known:
    """The sessions that are known by a key.

    Parameters
    ----------
    kind
        How their names begin.
    idle
        The seconds for which a session stays that nobody visits.
    is_once
        Whether the key of a session that was ended is good for no other, for as long as the session would have stayed.
    """

    def __init__(self, kind: str, idle: float, *, is_once: bool = False) -> None:
        self._kind = kind
        self._span = idle
        self._is_once = is_once
        self._lock = threading.Lock()
        self._visited: dict[Hashable, Session] = {}
        self._idle: dict[Hashable, Session] = {}
        """Those that nobody visits, the next one to end first."""
        self._ended: dict[Hashable, float] = {}
        """The keys of those that were ended, until when they may come back: the next one to be forgotten first."""

    def begin(self, key: Hashable) -> Session | None:
        """Begins a visit of the session of a key. None: it was ended, and the key is good for no other."""
        with self._lock:
            self._forget()
            session = self._visited.get(key)
            if session is None:
                session = self._idle.pop(key, None)
            is_over = session is not None and session.is_over
            if self._is_once and (key in self._ended or is_over):
                # For as long as it would have been good, from now.
                self._ended.pop(key, None)
                self._ended[key] = time.monotonic() + self._span
                return None
            # One whose time is over has ended, and whoever outlived it is not to find itself in another.
            if session is None or session.has_ended:
                session = Session(self._kind)
            elif session.visits == 0:
                session.until = math.inf
                _native.resume_session(session.name)
            self._visited[key] = session
            session.visits += 1
            return session

    def leave(self, key: Hashable, session: Session, *, comes_back: bool = True) -> bool:
        """Ends a visit. Whether the session is to be ended with it: nobody `comes_back` who has its key."""
        with self._lock:
            session.visits -= 1
            if session.visits > 0:
                return False
            if self._visited.get(key) is session:
                del self._visited[key]
            until = time.monotonic() + self._span
            if session.is_over:
                self._forget()
                if self._is_once:
                    self._ended[key] = until
                return False
            if not session.is_used:
                return False
            if not comes_back:
                return True
            self._forget()
            session.until = until
            self._idle[key] = session
            _native.end_session_after(session.name, self._span)
            return False

    def _forget(self) -> None:
        """Forgets what nobody can come back to."""
        now = time.monotonic()
        while self._ended and self._ended[first := next(iter(self._ended))] < now:
            del self._ended[first]
        while self._idle and self._idle[first := next(iter(self._idle))].until + _LATE < now:
            del self._idle[first]

    async def end_all(self) -> None:
        """Ends all sessions that nobody visits: nobody comes back to them."""
        with self._lock:
            left, self._idle = tuple(self._idle.values()), {}
            self._ended.clear()
        for session in left:
            await sessions.end(session)
