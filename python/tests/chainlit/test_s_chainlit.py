"""S: Chainlit's sessions, in the example: a real server, and what a tab says to it over its socket."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from ports import free_port, until_listening
from world import LOST

APP = Path(__file__).resolve().parents[3] / "examples" / "chainlit" / "app.py"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    folder = tmp_path / "app"
    (folder / ".chainlit").mkdir(parents=True)
    env = {**os.environ, "TMPDIR": str(tmp_path), "CHAINLIT_APP_ROOT": str(folder)}
    command = [sys.executable, "-m", "chainlit", "run", str(APP), "--headless", "--port", str(port)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        until_listening(port, lambda: process.poll() is None)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(LOST)


class Tab:
    """A chat in a tab."""

    def __init__(self, url: str, session: str | None = None) -> None:
        self.session = session or str(uuid.uuid4())
        self._url = url
        self._said: asyncio.Queue[str] = asyncio.Queue()

    async def open(self) -> Tab:
        self._socket = socketio.AsyncClient()
        self._socket.on("new_message", self._hear)
        auth = {"sessionId": self.session, "clientType": "webapp"}
        await self._socket.connect(self._url, socketio_path="/ws/socket.io", auth=auth, transports=["websocket"])
        await self._socket.emit("connection_successful")
        return self

    async def _hear(self, message: Any) -> None:
        if message["type"] == "assistant_message":
            await self._said.put(message["output"])

    async def say(self, text: str) -> str:
        message = {
            "id": str(uuid.uuid4()),
            "name": "user",
            "type": "user_message",
            "output": text,
            "createdAt": "2026-01-01T00:00:00Z",
        }
        await self._socket.emit("client_message", {"message": message, "fileReferences": []})
        return await asyncio.wait_for(self._said.get(), LOST)

    async def close(self, *, for_good: bool) -> None:
        if for_good:  # As "New chat" does.
            await self._socket.call("clear_session")
        await self._socket.disconnect()


async def until_notebooks(folder: Path, count: int) -> None:
    """Waits until so many chats have one."""
    deadline = time.monotonic() + LOST
    while len(list(folder.glob("notebook-*"))) != count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def test_s2_a_chat_is_a_session_and_its_resources_are_released_when_it_is_deleted(url: str, tmp_path: Path) -> None:
    async def main() -> None:
        hers, his = await Tab(url).open(), await Tab(url).open()
        assert (await hers.say("the sea")).startswith("the sea (")
        assert (await his.say("mine")).startswith("mine (")
        assert (await hers.say("of poppies")).startswith("of poppies; the sea (")
        await until_notebooks(tmp_path, 2)
        await hers.close(for_good=True)
        await until_notebooks(tmp_path, 1)
        await his.close(for_good=False)
        back = await Tab(url, his.session).open()
        assert (await back.say("more")).startswith("more; mine (")
        await back.close(for_good=True)
        await until_notebooks(tmp_path, 0)

    asyncio.run(main())
