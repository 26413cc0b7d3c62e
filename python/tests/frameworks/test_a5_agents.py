"""A5: sessions of agents' tools live in functions that yield: entered and left by one task, used by many."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import caching
import fastmcp
import pytest
from fastmcp.dependencies import Depends
from langchain_core.tools import StructuredTool, tool
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

import tenure
import tenure.asgi
from world import releases

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SERVER = """

try:
    from mcp.server.mcpserver import MCPServer
except ImportError:
    from mcp.server.fastmcp import FastMCP as MCPServer

server = MCPServer("shop")

@server.tool()
def add(a: int, b: int) -> int:
    return a + b

server.run()
"""


@tenure.cache_resource(scope="loop")
async def session(script: str) -> AsyncIterator[ClientSession]:
    server = StdioServerParameters(command=sys.executable, args=[script])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session
    caching.notes.append("session closes")


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return str(path)


async def add(script: str, a: int, b: int) -> str:
    used = await session(script)
    result = await used.call_tool("add", {"a": a, "b": b})
    return str(result.content[0].text)  # type: ignore[union-attr]


def test_a5_a_session_of_mcp_lives_in_a_function_that_yields(script: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with tenure.asgi.lifespan():
            # Whoever asks first is gone soon, and with a cancel scope of its own.
            with anyio.move_on_after(30):
                assert await asyncio.create_task(add(script, 1, 1)) == "2"
            assert await asyncio.gather(*(add(script, n, 1) for n in range(5))) == ["1", "2", "3", "4", "5"]
            assert session.info().builds == 1
        assert caching.notes == ["session closes"]
        assert await add(script, 3, 4) == "7"
        session.clear()
        while caching.notes != ["session closes"] * 2:
            await asyncio.sleep(0.001)

    asyncio.run(main())
    assert releases(session) == {"session_ended": 1, "cleared": 1}
    assert session.info().release_failures == 0
    assert caplog.records == [] or {record.name.partition(".")[0] for record in caplog.records}.isdisjoint(
        {"tenure", "asyncio"}
    )


back = fastmcp.FastMCP("back")


@back.tool(name="add")
def add_there(a: int, b: int) -> int:
    return a + b


@tenure.cache_resource(scope="loop")
async def client() -> AsyncIterator[fastmcp.Client[Any]]:
    async with fastmcp.Client(back) as client:
        yield client
    caching.notes.append("client closes")


def test_a5_a_server_of_mcp_depends_on_a_client_that_yields() -> None:
    front = fastmcp.FastMCP("front", lifespan=tenure.asgi.lifespan)

    @front.tool
    async def increment(number: int, to: Any = Depends(client)) -> int:
        return (await to.call_tool("add", {"a": number, "b": 1})).data

    async def main() -> None:
        async with fastmcp.Client(front) as user:
            assert [(await user.call_tool("increment", {"number": n})).data for n in range(3)] == [1, 2, 3]
            assert client.info().builds == 1
            assert caching.notes == []
        while not caching.notes:
            await asyncio.sleep(0.001)

    asyncio.run(main())
    assert caching.notes == ["client closes"]


def test_f1_what_captures_a_server_is_refused_with_what_to_write() -> None:
    there = fastmcp.FastMCP("there")

    async def captures() -> AsyncIterator[Any]:
        yield there

    with pytest.raises(tenure.UnhashableParamError, match=r"captures.*cannot be told from other functions"):
        tenure.cache_resource(captures)


def test_a1_tools_of_langchain_are_cached_functions_or_use_them() -> None:
    @tenure.cache_resource
    async def lookup(word: str, limit: int = 3) -> list[str]:
        """Looks a word up."""
        caching.notes.append(word)
        return [word] * limit

    @tenure.cache_resource
    async def yielding(word: str, limit: int = 3) -> AsyncIterator[list[str]]:
        """Looks a word up."""
        yield [word] * limit

    @tenure.cache_resource
    def blocking(word: str, limit: int = 3) -> list[str]:
        """Looks a word up."""
        return [word] * limit

    async def main() -> None:
        for cached in (lookup, yielding, blocking):
            made = tool(cached)
            assert (made.name, made.description, list(made.args)) == (
                cached.__name__, "Looks a word up.", ["word", "limit"]
            )  # fmt: skip
            first = await made.ainvoke({"word": "a", "limit": 2})
            assert first == ["a", "a"]
            assert await made.ainvoke({"word": "a", "limit": 2}) is first
        assert caching.notes == ["a"]
        explicit = StructuredTool.from_function(coroutine=yielding)
        assert await explicit.ainvoke({"word": "b"}) == ["b"] * 3
        assert tool(blocking).invoke({"word": "c"}) == ["c"] * 3

        @tool
        async def search(word: str) -> str:
            """Searches."""
            return ", ".join(await lookup(word, 2))

        assert await search.ainvoke({"word": "a"}) == "a, a"
        assert caching.notes == ["a"]

    asyncio.run(main())
