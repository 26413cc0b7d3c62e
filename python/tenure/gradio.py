"""Gradio's sessions as Tenure's.

    demo = tenure.gradio.install(demo)

after which each page that is open is a session, and what is kept for it is released when it is closed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from gradio.blocks import Blocks

from tenure import _native
from tenure.hosts import gradio

__all__ = ["install"]

_Demo = TypeVar("_Demo", bound=Blocks)


def install(demo: _Demo, *, idle: float | timedelta | str = "1h") -> _Demo:
    """Makes a Gradio app tell of its sessions, for functions of `scope="session"`.

    A session is what sends its events under one `session_hash`: a page in a browser, a `gradio_client.Client`. It ends
    with the app's `unload` event, after what the app itself has there. Installing an app twice does nothing.

    Parameters
    ----------
    demo
        The app as a whole: what is launched or mounted, after all its events have been defined.
    idle
        How long a session may be without any event before it ends, in the forms of `ttl`. For clients that never say
        that they are gone; a page that goes on later has its resources built anew.

    Returns
    -------
    Blocks
        The app.

    Examples
    --------
    >>> import gradio as gr
    >>> import tenure.gradio
    >>> with gr.Blocks() as demo:
    ...     button = gr.Button("Ask")
    >>> demo = tenure.gradio.install(demo, idle="30m")
    """
    if not isinstance(demo, Blocks):
        raise TypeError(f"demo must be a gr.Blocks, not {demo!r}. Example: tenure.gradio.install(demo)")
    seconds = _native.seconds("idle", idle)
    if not seconds:
        raise ValueError(f'idle must be a time after which a session ends, not {idle!r}. Example: idle="1h"')
    gradio.install(demo, seconds)
    return demo
