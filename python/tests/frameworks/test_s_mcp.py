"""S: the sessions of MCP servers, the SDK's own and FastMCP's, over HTTP and stdio, with real clients."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fastmcp
import pytest
from baskets import async_basket, basket, ledger
from mcp import Client, StdioServerParameters
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from servers import listening

import tenure
import tenure.mcp

pytestmark = pytest.mark.filterwarnings("ignore")


def put(thing: str) -> str:
    basket().append(thing)
    return " ".join(basket())


async def put_async(thing: str) -> str:
    things = await async_basket()
    things.append(thing)
    return " ".join(things)


def sdk() -> Any:
    server = MCPServer("shop")
    server.tool()(put)
    server.tool()(put_async)
    return server


def fast() -> Any:
    server = fastmcp.FastMCP("shop")
    server.tool(put)
    server.tool(put_async)
    return server


def fast_mounted() -> Any:
    server = fastmcp.FastMCP("all shops")
    server.mount(fast())
    return server


def app(server: Any) -> Any:
    return server.streamable_http_app() if isinstance(server, MCPServer) else server.http_app()


async def call(client: Client, tool: str, thing: str) -> str:
    result = await client.call_tool(tool, {"thing": thing})
    text = str(result.content[0].text)  # type: ignore[union-attr]
    assert not result.is_error, text
    return text


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A client that shakes hands."""
    async with Client(f"{url}/mcp", mode="legacy") as client:
        yield client


async def until(count: int) -> None:
    await asyncio.to_thread(ledger.await_releases, count)


SERVERS = [sdk, fast, fast_mounted]


@pytest.mark.parametrize("make", SERVERS)
def test_s2_a_connection_is_a_session_and_its_resources_are_released_at_its_end(make: Callable[[], Any]) -> None:
    async def main(url: str) -> None:
        async with connected(url) as one, connected(url) as other:
            assert await call(one, "put", "a") == "a"
            assert await call(other, "put", "z") == "z"
            assert await call(one, "put_async", "b") == "a b"
            assert ledger.names() == []
        await until(2)
        assert sorted(ledger.names()) == [["a", "b"], ["z"]]

    with listening(app(tenure.mcp.install(make()))) as url:
        asyncio.run(main(url))
    assert basket.info().entries == async_basket.info().entries == 0


@pytest.mark.parametrize("make", SERVERS)
def test_s2_a_request_without_a_handshake_is_a_session_by_itself(make: Callable[[], Any]) -> None:
    async def main(url: str) -> None:
        async with Client(f"{url}/mcp", mode="2026-07-28") as client:
            assert await call(client, "put", "a") == "a"
            await until(1)
            assert await call(client, "put_async", "b") == "b"
            await until(2)

    with listening(app(tenure.mcp.install(make()))) as url:
        asyncio.run(main(url))


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_s2_an_in_process_client_has_a_session_too(mode: Any) -> None:
    async def main() -> None:
        server = tenure.mcp.install(sdk())
        async with Client(server, mode=mode) as client:
            await call(client, "put", "a")
            assert await call(client, "put", "b") == ("a b" if mode == "legacy" else "b")
        await until(1 if mode == "legacy" else 2)
        async with fastmcp.Client(tenure.mcp.install(fast())) as client:
            await client.call_tool("put", {"thing": "c"})
        await until(2 if mode == "legacy" else 3)

    asyncio.run(main())


STDIO = """
import sys
from mcp.server import MCPServer
import tenure, tenure.mcp

server = tenure.mcp.install(MCPServer("shop"))

@tenure.cache_resource(scope="session")
def basket():
    yield []
    open(sys.argv[1], "a").write("closed")

@server.tool()
def put(thing: str) -> str:
    basket().append(thing)
    return " ".join(basket())

server.run()
"""


def test_s2_over_stdio_the_connection_is_the_session(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(STDIO)
    args = [str(tmp_path / "server.py"), str(tmp_path / "log")]

    async def main() -> None:
        async with Client(StdioServerParameters(command=sys.executable, args=args), mode="legacy") as client:
            assert await call(client, "put", "a") == "a"
            assert await call(client, "put", "b") == "a b"

    asyncio.run(main())
    assert (tmp_path / "log").read_text() == "closed"


def test_s2_what_a_tool_leaves_behind_builds_for_nobody() -> None:
    server = tenure.mcp.install(MCPServer("shop"))
    goes_on = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    @server.tool()
    async def begin() -> str:
        async def later() -> None:
            await goes_on.wait()
            basket()

        tasks.append(asyncio.create_task(later()))
        basket()
        return "begun"

    async def main() -> None:
        async with Client(server, mode="legacy") as client:
            await client.call_tool("begin", {})
        await until(1)
        goes_on.set()
        await tasks[0]
        await until(2)

    asyncio.run(main())
    assert basket.info().entries == 0


def test_s2_the_programs_own_end_of_a_connection_still_finds_the_session() -> None:
    server = tenure.mcp.install(MCPServer("shop"))
    seen: list[Any] = []

    @server.tool()
    async def begin(ctx: Context) -> str:
        basket().append("a")
        things = basket()
        ctx.session._connection.exit_stack.callback(lambda: seen.append((list(things), list(ledger.released))))
        return "begun"

    async def main() -> None:
        async with Client(server, mode="legacy") as client:
            await client.call_tool("begin", {})
        await until(1)

    asyncio.run(main())
    assert seen == [(["a"], [])]


def test_s3_a_server_that_does_not_tell_of_its_sessions_says_what_to_write() -> None:
    async def main() -> None:
        async with Client(sdk(), mode="legacy") as client:
            result = await client.call_tool("put", {"thing": "a"})
            assert result.is_error

    asyncio.run(main())
    with pytest.raises(tenure.ScopeError, match=r"tenure\.mcp\.install\(server\)"):
        basket()


def test_bad_settings_say_what_was_wrong() -> None:
    with pytest.raises(TypeError, match="server must be an MCPServer"):
        tenure.mcp.install("shop")


def test_a_server_that_is_installed_twice_is_installed_once() -> None:
    server = MCPServer("shop")
    before = len(server.middleware)
    assert tenure.mcp.install(tenure.mcp.install(server)) is server
    assert len(server.middleware) == before + 1
