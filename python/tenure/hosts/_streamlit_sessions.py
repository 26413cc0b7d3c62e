"""When Streamlit's sessions end and come back, and which session an app under test is."""

from __future__ import annotations

import atexit
import itertools
import threading
import time
import weakref

from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunContext
from streamlit.runtime.state.common import TESTING_KEY

from tenure import _native

_TEST_SESSION = "test session id"
"""The one id that AppTest gives to all its sessions."""

_test_numbers = itertools.count(1)


class _Test:
    """One AppTest's session: it lasts as long as the session state that holds it."""

    __slots__ = ("__weakref__", "name")

    def __init__(self) -> None:
        self.name = f"AppTest {next(_test_numbers)}"
        weakref.finalize(self, _native.end_session, self.name).atexit = False


def _test_session(ctx: ScriptRunContext) -> str:
    # AppTest has no connection that could close, and gives all its sessions one id. What it keeps for itself in a
    # session's state is that session's own, and the app does not see it.
    with ctx.session_state._lock:
        try:
            kept = ctx.session_state._state[TESTING_KEY]
        except KeyError:
            return ctx.session_id
        if "tenure" not in kept:
            kept["tenure"] = _Test()
        test = kept["tenure"]
    return str(test.name)


_away: dict[str, None] = {}
"""The ids of sessions that have ended or disconnected, and may come back, in the order in which they went."""

_AWAY_MOST = 10_000
"""How many of them are remembered: for as long as their scripts and threads may go on."""

_met: set[str] = set()
"""The ids of connected sessions that have called something: a first call may come when its session has gone already."""

_late_numbers = itertools.count(1)

_PROMPTLY = 0.1
"""How long, in seconds, the server's event loop waits for a session's releases, which are user code."""

_AT_EXIT = 5.0
"""How long, in seconds, the process waits in the end for those that are still under way."""

_endings: set[threading.Thread] = set()


def _end(session_id: str) -> None:
    """Ends a session for the engine, from the event loop.

    On a thread of its own, so that a slow `on_release` holds up no other session. The loop waits a moment all the same:
    by then the session's entries are out of reach, also for a session that comes straight back, and quick releases are
    done.
    """
    ending = threading.Thread(target=_native.end_session, args=(session_id,), name="tenure-session-end", daemon=True)
    try:
        ending.start()
    except RuntimeError:
        _native.end_session(session_id)  # The interpreter is shutting down and starts no more threads.
        return
    ending.join(_PROMPTLY)
    if ending.is_alive():
        _endings.difference_update([other for other in _endings if not other.is_alive()])
        _endings.add(ending)


@atexit.register
def _finish() -> None:
    until = time.monotonic() + _AT_EXIT
    for ending in _endings:
        ending.join(max(0.0, until - time.monotonic()))


def ended(session: AppSession) -> None:
    """Streamlit clears the caches of a session when it disconnects, and again when it is shut down for good."""
    _met.discard(session.id)
    _went(session.id)
    _end(session.id)


def _went(session_id: str) -> None:
    _away.pop(session_id, None)
    _away[session_id] = None
    if len(_away) > _AWAY_MOST:
        del _away[next(iter(_away))]


def watched(session: AppSession) -> None:
    """Streamlit watches a session's files when it is new, and again when it reconnects."""
    if session.id in _away:
        del _away[session.id]
        _native.resume_session(session.id)


def current(ctx: ScriptRunContext) -> str:
    """The id of the session that `ctx` serves.

    A script or a thread may go on after its session has ended. What it builds is for nobody who comes later: it is
    given an id that ends before anything is kept under it, so that the resource is released once its callers let go.
    """
    if ctx.session_id == _TEST_SESSION:
        return _test_session(ctx)
    if ctx.session_id not in _met and ctx.session_id not in _away:
        if not Runtime.exists() or Runtime.instance().is_active_session(ctx.session_id):
            _met.add(ctx.session_id)
        else:
            _went(ctx.session_id)
    if ctx.session_id in _away:
        return f"{ctx.session_id} after its end {next(_late_numbers)}"
    return ctx.session_id
