"""The examples of the frameworks with sessions, run as a reader runs them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio
from mcp import Client, StdioServerParameters

from ports import free_port, until_listening
from world import LOST

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"

pytestmark = pytest.mark.filterwarnings("ignore")


@contextmanager
def running(script: str | list[str], port: int, **env: str) -> Iterator[None]:
    """An example as a process of its own, until the end of a block."""
    args = [str(EXAMPLES / script)] if isinstance(script, str) else script
    # NiceGUI takes a process that pytest has started for one of its own tests.
    env = {**{name: it for name, it in os.environ.items() if not name.startswith("PYTEST_")}, **env}
    process = subprocess.Popen([sys.executable, *args], env=env, stdout=subprocess.DEVNULL)
    try:
        until_listening(port, lambda: process.poll() is None)
        yield
    finally:
        process.terminate()
        process.wait(LOST)


def until_notebooks(folder: Path, count: int) -> None:
    """Waits until so many pages have one."""
    deadline = time.monotonic() + LOST
    while len(list(folder.glob("notebook-*"))) != count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_s2_the_gradio_example_keeps_a_notebook_for_each_page(tmp_path: Path) -> None:
    import gradio_client

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
        until_notebooks(tmp_path, 2)
        one.close()
        until_notebooks(tmp_path, 1)
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


def test_s2_the_nicegui_example_keeps_a_notebook_for_each_page(tmp_path: Path) -> None:
    async def opened(url: str) -> socketio.AsyncClient:
        """A page as a browser has it: what the server sends, and the socket that this opens."""
        async with httpx.AsyncClient(base_url=url) as http:
            page = (await http.get("/")).text
        found = re.search(r"'client_id': '([0-9a-f-]+)'", page)
        assert found is not None
        socket = socketio.AsyncClient()
        asked = f"?client_id={found[1]}"
        await socket.connect(url + asked, socketio_path="/_nicegui_ws/socket.io", transports=["websocket"])
        hello = {"client_id": found[1], "tab_id": found[1], "document_id": found[1]}
        assert await socket.call("handshake", hello) is True
        return socket

    async def main(url: str) -> None:
        hers, his = await opened(url), await opened(url)
        until_notebooks(tmp_path, 2)
        await hers.disconnect()
        await asyncio.to_thread(until_notebooks, tmp_path, 1)
        await his.disconnect()
        await asyncio.to_thread(until_notebooks, tmp_path, 0)

    port = free_port()
    with running("nicegui/app.py", port, PORT=str(port), RECONNECT_TIMEOUT="0.1", TMPDIR=str(tmp_path)):
        asyncio.run(main(f"http://127.0.0.1:{port}"))


def test_s2_the_panel_example_keeps_a_notebook_for_each_page(tmp_path: Path) -> None:
    import panel  # noqa: F401
    from bokeh.client import pull_session

    port = free_port()
    at_once = ["--unused-session-lifetime", "1", "--check-unused-sessions", "20"]
    command = ["-m", "panel", "serve", str(EXAMPLES / "panel" / "app.py"), "--port", str(port), *at_once]
    with running(command, port, TMPDIR=str(tmp_path)):
        url = f"http://127.0.0.1:{port}/app"
        hers, his = pull_session(url=url), pull_session(url=url)
        until_notebooks(tmp_path, 2)
        hers.close()
        until_notebooks(tmp_path, 1)
        his.close()
        until_notebooks(tmp_path, 0)


def test_s2_the_shiny_example_keeps_a_notebook_for_each_page() -> None:
    from websockets.sync.client import connect

    def say(page: Any, method: str, **inputs: Any) -> None:
        page.send(json.dumps({"method": method, "data": inputs}))

    def hears(page: Any, text: str) -> None:
        while text not in page.recv(LOST):
            pass

    port = free_port()
    with running(["-m", "shiny", "run", str(EXAMPLES / "shiny" / "app.py"), "--port", str(port)], port):
        url = f"ws://127.0.0.1:{port}/websocket/"
        with connect(url) as hers, connect(url) as his:
            for page in (hers, his):
                say(page, "init", text="", **{"write:shiny.action": 0, ".clientdata_output_shown_hidden": False})
            for count, (page, text, shown) in enumerate(
                [
                    (hers, "the sea", '"the sea (rarest'),
                    (his, "mine", '"mine (rarest'),
                    (hers, "sky", '"sky; the sea ('),
                ]
            ):
                say(page, "update", text=text, **{"write:shiny.action": count + 1})
                hears(page, shown)
