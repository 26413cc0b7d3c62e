"""The Streamlit host: spinner, recordings, sessions and "Clear caches", on Streamlit's own machinery.

What is Streamlit's is used, not rebuilt: its replay context records, its replay function puts out again, its spinner
element shows, its session objects say when they come and go. The few of its functions that must also tell Tenure are
wrapped in one place, `attach`; `docs/guide/streamlit.md` lists every internal that is touched.

Why a replay context for each depth of nesting, and not Streamlit's own?
    Streamlit's single context decides where a nested function's elements go by what the innermost function has seen,
    and saves that decision for the outer ones too. An element that a nested function writes into the outer function's
    column then replays outside of that column. A context that holds one function at a time decides for that function.

How the spinner stays clear of the elements
    The spinner is a transient element, as Streamlit's own is: it is shown at a position without taking it. The position
    is read on the building thread before the function runs, when all that precedes it has been sent, and it is fixed
    from then on: whether the background thread's message comes before or after the element that the build puts there,
    the front end shows both, no index is left out and none moves. Until it is shown nothing is sent, and a build that
    ends before that sends nothing at all.

Why messages about the spinner go through a helper thread
    Streamlit raises its stop and re-run exceptions when the script's own thread sends something. A build that has just
    ended would lose its resource to them. From a helper thread with the script's context, as Streamlit documents them,
    sending never raises, and the request stays for the script's next command.

Locks: each spinner has one, held while its messages are sent, so that hiding comes after showing. Nothing that runs
under it calls user code or the engine. The lock that guards `attach` is taken alone.
"""

from __future__ import annotations

import contextvars
import dataclasses
import itertools
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from tenure.hosts import _streamlit_version

_streamlit_version.require()

import streamlit as st
from streamlit.elements.lib import utils
from streamlit.delta_generator_singletons import get_dg_singleton_instance
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import caching
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.caching.cache_type import CacheType
from streamlit.runtime.caching.cached_message_replay import (
    CachedMessageReplayContext,
    CachedResult,
    replay_cached_messages,
)
from streamlit.runtime.scriptrunner import ScriptRunContext, ScriptRunnerEvent
from streamlit.runtime.scriptrunner import add_script_run_ctx, enqueue_message, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.exceptions import ScriptControlException
from streamlit.runtime.scriptrunner_utils.script_run_context import in_cached_function
from streamlit.runtime.state import SessionState, widgets
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.string_util import clean_text

from tenure import _native
from tenure.hosts import _streamlit_widgets

_log = logging.getLogger("tenure.streamlit")


class StreamlitHost:
    """The host seam for a Streamlit app; see `tenure.hosts.Host` for what each method is asked."""

    name = "streamlit"

    def session(self) -> str | None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is None:
            return None
        if ctx.session_id == _TEST_SESSION:
            return _test_session(ctx.session_state._state)
        return ctx.session_id

    def begin(
        self, func: Callable[..., Any], text: str | None, show_time: bool, allow_widgets: bool
    ) -> _Build | None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is None:
            return None
        spinner = None if text is None else _Spinner(ctx, text, show_time)
        return _Build(spinner, _Capture(ctx, func, allow_widgets))

    def wait(self, func: Callable[..., Any], text: str | None, show_time: bool) -> _Build | None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is None or text is None:
            return None
        return _Build(_Spinner(ctx, text, show_time), None)

    def replay(self, recording: _Recording, func: Callable[..., Any]) -> None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is None:
            return
        elements = recording.elements
        if recording.seen is not None:
            messages = _streamlit_widgets.register(ctx, recording.seen, elements.messages)
            elements = dataclasses.replace(elements, messages=messages)
        replay_cached_messages(elements, CacheType.RESOURCE, func)

    def observe(self, inputs: _streamlit_widgets.Inputs) -> object:
        return _streamlit_widgets.observe(get_script_run_ctx(suppress_warning=True), inputs)

    def interrupted(self) -> None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is not None:
            # Streamlit's own yield point: raises its stop or re-run exception where one was asked for.
            ctx.session_state._yield_callback()


