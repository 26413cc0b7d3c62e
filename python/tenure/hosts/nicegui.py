"""NiceGUI apps: a client, which is a page that is open in a tab, is a session.

NiceGUI knows the client of the present code by the slots that the present task has entered. It deletes a client some
time after it has lost its connection, its `reconnect_timeout`, unless it is back by then.
"""

from __future__ import annotations

import asyncio
import functools

from nicegui import Client
from nicegui.slot import Slot

from tenure.hosts import sessions
from tenure.hosts.sessions import Session

__all__ = ["ADVICE", "present"]

_TELLS = hasattr(Client, "on_delete")
"""Whether this is a version whose clients say when they are deleted."""

ADVICE = (
    "In NiceGUI call it in a page or in an event of one, and in a task of your own inside `with client:`; a thread is "
    "given what it needs."
    if _TELLS
    else "Only NiceGUI 3.0 and newer say when a page is gone: pip install 'nicegui>=3'."
)


def _watch(client: Client, session: Session) -> None:
    client.on_delete(functools.partial(sessions.end_soon, session))


_clients = sessions.Objects("nicegui", _watch)


def present() -> Session | None:
    """The session of the client whose slot the present task has entered."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    # Where no task runs, all threads have one stack, so that it may be another's client that stands there.
    stack = Slot.stacks.get(id(task)) if task is not None and _TELLS else None
    if not stack:
        return None
    try:
        client = stack[-1].parent.client
    except RuntimeError:  # It has been deleted, and its page with it.
        return _gone
    return _clients.of(client, is_over=client.is_deleted)


_gone = Session("nicegui")
"""Stands for the sessions of which nothing is left."""
_gone.is_over = True
