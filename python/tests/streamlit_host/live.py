"""A real Streamlit runtime without its web server: sessions connect, run, disconnect and reconnect, as browsers' do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import stage
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import Runtime
from streamlit.web.server.server import Server


class Live:
    """The runtime, on an event loop in its own thread."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        stage.wait(self._ready)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.runtime = Server(self._script, False)._runtime
        await self.runtime.start()
        self._ready.set()
        await self.runtime.stopped
        # What runs for sessions that are gone tells this loop when it ends.
        for thread in threading.enumerate():
            if thread.name == "ScriptRunner.scriptThread":
                await asyncio.to_thread(thread.join, stage.PATIENCE)

    def on_loop(self, act: Callable[[], Any]) -> Any:
        """Does something on the event loop, where the web server would, and returns what it gives."""

        async def run() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(stage.PATIENCE)

    def connect(self) -> Browser:
        return Browser(self)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.runtime.stop()
            self._thread.join(stage.PATIENCE)
        Runtime._instance = None


class Browser:
    """One browser tab."""

    client_context = None

    def __init__(self, server: Live) -> None:
        self._server = server
        self._changed = threading.Condition()
        self.messages: list[ForwardMsg] = []
        self.connected = True
        self.id = server.on_loop(lambda: server.runtime.connect_session(self, {}))

    def write_forward_msg(self, message: ForwardMsg) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def send(self, message: BackMsg) -> None:
        self._server.on_loop(lambda: self._server.runtime.handle_backmsg(self.id, message))

    def start(self) -> None:
        """Asks for a run, and does not wait for it."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        self.send(message)

    def run(self) -> list[stage.Delta]:
        """Runs the app to its end and returns what the run put out."""
        with self._changed:
            before = len(self.messages)
        self.start()
        self.until(stage.finished, before)
        with self._changed:
            return stage.deltas(self.messages[before:])

    def until(self, seen: Callable[[list[ForwardMsg]], bool], since: int = 0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: seen(self.messages[since:]), stage.PATIENCE), (
                "the app sent no such thing"
            )

    def texts(self) -> list[str]:
        return stage.texts(self.messages)

    def press_stop(self) -> None:
        message = BackMsg()
        message.stop_script = True
        self.send(message)

    def clear_caches(self) -> None:
        message = BackMsg()
        message.clear_cache = True
        self.send(message)

    def disconnect(self) -> None:
        self._server.on_loop(lambda: self._server.runtime.disconnect_session(self.id))

    def reconnect(self) -> None:
        again = self._server.on_loop(
            lambda: self._server.runtime.connect_session(self, {}, existing_session_id=self.id)
        )
        assert again == self.id

    def close(self) -> None:
        self._server.on_loop(lambda: self._server.runtime.close_session(self.id))
