"""The sessions of MCP servers as Tenure's.

    tenure.mcp.install(server)

after which each client's connection is a session, and what is kept for it is released when it ends.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TypeVar

import mcp.server.lowlevel

if not hasattr(mcp.server.lowlevel.Server("tenure"), "middleware"):
    raise ImportError(
        f"Tenure needs mcp 2.0 or newer, and {version('mcp')} is installed: pip install 'mcp>=2'", name="mcp"
    )

from tenure.hosts import mcp as _host

__all__ = ["install"]

_Server = TypeVar("_Server")


def install(server: _Server) -> _Server:
    """Makes an MCP server tell of its sessions, for functions of `scope="session"`.

    A session is a client's connection, from its handshake to its end, and in the revision of the protocol that has no
    handshake a request. Installing a server twice does nothing.

    Parameters
    ----------
    server
        An `MCPServer` or a low-level `Server` of the `mcp` package, or a `FastMCP` of the `fastmcp` package.

    Returns
    -------
    The server.

    Examples
    --------
    >>> from mcp.server import MCPServer
    >>> import tenure.mcp
    >>> server = tenure.mcp.install(MCPServer("shop"))
    """
    found = _host.low_level(server)
    if found is None:
        raise TypeError(
            f"server must be an MCPServer, a low-level Server or a FastMCP, not {server!r}. "
            "Example: tenure.mcp.install(server)"
        )
    _host.install(found)
    return server
