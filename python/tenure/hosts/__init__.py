"""What Tenure asks of the program it runs in: the host seam, and which hosts there are.

A host shows that a build is running, records what the build puts out, puts it out again, says which session a thread
serves and when sessions end, and reads observed inputs. It decides nothing: what a spinner says, when it is due, which
build shows one, what counts as a hit and what is released when are rules of the engine, and they stand there.

Each host is a module or package in this one, and imports its framework only there. What the hosts of programs with
sessions share stands in `sessions`, and is one host to the engine. A process without a host works.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Hashable
from types import ModuleType
from typing import Any, Protocol

from tenure import _native

__all__ = ["FRAMEWORKS", "SESSIONLESS", "Build", "Host", "Recording", "adapter", "advice", "announce"]

FRAMEWORKS = {
    "chainlit": "tenure.hosts.chainlit",
    "gradio": "tenure.hosts.gradio",
    "marimo._runtime.runtime": "tenure.hosts.marimo",
    "mcp": "tenure.hosts.mcp",
    "nicegui": "tenure.hosts.nicegui",
    "panel": "tenure.hosts.panel",
    "shiny": "tenure.hosts.shiny",
}
"""The frameworks whose sessions `tenure.hosts.sessions` serves, and what knows each.

Such a module's `present`, if it has one, says which session the present code serves, and its `ADVICE` what to do where
there is none. Nothing of them is imported before the program has imported the framework.
"""

SESSIONLESS = {
    "celery": (
        "In a Celery task give it a function as the scope, `scope=lambda: current_task.request.id`, and call "
        "`tenure.end_scope(task_id)` at `signals.task_postrun`."
    ),
    "django": (
        "In Django under WSGI give it a function as the scope, `scope=tenant.get` of a context variable say, and call "
        "`tenure.end_scope(value)` when that is over."
    ),
    "flask": (
        "In Flask give it a function as the scope, `scope=lambda: g.number` say, which `@app.before_request` sets, and "
        "call `tenure.end_scope(g.number)` in `@app.teardown_request`."
    ),
}
"""The frameworks that say nothing of sessions, and what to write there instead."""

_ASGI = (
    *("tenure.asgi", "fastapi", "litestar", "quart", "starlette", "django.core.asgi"),
    *("daphne", "granian", "hypercorn", "uvicorn"),
)
"""The modules that a program has imported which is an ASGI app, or is served as one."""


class Recording(Protocol):
    """What one build put out, kept with its entry."""

    @property
    def observed(self) -> Hashable | None:
        """The inputs the build observed (widgets, say), None where there are none.

        Equal for two builds that observed the same inputs, whatever values those had.
        """


class Build(Protocol):
    """One build, or one wait for a build, as a host sees it."""

    def show(self) -> None:
        """Shows the spinner.

        Called on a background thread once the delay has passed: at most once, and never after `end` has begun, though
        the two may overlap.
        """

    def move(self) -> None:
        """Another thread goes on with the build: this one, which has begun it, is out of it. May be left out."""

    def enter(self) -> None:
        """The build's code runs on this thread from here on, after a `move`. May be left out."""

    def leave(self) -> None:
        """The build's code is done with this thread, which `enter` was called on last. May be left out."""

    def end(self, ok: bool) -> Recording | None:
        """Hides the spinner and hands over what was put out; None where nothing was.

        Called exactly once, on the building thread, also when the build failed (`ok` is False). Must not raise: the
        resource exists by now, and an exception would lose it.
        """


