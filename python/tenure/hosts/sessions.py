"""The host of programs with sessions that come and go: what the hosts of all such frameworks share.

A framework's own file tells this one in one of two ways which session the present code serves:

1. It has code *serve* a visit. A context variable carries it, so that what the code starts (its tasks, the threads of
   its blocking handlers) serves its session too; where visits are nested, the innermost one counts.
2. It is asked by `find`, where the framework itself knows whom the present code is for. That is asked first: a request
   is around what the framework does for one of its sessions, also where that request was another's. A visit that was
   begun where the framework said just that is within it: so it is in a server that the code of a session has begun.

Once a session is over it says so to whatever of these goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from typing import Any, NamedTuple

from tenure import _native
from tenure._tasks import leaving
from tenure.hosts import FRAMEWORKS, adapter

__all__ = [
    "Objects",
    "Session",
    "SessionsHost",
    "Visit",
    "current",
    "end",
    "end_aside",
    "end_soon",
    "find",
    "present",
    "serving",
]

_numbers = itertools.count(1)


class Session:
    """A session, as those who serve it see it."""

    __slots__ = ("is_over", "is_used", "kind", "name", "until", "visits")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        """The framework or server whose session it is."""
        self.name = f"{kind}:{next(_numbers)}"
        """Its name for the engine: never what a client is told, or has chosen."""
        self.is_over = False
        self.is_used = False
        """Whether anything may be kept for it."""
        self.visits = 0
        """The number of its visits now."""
        self.until = math.inf
        """The time at which the engine ends it, unless it is visited before."""

    @property
    def has_ended(self) -> bool:
        """Whether it is over for whoever serves it now, also one who has outlived its last visit."""
        return self.is_over or self.until <= time.monotonic()


class Visit:
    """A stretch of work that serves a session: a request, a WebSocket, an event."""

    __slots__ = ("around", "has_ended_it", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.has_ended_it = False
        """Whether the session was ended here, and not by another visit."""
        self.around: tuple[object, ...] = ()
        """What frameworks have said where it was begun: they still say it of code within it, which is not theirs."""


current: ContextVar[Visit | None] = ContextVar("tenure_visit", default=None)
"""The visit that the present code belongs to."""


@contextlib.contextmanager
def serving(visit: Visit | None) -> Iterator[None]:
    """Makes the code of this context belong to a visit; `None`: to none, whatever is around it."""
    if visit is not None:
        visit.around = _around()
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


def _nobody() -> None:
    """Nobody waits; no session is served."""


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


def end_aside(session: Session) -> None:
    """Ends a session from code that nobody awaits, on an event loop that must go on."""
    if session.is_over:
        return
    session.is_over = True
    if session.is_used and not _native.end_session_beside(session.name, _nobody):
        _native.end_session_after(session.name, 0.0)


def end_soon(session: Session) -> None:
    """Ends a session after what its framework does at present: the program's own code may be next, and use it."""
    try:
        asyncio.get_running_loop().call_soon(end_aside, session)
    except RuntimeError:
        end_aside(session)


class Objects:
    """The sessions that a framework has objects of its own for: each lasts until its object's end.

    Parameters
    ----------
    kind
        How their names begin.
    watch
        Has the framework end the session of an object, by `end` or `end_soon`, when that ends. Called once for each,
        where its session is first asked for.
    """

    def __init__(self, kind: str, watch: Callable[[Any, Session], object]) -> None:
        self._kind = kind
        self._watch = watch
        self._sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()

    def known(self, it: Any) -> Session | None:
        """The session of an object that has been asked for before."""
        return self._sessions.get(it)

    def of(self, it: Any, *, is_over: bool = False) -> Session:
        """The session of an object; `is_over`: that had ended before it was first asked for."""
        session = self._sessions.get(it)
        if session is not None:
            return session
        made = Session(self._kind)
        session = self._sessions.setdefault(it, made)
        if session is made:
            if is_over:
                session.is_over = True
            else:
                self._watch(it, made)
                # What goes without a word has ended too.
                weakref.finalize(it, end_aside, made).atexit = False
        return session


class _Teller(NamedTuple):
    """A framework that the program has imported, as it tells of the present code."""

    session: Callable[[], Session | None]
    """Which session the code serves."""
    around: Callable[[], object]
    """By what the framework knows that."""


_tellers: dict[str, _Teller] = {}
"""Those that have been found, by their frameworks' names."""


def _teller(framework: str, module: str) -> _Teller | None:
    """How a framework tells, once it can be asked. Its file here is imported once the program has all of it."""
    told = _tellers.get(framework)
    if told is not None:
        return told
    top = sys.modules.get(framework)
    if top is None or getattr(getattr(top, "__spec__", None), "_initializing", False):
        return None  # Another thread may be in the middle of its import.
    found = adapter(module)
    # One that only has its code serve visits has none.
    session = getattr(found, "present", _nobody)
    return _tellers.setdefault(framework, _Teller(session, getattr(found, "around", session)))


def _around() -> tuple[object, ...]:
    """What the frameworks say of the present code."""
    tellers = (_teller(framework, module) for framework, module in FRAMEWORKS.items())
    told = [teller.around() for teller in tellers if teller is not None]
    return tuple(it for it in told if it is not None)


def present() -> Session | None:
    """The session that the present code serves; None where it serves none."""
    visit = current.get()
    for framework, module in FRAMEWORKS.items():
        teller = _teller(framework, module)
        session = None if teller is None else teller.session()
        # A server that was begun by the code of a session goes on with what the framework says of that.
        if session is not None and not (visit is not None and any(it is session for it in visit.around)):
            return session
    return None if visit is None else visit.session


def _served() -> Session | None:
    """The same for whoever needs none: where a framework has to be told first, the code serves nobody."""
    try:
        return present()
    except _native.ScopeError:
        return None


class _Build:
    """A build, whose code serves the session that its caller does, in whichever task or thread it runs.

    The framework that was asked for the session need not know of these.
    """

    __slots__ = ("_token", "_visit")

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._token: Token[Visit | None] | None = None
        self.enter()

    def enter(self) -> None:
        self._token = current.set(self._visit)

    def leave(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            with contextlib.suppress(ValueError):  # It was another context, which has ended with the build.
                current.reset(token)

    move = leave

    def show(self) -> None:
        pass

    def end(self, ok: bool) -> None:
        self.leave()


class SessionsHost:
    """The host seam for all of these frameworks; see `tenure.hosts.Host` for what each method is asked."""

    name = "sessions"

    def session(self) -> str | None:
        session = present()
        # What a release has built when its session is over is released too, and may have more built: not without end.
        if session is None or (session.has_ended and leaving.get() > 1):
            return None
        session.is_used = True
        return session.name

    def has_ended(self, session: str) -> bool:
        now = _served()
        return now is None or now.has_ended or now.name != session

    def begin(self, func: Callable[..., Any], text: str | None, show_time: bool, allow_widgets: bool) -> _Build | None:
        visit, session = current.get(), _served()
        if session is None or (visit is not None and visit.session is session):
            return None
        return _Build(Visit(session))

    def wait(self, func: Callable[..., Any], text: str | None, show_time: bool) -> None:
        return None

    def replay(self, recording: Any, func: Callable[..., Any]) -> None:
        return None

    def observe(self, inputs: Any) -> object:
        return None

    def interrupted(self) -> None:
        return None


_host = SessionsHost()


def find() -> SessionsHost:
    """The host of a program in which sessions are served."""
    return _host