# --- builds -----------------------------------------------------------------------------------------------------------


class _Build:
    """One build or one wait, as the engine holds it."""

    __slots__ = ("_capture", "_spinner")

    def __init__(self, spinner: _Spinner | None, capture: _Capture | None) -> None:
        self._spinner = spinner
        self._capture = capture

    def show(self) -> None:
        if self._spinner is not None:
            self._spinner.show()

    def end(self, ok: bool) -> _Recording | None:
        recording = None if self._capture is None else self._capture.close()
        if self._spinner is not None:
            self._spinner.hide()
        return recording if ok else None


class _Recording:
    """What one build put out: Streamlit's own messages, ready for its replay, and the widgets among them."""

    __slots__ = ("elements", "observed", "seen")

    def __init__(self, messages: list[Any], seen: _streamlit_widgets.Seen | None) -> None:
        # A message names the container it went to by `str(id(container))`; these two outlive every app.
        self.elements: CachedResult[None] = CachedResult(
            value=None, messages=messages, main_id=str(id(st._main)), sidebar_id=str(id(st.sidebar))
        )
        self.seen = seen
        self.observed = None if seen is None else _streamlit_widgets.Inputs(seen.widgets)


class _Capture:
    """The recording of one build under way."""

    __slots__ = ("_calling", "_context", "_ctx", "_token", "seen")

    def __init__(self, ctx: ScriptRunContext, func: Callable[..., Any], allow_widgets: bool) -> None:
        outer = _open.get()
        forbidden = in_cached_function.get()
        self._ctx = ctx
        self._context = _context_at(len(outer))
        self._token = _open.set((*outer, self))
        self._calling = self._context.calling_cached_function(func)
        self._calling.__enter__()
        self.seen: _streamlit_widgets.Seen | None = None
        if allow_widgets and not forbidden:
            # Streamlit's warning about widgets hangs on this flag. An outer function that forbids them has the say.
            in_cached_function.set(False)
            self.seen = _streamlit_widgets.Seen()

    def close(self) -> _Recording | None:
        self._calling.__exit__(None, None, None)
        _open.reset(self._token)
        messages = self._context._most_recent_messages
        if not messages:
            return None
        if self.seen is None or not self.seen.widgets:
            return _Recording(messages, None)
        self.seen.close(self._ctx)
        return _Recording(messages, self.seen)

    def save(self, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        getattr(self._context, kind)(*args, **kwargs)


_open: contextvars.ContextVar[tuple[_Capture, ...]] = contextvars.ContextVar("tenure_streamlit_open", default=())
"""The builds that record what this thread puts out, outermost first."""

_contexts: list[CachedMessageReplayContext] = []


def _context_at(depth: int) -> CachedMessageReplayContext:
    """The replay context of builds nested this deep. Its state is Streamlit's: local to a thread or a task."""
    while len(_contexts) <= depth:
        _contexts.append(CachedMessageReplayContext(CacheType.RESOURCE))
    return _contexts[depth]


class _Spinner:
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


# --- sessions ---------------------------------------------------------------------------------------------------------

_TEST_SESSION = "test session id"
"""The one id that AppTest gives to all its sessions."""

_test_numbers = itertools.count(1)


def _test_session(state: SessionState) -> str:
    """The session of one AppTest, told apart by its session state, and ended when that is dropped.

    AppTest has no connection that could be closed: a session lasts as long as its AppTest object.
    """
    known = vars(state).get("_tenure_session")
    if known is None:
        name = f"AppTest {next(_test_numbers)}"
        known = vars(state).setdefault("_tenure_session", name)
        if known is name:
            weakref.finalize(state, _native.end_session, name).atexit = False
    return str(known)


_away: weakref.WeakSet[AppSession] = weakref.WeakSet()
"""Sessions that have ended or disconnected, and may come back."""


def _session_ended(session: AppSession) -> None:
    _away.add(session)
    _native.end_session(session.id)
    runner = session._scriptrunner
    if runner is None:
        return
    # Its script may still be running, and build for this session once more before it notices.
    session_id, gone = session.id, weakref.ref(session)

    def finished(_: Any, event: ScriptRunnerEvent, **_details: Any) -> None:
        if event is ScriptRunnerEvent.SHUTDOWN:
            owner = gone()
            if owner is None or owner in _away:
                _native.end_session(session_id)

    runner.on_event.connect(finished, weak=False)


def _session_watched(session: AppSession) -> None:
    """Streamlit watches a session's files when it is new, and again when it reconnects."""
    if session in _away:
        _away.discard(session)
        _native.resume_session(session.id)


# --- attaching --------------------------------------------------------------------------------------------------------

_attach_lock = threading.Lock()
_host: StreamlitHost | None = None
_undo: list[Callable[[], None]] = []


def attach() -> StreamlitHost:
    """The one host of this process, with Streamlit told to report to it; safe to call from any thread, any number of times."""
    global _host
    with _attach_lock:
        if _host is None:
            for kind in ("save_element_message", "save_block_message", "save_media_data"):
                _also_save(kind)
            _replace(utils, "_register_element_id", _noting_elements)
            _replace(widgets, "register_widget_from_metadata", _noting_widgets)
            _afterwards(AppSession, "clear_session_caches", _session_ended)
            _afterwards(AppSession, "register_file_watchers", _session_watched)
            _afterwards(AppSession, "_handle_clear_cache_request", lambda _: _native.clear_all())
            _host = StreamlitHost()
        return _host


def detach() -> None:
    """Undoes `attach` and `install`. For tests: what is cached keeps its recordings, and no session end is seen."""
    global _host
    uninstall()
    with _attach_lock:
        while _undo:
            _undo.pop()()
        _host = None


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    setattr(owner, name, make(original))
    _undo.append(lambda: setattr(owner, name, original))


def _also_save(kind: str) -> None:
    """What Streamlit saves for its own replay contexts is saved for the open builds too."""

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def save(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            builds = _open.get()
            if builds:
                # Streamlit records only where it also forbids widgets; a build that allows them records all the same.
                token = in_cached_function.set(True)
                try:
                    for build in builds:
                        build.save(kind, args, kwargs)
                finally:
                    in_cached_function.reset(token)

        return save

    _replace(caching, kind, make)


def _noting_elements(original: Callable[..., None]) -> Callable[..., None]:
    def register(ctx: ScriptRunContext, element_type: str, element_id: str) -> None:
        builds = _open.get()
        if builds:
            _streamlit_widgets.refuse(element_type)
        original(ctx, element_type, element_id)
        for seen in _seen(builds):
            seen.elements.append((element_type, element_id))

    return register


def _noting_widgets(original: Callable[..., Any]) -> Callable[..., Any]:
    def register(metadata: WidgetMetadata[Any], ctx: ScriptRunContext | None) -> Any:
        result = original(metadata, ctx)
        for seen in _seen(_open.get()):
            seen.widgets[metadata.id] = metadata
        return result

    return register


def _seen(builds: tuple[_Capture, ...]) -> list[_streamlit_widgets.Seen]:
    """Where the open builds note their widgets; nowhere if one of them forbids widgets."""
    if in_cached_function.get():
        return []
    return [build.seen for build in builds if build.seen is not None]


def _afterwards(owner: type, name: str, tell: Callable[[Any], None]) -> None:
    """After the method has run, `tell` is called with its object."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(self, *args, **kwargs)
            finally:
                tell(self)

        return method

    _replace(owner, name, make)


# --- st.cache_resource ------------------------------------------------------------------------------------------------

_installed: Any = None


def install() -> None:
    """Makes `st.cache_resource` Tenure's for the process."""
    global _installed
    from tenure import cache_resource

    _native.set_host(attach())
    if st.cache_resource is not cache_resource:
        _installed = st.cache_resource
        st.cache_resource = cache_resource


def uninstall() -> None:
    """Gives `st.cache_resource` back to Streamlit. Functions that are decorated already stay as they are."""
    global _installed
    if _installed is not None:
        st.cache_resource = _installed
        _installed = None
