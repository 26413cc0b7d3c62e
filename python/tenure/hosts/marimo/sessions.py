"""Which marimo kernel the present code serves, and when it ends.

A notebook that somebody has open has a kernel of its own: a process in the editor, a thread of the server in an app.
All that it runs on its own thread and in `mo.Thread` knows the kernel, embedded notebooks included. The end of the
kernel is the end of the session: marimo decides when that is, a while after the browser has gone.

What is touched of marimo: its context (`safe_get_context`, `parent`, `_kernel`), `Kernel.teardown`, which is wrapped,
and the handler of the signal that ends a kernel's process.
"""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Any

from marimo._runtime.context import safe_get_context
from marimo._runtime.runtime import Kernel

from tenure import _native
from tenure.hosts.marimo import ends

__all__ = ["MarimoHost", "attach", "kernel"]

_numbers = itertools.count(1)


class _Session:
    """A kernel, as those who serve it see it."""

    __slots__ = ("is_over", "name")

    def __init__(self) -> None:
        self.name = f"marimo:{next(_numbers)}"
        self.is_over = False


_sessions: weakref.WeakKeyDictionary[Any, _Session] = weakref.WeakKeyDictionary()
"""The sessions by their kernels. Threads may serve one that is over."""

_lock = threading.Lock()
"""Taken alone."""


def kernel() -> Any:
    """The kernel that the present code serves; None where it runs in no notebook, or in one that runs as a script."""
    context = safe_get_context()
    # A notebook in a notebook is its reader's.
    while context is not None and context.parent is not None:
        context = context.parent
    return getattr(context, "_kernel", None)


class MarimoHost:
    """The host seam for marimo notebooks; see `tenure.hosts.Host` for what each method is asked."""

    name = "marimo"

    def session(self) -> str | None:
        here = kernel()
        if here is None:
            return None
        with _lock:
            if here not in _sessions:
                _sessions[here] = _Session()
            return _sessions[here].name

    def has_ended(self, session: str) -> bool:
        with _lock:
            return all(it.is_over for it in _sessions.values() if it.name == session)

    def begin(self, func: Callable[..., Any], text: str | None, show_time: bool, allow_widgets: bool) -> None:
        return None

    def wait(self, func: Callable[..., Any], text: str | None, show_time: bool) -> None:
        return None

    def replay(self, recording: Any, func: Callable[..., Any]) -> None:
        return None

    def observe(self, inputs: Any) -> object:
        return None

    def interrupted(self) -> None:
        return None


_host = MarimoHost()


def attach() -> MarimoHost:
    """The one host of this process, with marimo told to report to it. Safe to call any number of times."""
    with _lock:
        if not hasattr(Kernel.teardown, "__wrapped__"):
            Kernel.teardown = _with_its_session(Kernel.teardown)
            ends.mind()
    return _host


def _with_its_session(teardown: Callable[[Any], None]) -> Callable[[Any], None]:
    """The end of a kernel, and of its session before its names are gone."""

    @functools.wraps(teardown)
    def ended(self: Any) -> None:
        with _lock:
            session = _sessions.get(self)
            if session is not None:
                session.is_over = True
        if session is None:
            teardown(self)
            return
        names = vars(self._module)
        kept = dict(names)
        try:
            _native.end_session(session.name)
        finally:
            teardown(self)
        # marimo has emptied the namespace. Callbacks that were defined there for all who have the notebook open go on
        # to read it, for as long as what they belong to is kept.
        names.update(kept)

    return ended
