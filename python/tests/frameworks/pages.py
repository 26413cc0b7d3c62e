"""A browser's page, as a Gradio server hears it: a heartbeat while it is open, and events under one session hash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Nothing here asks a server that is not on this machine.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
import httpx

from ports import free_port
from world import LOST

API = "/gradio_api"


class Failed(Exception):
    """The app has answered with an error: its text."""


class Page:
    """An open page, or another client that has its hash."""

    def __init__(self, demo: gr.Blocks, url: str, hash_: str, user: str | None = None) -> None:
        self.hash = hash_
        self._fns = {fn.api_name: index for index, fn in demo.fns.items()}
        self._http = httpx.Client(base_url=url, timeout=LOST)
        if user is not None:
            assert self._http.post("/login", data={"username": user, "password": "pass"}).status_code == 200

    @contextmanager
    def open(self) -> Iterator[Page]:
        """Keeps the page open for a block; it is closed with it."""
        with self._http.stream("GET", f"{API}/heartbeat/{self.hash}") as beat:
            lines = beat.iter_lines()  # It closes the stream once nobody has it.
            assert "ALIVE" in next(lines)
            yield self
            lines.close()

    def post(self, name: str, *data: Any) -> None:
        """Sends an event, and waits for nothing."""
        asked = {"data": data, "fn_index": self._fns[name], "session_hash": self.hash}
        self._http.post(f"{API}/queue/join", json=asked).raise_for_status()

    def answers(self) -> Iterator[Any]:
        """The outputs of the events that are under way, to the end of the last of them."""
        asked = {"session_hash": self.hash}
        with self._http.stream("GET", f"{API}/queue/data", params=asked) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line else {}
                if message.get("msg") in ("process_generating", "process_completed"):
                    if not message["success"]:
                        raise Failed(str(message["output"].get("error")))
                    yield message["output"]["data"][0]

    def ask(self, name: str, *data: Any) -> Any:
        """Sends an event, and gives the last of what it puts out."""
        self.post(name, *data)
        return [*self.answers()][-1]


@contextmanager
def launched(demo: gr.Blocks, **settings: Any) -> Iterator[str]:
    """The address of a server of an app."""
    # Its own search for a port finds what another process has found at the same time.
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, show_error=True, server_port=free_port(), **settings)
    try:
        yield url.rstrip("/")
    finally:
        demo.close(verbose=False)


def app(**functions: Any) -> gr.Blocks:
    """An app with one event for each of these functions, of a text, under their names."""
    with gr.Blocks() as demo:
        text, shown = gr.Textbox(), gr.JSON()
        for name, function in functions.items():
            gr.Button(name).click(function, text, shown, api_name=name)
    return demo
