"""When Streamlit's sessions end and come back, and which session an app under test is."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunContext, ScriptRunnerEvent
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


_away: weakref.WeakSet[AppSession] = weakref.WeakSet()
"""Sessions that have ended or disconnected, and may come back."""


def ended(session: AppSession) -> None:
    _away.add(session)
    _native.end_session(session.id)
    runner = session._scriptrunner
    if runner is None:
        return
    # Its script may still be running, and build for this session once more before it notices.
    loop, session_id, gone = session._event_loop, session.id, weakref.ref(session)

    def end_again() -> None:
        owner = gone()
        if owner is None or owner in _away:
            _native.end_session(session_id)

    def heard(_: Any, event: ScriptRunnerEvent, **_details: Any) -> None:
        if event is ScriptRunnerEvent.SHUTDOWN:
            try:
                # On the event loop, where sessions connect, so that none comes back between the question and the end.
                loop.call_soon_threadsafe(end_again)
            except RuntimeError:
                end_again()  # The server has stopped.

    runner.on_event.connect(heard, weak=False)


def watched(session: AppSession) -> None:
    """Streamlit watches a session's files when it is new, and again when it reconnects."""
    if session in _away:
        _away.discard(session)
        _native.resume_session(session.id)


def current(ctx: ScriptRunContext) -> str:
    """The id of the session that `ctx` serves."""
    return _test_session(ctx) if ctx.session_id == _TEST_SESSION else ctx.session_id