class Host(Protocol):
    """The program around the cache."""

    name: str

    lends_sessions: bool
    """Whether builds that more than one session shares may be built on what is kept for one, with a warning.

    Left out, it is an error.
    """

    def refreshing(self) -> tuple[float, int]:
        """How many times its maximum age a resource may be handed out for, and how many refreshes may run at a time.

        May be left out. What a decorator or `tenure.configure` says goes before it.
        """

    def session(self) -> str | None:
        """The id of the session this thread serves, or None.

        When a session ends, the host calls `tenure._native.end_session` with its id, and `resume_session` when it is
        back; `has_ended` says so already when it calls.
        """

    def has_ended(self, session: str) -> bool:
        """Whether the session that this thread serves is over: what the thread builds is not kept then."""

    def begin(self, func: Callable[..., Any], text: str | None, show_time: bool, allow_widgets: bool) -> Build | None:
        """A build begins on this thread: the function runs next. None where there is nothing to show or to record.

        `text` is what the spinner says; None shows none, as for a build inside another. Every build records.
        """

    def wait(self, func: Callable[..., Any], text: str | None, show_time: bool) -> Build | None:
        """This thread begins to wait for another's build. It shows the same spinner and records nothing."""

    def replay(self, recording: Any, func: Callable[..., Any]) -> None:
        """Puts a recording out again, for the session this thread serves."""

    def observe(self, inputs: Any) -> object:
        """The present values of a recording's observed inputs, for this thread's session.

        The engine keys the result like an argument. Must not raise.
        """

    def interrupted(self) -> None:
        """Raises the host's own exception if this thread, which waits, must stop waiting."""


def announce() -> None:
    """Tells the engine which hosts there are: all by name, since nothing of them is imported before it is needed.

    A host is a module here whose `find` gives the adapter, and whose `errors` has the exceptions that are the
    framework's too. It is asked once the program has imported what `framework` names, and its exceptions are raised
    once the program has imported what `errors` names.
    """
    _native.register_host("tenure.hosts.streamlit", framework="streamlit.runtime", errors="streamlit.errors")
    # One host for all of these, so that several in one process go together: who is served is asked at each call. What
    # has sessions without a framework, `tenure.asgi` say, imports it.
    for framework in ("tenure.hosts.sessions", *FRAMEWORKS):
        _native.register_host("tenure.hosts.sessions", framework=framework)


def adapter(module: str) -> ModuleType | None:
    """The module that knows a framework; None where that is not what it knows: another version, or a program's own."""
    try:
        return importlib.import_module(module)
    except (ImportError, AttributeError):
        return None


def advice() -> str:
    """The advice where there is no session, by what the program has imported."""
    if "ipykernel" in sys.modules:
        return 'The kernel of a notebook has one user, and no sessions. Use scope="global".'
    if _runs_streamlit():
        # Streamlit brings Starlette, and a middleware would serve no thread.
        return (
            "This thread has no context of the app's script. Call it in the script and pass the result, or give the "
            "thread the context before it starts: `streamlit.runtime.scriptrunner.add_script_run_ctx(thread)`. "
            'Or use scope="global".'
        )
    adapters = [adapter(module) for framework, module in FRAMEWORKS.items() if framework in sys.modules]
    found = [it.ADVICE for it in adapters if it is not None]
    # Quart is built on Flask, and has imported it.
    without = [name for name in SESSIONLESS if name in sys.modules and not (name == "flask" and "quart" in sys.modules)]
    on_asgi = any(name in sys.modules for name in _ASGI)
    in_streamlit = "streamlit" in sys.modules
    lines = [*found, *(SESSIONLESS[name] for name in without)]
    if in_streamlit or not (found or without or on_asgi):
        lines.append("In Streamlit call it from the app's script.")
    if on_asgi or not (without or in_streamlit):
        lines.append(
            "On an ASGI server each request can be a session: write `app.add_middleware(tenure.asgi.Middleware)` in "
            "FastAPI and Starlette; elsewhere, as the last line, `served = tenure.asgi.Middleware(app)`, and have the "
            "server serve that."
        )
    return " ".join([*lines, 'Or use scope="global".'])


def _runs_streamlit() -> bool:
    """Whether the server of a Streamlit app runs in this process."""
    exists = getattr(sys.modules.get("streamlit.runtime"), "exists", None)
    return exists is not None and bool(exists())
