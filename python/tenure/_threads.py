"""Threads as scopes: each has a name of its own, which ends with it."""

from __future__ import annotations

import _thread
import atexit
import itertools
import os
import threading

from tenure import _native

__all__ = ["end", "scope"]

_numbers = itertools.count(1)
_main: list[str] = []
"""The name of the main thread's scope, once it has one."""
_here = threading.local()
_is_greenlets = not isinstance(_here, _thread._local)
"""Whether a library has put its greenlets in the place of threads: the interpreter knows of no end of one."""


_end = _native.end_scope_named if _is_greenlets else _native.end_thread


class _Thread:
    """One thread's scope. Python lets go of it on that thread, among the last things that run there.

    What else the thread keeps for itself may go later, and ask for something yet: that is not kept.
    """

    __slots__ = ("name", "process")

    def __init__(self) -> None:
        self.name = f"thread:{next(_numbers)}"
        self.process = os.getpid()

    def __del__(self, end: object = _end, process: object = os.getpid) -> None:
        # A child lets go of its parent's threads before it has forgotten what they hold.
        if process() == self.process:  # type: ignore[operator]
            end(self.name)  # type: ignore[operator]


def scope() -> str:
    """The name of the present thread's scope."""
    try:
        thread: _Thread = _here.thread
    except AttributeError:
        if not (_is_greenlets or _native.begin_thread()):
            return f"thread:{next(_numbers)}"  # Nobody would be told of another end.
        thread = _here.thread = _Thread()
        if threading.current_thread() is threading.main_thread():
            _main[:] = [thread.name]
    return thread.name


def end() -> None:
    """Releases what is kept for the present thread, which goes on."""
    _native.end_scope_named(scope())


@atexit.register
def _at_exit() -> None:
    """Ends the main thread's scope on the main thread, which the release of everything else does not run on."""
    for name in _main:
        _native.end_scope_named(name)
