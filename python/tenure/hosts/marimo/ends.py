"""The end of a kernel that is a process of its own, as each is in marimo's editor.

marimo sends SIGTERM when the kernel is restarted, when its notebook is closed and when the server stops. Its handler
ends the process at once, past everything that runs at the end of a program. So what is kept is released before that:
on a thread, since the kernel's own has the event loop on which async releases run.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

from marimo._runtime import handlers

from tenure import _native

__all__ = ["mind"]

_LAST = 1.0
"""Seconds between the end of the releases and that of the process, at most."""


def mind() -> None:
    """Puts the releases before the signal that ends this kernel's process, which the main thread alone can do."""
    if threading.current_thread() is not threading.main_thread():
        return
    theirs: Any = signal.getsignal(signal.SIGTERM)
    if getattr(theirs, "__module__", None) != handlers.__name__:
        return
    releasing: list[threading.Thread] = []
    is_released = threading.Event()

    def release() -> None:
        try:
            _native.shutdown()
        finally:
            is_released.set()
            os.kill(os.getpid(), signal.SIGTERM)
            # The kernel's own thread may be past the point where it hears a signal.
            threading.Event().wait(_LAST)
            os._exit(0)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        if is_released.is_set():
            try:
                theirs(number, frame)
            finally:
                os._exit(0)  # It needs the kernel, which may have ended by itself meanwhile.
        elif not releasing:
            releasing.append(threading.Thread(target=release, name="tenure-marimo-end", daemon=True))
            releasing[0].start()

    signal.signal(signal.SIGTERM, on_sigterm)
