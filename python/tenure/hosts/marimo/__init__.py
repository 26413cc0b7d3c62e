"""marimo notebooks: the kernel of a notebook that somebody has open is a session.

It is a process of its own in the editor, and a thread of the server in an app. All that a notebook runs on that thread
and in `mo.Thread` knows the kernel, embedded notebooks included. The end of the kernel is the end of the session:
marimo decides when that is, a while after the browser has gone.

What is touched of marimo: its context (`safe_get_context`, `parent`, `_kernel`), `Kernel.teardown`, which is wrapped,
and the handler of the signal that ends a kernel's process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from marimo._runtime.context import safe_get_context
from marimo._runtime.runtime import Kernel

from tenure import _native
from tenure.hosts import sessions
from tenure.hosts.marimo import ends
from tenure.hosts.sessions import Session

__all__ = ["ADVICE", "present"]

ADVICE = (
    "In marimo call it in a cell of a notebook that somebody has open, or in an `mo.Thread` of one. A notebook that "
    "runs as a script has no session."
)


def _watch(_kernel: Any, _session: Session) -> None:
    # On the kernel's own thread, unless a thread of it was first.
    ends.mind()


_kernels = sessions.Objects("marimo", _watch)


def present() -> Session | None:
    """The session of the kernel that the present code serves; None where it runs in no notebook, or in a script."""
    context = safe_get_context()
    # A notebook in a notebook is its reader's.
    while context is not None and context.parent is not None:
        context = context.parent
    kernel = getattr(context, "_kernel", None)
    return None if kernel is None else _kernels.of(kernel)


def _with_its_session(teardown: Callable[[Any], None]) -> Callable[[Any], None]:
    """The end of a kernel, and of its session before its names are gone."""

    @functools.wraps(teardown)
    def ended(self: Any) -> None:
        session = _kernels.known(self)
        if session is None or session.is_over:
            teardown(self)
            return
        session.is_over = True
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


Kernel.teardown = _with_its_session(Kernel.teardown)
