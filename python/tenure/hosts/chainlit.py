"""Chainlit apps: a session of Chainlit's, which is a chat in a tab, is a session.

Chainlit has a context for the present code, with the session. It deletes a session when a new chat is begun in its tab,
and some time after its connection has been lost, its `session_timeout`, unless that is back by then.

Why is `delete` wrapped? What Chainlit tells an app of, `on_chat_end`, is one function for all of the app, which is the
program's own, and it is called when a connection is lost that may be back.
"""

from __future__ import annotations

from typing import Any

from chainlit.context import context_var
from chainlit.session import WebsocketSession

from tenure.hosts import sessions
from tenure.hosts.sessions import Session

__all__ = ["ADVICE", "present"]

ADVICE = "In Chainlit call it in a function of the chat, `@cl.on_message` say; a thread is given what it needs."


def _watch(theirs: Any, session: Session) -> None:
    delete = theirs.delete

    async def deleting() -> None:
        try:
            await delete()
        finally:
            await sessions.end(session)

    theirs.delete = deleting


_sessions = sessions.Objects("chainlit", _watch)


def present() -> Session | None:
    """The session of Chainlit's context."""
    context = context_var.get(None)
    if context is None:
        return None
    theirs = context.session
    is_over = isinstance(theirs, WebsocketSession) and WebsocketSession.get_by_id(theirs.id) is not theirs
    return _sessions.of(theirs, is_over=is_over)
