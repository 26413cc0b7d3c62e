"""The host for ASGI apps: a request, a WebSocket or the holder of a cookie is a session.

It shows and records nothing. `tenure.asgi.Middleware` says which session the present code serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenure.hosts.asgi.sessions import AsgiHost

__all__ = ["find"]


def find() -> AsgiHost:
    """The host of a program in which a middleware serves sessions."""
    from tenure.hosts.asgi import sessions

    return sessions.host
