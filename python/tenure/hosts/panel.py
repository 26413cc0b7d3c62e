"""Panel apps: a session of the Bokeh server, which is a page that is open, is a session.

Panel knows the document of the present code, in its callbacks, its tasks and the threads of its pool. Bokeh destroys a
session some time after its last connection has gone, and tells the document then.

Why `state._curdoc`, and not `state.curdoc`? Where Panel's own context knows no document, that asks Bokeh, which has one
for the whole process: the one that is served at the moment, on whatever thread. It may be anybody's.
"""

from __future__ import annotations

from typing import Any

from panel.io.state import state

from tenure.hosts import sessions
from tenure.hosts.sessions import Session

__all__ = ["ADVICE", "present"]

ADVICE = "In Panel call it in an app that is served, or in a callback of one; a thread is given what it needs."


def _watch(document: Any, session: Session) -> None:
    def destroyed(session_context: Any) -> None:
        sessions.end_soon(session)

    document.on_session_destroyed(destroyed)


_documents = sessions.Objects("panel", _watch)


def present() -> Session | None:
    """The session of the document that the present code belongs to."""
    document = state._curdoc.get()
    if document is None:
        return None
    context = document.session_context
    if context is None:
        # It is drawn by no server, or its session has been destroyed.
        return _documents.known(document)
    return _documents.of(document, is_over=context.destroyed)
