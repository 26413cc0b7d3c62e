"""MCP servers: a client's connection is a session, from its handshake to its end.

The SDK has an object for each connection, with a stack of what is to be done at its end, and a chain of middlewares
around each message. A message serves the session of its connection. In the revision of the protocol without handshakes
each request has a connection of its own, and so it is a session by itself.

Why `ctx.session._connection`? The SDK shows the connection to the handlers of its own servers alone; to a middleware it
shows what is made of it for one message.
"""

from __future__ import annotations

import weakref
from typing import Any

from mcp.server.lowlevel import Server

from tenure.hosts import sessions
from tenure.hosts.sessions import Session, Visit

__all__ = ["ADVICE", "install", "low_level"]

ADVICE = "In an MCP server call it in a tool, a resource or a prompt, and write `tenure.mcp.install(server)` first."


def _watch(connection: Any, session: Session) -> None:
    # What the program's own handlers have pushed there later is done before.
    connection.exit_stack.push_async_callback(sessions.end, session)


_connections = sessions.Objects("mcp", _watch)

_installed: weakref.WeakSet[Any] = weakref.WeakSet()
"""The servers that tell of their sessions."""


def low_level(server: Any) -> Server[Any] | None:
    """The server of the SDK that does the work of another one, the SDK's own or FastMCP's; None where it is none."""
    for name in ("_lowlevel_server", "_mcp_server"):
        server = getattr(server, name, server)
    return server if isinstance(server, Server) else None


def install(server: Server[Any]) -> None:
    """Makes a server's messages serve sessions."""
    if server not in _installed:
        # Around all others, which may use what is kept for the session.
        server.middleware.insert(0, _serving)
        _installed.add(server)


async def _serving(ctx: Any, call_next: Any) -> Any:
    with sessions.serving(Visit(_connections.of(ctx.session._connection))):
        return await call_next(ctx)
