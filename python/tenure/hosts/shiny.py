"""Shiny apps: a session of Shiny's, which is a page that is open, is a session.

Shiny knows the session of the present code, in reactive functions, in modules and in extended tasks.
"""

from __future__ import annotations

from typing import Any

from shiny.session import get_current_session

from tenure.hosts import sessions
from tenure.hosts.sessions import Session

__all__ = ["ADVICE", "present"]

ADVICE = "In Shiny call it in the server function, or in what is reactive there; a thread is given what it needs."


def _watch(theirs: Any, session: Session) -> None:
    async def ended() -> None:
        await sessions.end(session)

    theirs.on_ended(ended)


_sessions = sessions.Objects("shiny", _watch)


def present() -> Session | None:
    """The session that the present code serves; a module's is that of its page."""
    theirs = get_current_session()
    # Where the page is only drawn, of an app in express mode, a stub stands in for it.
    if theirs is None or theirs.is_stub_session():
        return None
    root = theirs.root_scope()
    return _sessions.of(root, is_over=getattr(root, "_has_run_session_ended_tasks", False))
