"""The examples of the frameworks with sessions, run as a reader runs them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from world import LOST

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"

pytestmark = pytest.mark.filterwarnings("ignore")


def free_port() -> int:
    with socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


@contextmanager
def running(script: str, port: int, **env: str) -> Iterator[None]:
    """An example as a process of its own, until the end of a block."""
    process = subprocess.Popen([sys.executable, EXAMPLES / script], env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + LOST
        while True:
            try:
                create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, f"{script} has ended with {process.returncode}"
                assert time.monotonic() < deadline, f"{script} does not listen"
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(LOST)


def test_s2_the_gradio_example_keeps_a_notebook_for_each_page(tmp_path: Path) -> None:
    import gradio_client

    def notebooks() -> int:
        return len(list(tmp_path.glob("notebook-*")))

    port = free_port()
    env = {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_HEARTBEAT_INTERVAL": "0.1",
        "TMPDIR": str(tmp_path),
    }
    with running("gradio/app.py", port, **env):
        url = f"http://127.0.0.1:{port}"
        one, other = (gradio_client.Client(url, verbose=False, analytics_enabled=False) for _ in range(2))
        one.predict("a sea", api_name="/write")
        assert one.predict("of poppies", api_name="/write")["data"] == [["of poppies"], ["a sea"]]
        assert other.predict("mine", api_name="/write")["data"] == [["mine"]]
        assert one.predict("the sea", api_name="/rarest") == "sea"
        assert notebooks() == 2
        one.close()
        deadline = time.monotonic() + LOST
        while notebooks() == 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert other.predict("more", api_name="/write")["data"] == [["more"], ["mine"]]
        other.close()


def test_s2_the_mcp_example_keeps_a_workbook_for_each_client() -> None:
    async def ask(client: Client, tool: str, **given: Any) -> Any:
        return (await client.call_tool(tool, given)).structured_content

    async def main() -> None:
        server = StdioServerParameters(command=sys.executable, args=[str(EXAMPLES / "mcp" / "server.py"), "stdio"])
        async with Client(server, mode="legacy") as client:
            assert await ask(client, "note", text="sow") == {"result": 1}
            assert await ask(client, "note", text="reap") == {"result": 2}
            assert await ask(client, "notes") == {"result": ["sow", "reap"]}
            assert await ask(client, "name", plant="poppy") == {"result": "Papaver"}
        async with Client(server, mode="legacy") as client:
            assert await ask(client, "notes") == {"result": []}

    asyncio.run(main())
