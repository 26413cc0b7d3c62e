"""When Streamlit's sessions end and come back, and which session an app under test is."""

from __future__ import annotations

import itertools
import weakref

from streamlit import runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunContext
from streamlit.runtime.state.common import TESTING_KEY

from tenure import _native

_TEST_SESSION = "test session id"
"""The one id that AppTest gives to all its sessions."""

_TEST_NAME = "AppTest "
"""How the names begin by which Tenure tells them apart."""

_test_numbers = itertools.count(1)


class _Test:
    """One AppTest's session: it lasts as long as the session state that holds it."""

    __slots__ = ("__weakref__", "name")

    def __init__(self) -> None:
        self.name = f"{_TEST_NAME}{next(_test_numbers)}"
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


_met: weakref.WeakValueDictionary[str, AppSession] = weakref.WeakValueDictionary()
"""The sessions that Streamlit has told of, by their ids."""

_away: weakref.WeakSet[AppSession] = weakref.WeakSet()
"""Those of them that have ended or disconnected, and may come back."""


def ended(session: AppSession) -> None:
    """Streamlit clears the caches of a session when it disconnects, and again when it is shut down for good.

    Its scripts and threads may run on and build for it. Another session may have its id by now.
    """
    _away.add(session)
    if _met.setdefault(session.id, session) is session:
        _native.end_session_aside(session.id)  # On the event loop, which must go on.


def watched(session: AppSession) -> None:
    """Streamlit watches a session's files when it is new, and again when it reconnects."""
    _met[session.id] = session
    _away.discard(session)
    _native.resume_session(session.id)


def has_ended(session_id: str) -> bool:
    """Whether a session that a thread serves is over, for good or until it comes back."""
    session = _met.get(session_id)
    if session is not None:
        return session in _away
    # It began before Tenure was there to be told, or is gone for good; or it is an AppTest's, which lasts as long as
    # anyone can serve it.
    if session_id.startswith(_TEST_NAME) or not runtime.exists():
        return False
    return not runtime.get_instance().is_active_session(session_id)


def current(ctx: ScriptRunContext) -> str:
    """The id of the session that `ctx` serves."""
    return _test_session(ctx) if ctx.session_id == _TEST_SESSION else ctx.session_id
