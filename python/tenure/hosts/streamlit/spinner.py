"""The spinner of a build: Streamlit's spinner element, at the place where the build began.

How it stays clear of the elements
    The spinner is a transient element, as Streamlit's own is: it is shown at a position without taking it. The position
    is read on the building thread before the function runs, when all that precedes it has been sent, and it is fixed
    from then on: whether the background thread's message comes before or after the element that the build puts there,
    the front end shows both, no index is left out and none moves. Until it is shown nothing is sent, and a build that
    ends before that sends nothing at all.

Why messages go through a helper thread
    Streamlit raises its stop and re-run exceptions when the script's own thread sends something. A build that has just
    ended would lose its resource to them. From a helper thread with the script's context, as Streamlit documents them,
    sending never raises, and the request stays for the script's next command.

Lock: one per spinner, held while a message is sent, so that hiding comes after showing. Nothing under it calls user
code or the engine.
"""

from __future__ import annotations

import contextvars
import logging
import threading

from streamlit.delta_generator_singletons import get_dg_singleton_instance
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import ScriptRunContext, add_script_run_ctx, enqueue_message
from streamlit.runtime.scriptrunner_utils.exceptions import ScriptControlException
from streamlit.string_util import clean_text

_log = logging.getLogger("tenure.streamlit")


class Spinner:
    """A spinner at the place where its build began."""

    __slots__ = ("_clear", "_context", "_create", "_ctx", "_element", "_lock", "_over", "_show_time", "_shown", "_text")

    def __init__(self, ctx: ScriptRunContext, text: str, show_time: bool) -> None:
        self._ctx = ctx
        self._text = text
        self._show_time = show_time
        self._element = Element()
        self._create, self._clear = get_dg_singleton_instance().main_dg._transient(self._element)
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._shown = False
        self._over = False

    def show(self) -> None:
        with self._lock:
            if self._over:
                return
            self._element.spinner.text = clean_text(self._text)
            self._element.spinner.cache = True
            self._element.spinner.show_time = self._show_time
            self._element.width_config.use_content = True
            self._shown = True
            self._context.run(_send, self._create(), self._ctx)

    def hide(self) -> None:
        with self._lock:
            self._over = True
            if self._shown:
                _send(self._clear(), self._ctx)


def _send(message: ForwardMsg, ctx: ScriptRunContext) -> None:
    """Sends a message to the session of `ctx` from a helper thread, and waits until it is sent."""

    def run() -> None:
        try:
            enqueue_message(message)
        except ScriptControlException:
            pass  # A fragment's worker that is being stopped: its elements go, and the spinner with them.
        except Exception:
            _log.debug("the spinner could not be sent; has the session gone?", exc_info=True)

    try:
        helper = threading.Thread(target=run, name="tenure-spinner", daemon=True)
        add_script_run_ctx(helper, ctx)
        helper.start()
    except RuntimeError:
        return  # The interpreter is shutting down and starts no more threads.
    helper.join()
