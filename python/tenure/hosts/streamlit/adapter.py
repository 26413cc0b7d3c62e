"""The Streamlit host: spinner, recordings, sessions and "Clear caches", on Streamlit's own machinery.

What is Streamlit's is used, not rebuilt: its replay context records, its replay function puts out again, its spinner
element shows, its session objects say when they come and go. The few of its functions that must also tell Tenure are
wrapped in one place, `attach`; `docs/guide/streamlit.md` lists every internal that is touched. Whoever imports this
module has asked `tenure.hosts.streamlit.version` first.

Lock: the one that guards `attach` is taken alone.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib import utils
from streamlit.elements.lib.mutable_status_container import StatusContainer
from streamlit.runtime import caching, connection_factory
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.scriptrunner import ScriptRunContext, add_script_run_ctx, get_script_run_ctx
from streamlit.runtime.state import widgets as their_widgets
from streamlit.watcher.local_sources_watcher import LocalSourcesWatcher

from tenure import _native
from tenure.hosts.streamlit import config, reload, replay, sessions, stats, widgets
from tenure.hosts.streamlit.spinner import Spinner


class StreamlitHost:
    """The host seam for a Streamlit app; see `tenure.hosts.Host` for what each method is asked."""

    name = "streamlit"

    lends_sessions = True
    """As `st.cache_resource` does: an unchanged app goes on."""

    def refreshing(self) -> tuple[float, int]:
        return config.multiplier(), config.workers()

    def session(self) -> str | None:
        ctx = get_script_run_ctx(suppress_warning=True)
        return None if ctx is None else sessions.current(ctx)

    def has_ended(self, session: str) -> bool:
        return sessions.has_ended(session)

    def begin(self, func: Callable[..., Any], text: str | None, show_time: bool, allow_widgets: bool) -> _Build | None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is None:
            return None
        spinner = None if text is None else Spinner(ctx, text, show_time)
        return _Build(ctx, spinner, replay.Capture(ctx, func, allow_widgets))

    def wait(self, func: Callable[..., Any], text: str | None, show_time: bool) -> _Build | None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is None or text is None:
            return None
        return _Build(ctx, Spinner(ctx, text, show_time), None)

    def replay(self, recording: replay.Recording, func: Callable[..., Any]) -> None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is not None:
            replay.replay(ctx, recording, func)

    def observe(self, inputs: widgets.Inputs) -> object:
        return widgets.observe(get_script_run_ctx(suppress_warning=True), inputs)

    def interrupted(self) -> None:
        ctx = get_script_run_ctx(suppress_warning=True)
        if ctx is not None:
            # Streamlit's own yield point: raises its stop or re-run exception where one was asked for.
            ctx.session_state._yield_callback()


class _Build:
    """One build or one wait, as the engine holds it."""

    __slots__ = ("_capture", "_ctx", "_spinner")

    def __init__(self, ctx: ScriptRunContext, spinner: Spinner | None, capture: replay.Capture | None) -> None:
        self._ctx = ctx
        self._spinner = spinner
        self._capture = capture

    def show(self) -> None:
        if self._spinner is not None:
            self._spinner.show()

    def move(self) -> None:
        if self._capture is not None:
            self._capture.leave()

    def enter(self) -> None:
        add_script_run_ctx(threading.current_thread(), self._ctx)
        if self._capture is not None:
            self._capture.enter()

    def leave(self) -> None:
        if self._capture is not None:
            self._capture.leave()
        # The thread serves others next.
        del threading.current_thread().streamlit_script_run_ctx  # type: ignore[attr-defined]

    def end(self, ok: bool) -> replay.Recording | None:
        recording = None if self._capture is None else self._capture.close()
        if self._spinner is not None:
            self._spinner.hide()
        return recording if ok else None


_attach_lock = threading.Lock()
_host: StreamlitHost | None = None
_replaced: list[tuple[Any, str, Callable[..., Any]]] = []
"""What is wrapped: whose it is, its name, and the original."""


def attach() -> StreamlitHost:
    """The one host of this process, with Streamlit told to report to it.

    Safe to call from any thread, any number of times.
    """
    global _host
    with _attach_lock:
        if _host is None:
            for kind in ("save_element_message", "save_block_message"):
                _replace(caching, kind, replay.also_saving)
            for kind in ("add", "add_deferred"):
                _replace(MediaFileManager, kind, replay.noting_files)
            if "has_one_shot_effect" in inspect.signature(DeltaGenerator._enqueue).parameters:
                _replace(DeltaGenerator, "_enqueue", replay.minding_freshness)
            _replace(StatusContainer, "update", replay.noting_statuses)
            _replace(utils, "_register_element_id", replay.noting_elements)
            _replace(their_widgets, "register_widget_from_metadata", replay.noting_widgets)
            _replace(LocalSourcesWatcher, reload.UNLOADS, reload.minding_classes)
            for provider, adding in stats.PROVIDERS:
                _replace(provider, "get_stats", adding)
            _afterwards(AppSession, "clear_session_caches", sessions.ended)
            _afterwards(AppSession, "register_file_watchers", sessions.watched)
            _afterwards(AppSession, "_handle_clear_cache_request", lambda _: _native.clear_all())
            _host = StreamlitHost()
        return _host


def detach() -> None:
    """Undoes `attach` and `install`. For tests: what is cached keeps its recordings, and no session end is seen."""
    global _host
    uninstall()
    with _attach_lock:
        while _replaced:
            setattr(*_replaced.pop())
        _host = None


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Puts what `make` makes of a function in its place.

    A wrapper takes `*args` and `**kwargs` and hands them on, so that a call works as with the original whichever way it
    is written, and reads them with the original's signature.
    """
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))
    _replaced.append((owner, name, original))


def _afterwards(owner: type, name: str, tell: Callable[[Any], None]) -> None:
    """After the method has run, `tell` is called with its object."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        bind = inspect.signature(original).bind

        def method(*args: Any, **kwargs: Any) -> Any:
            try:
                given = bind(*args, **kwargs)
            except TypeError:
                return original(*args, **kwargs)  # Which says what does not fit.
            try:
                return original(*args, **kwargs)
            finally:
                tell(given.arguments["self"])

        return method

    _replace(owner, name, make)


_FRONTS: tuple[Any, ...] = (st, connection_factory)
"""Where apps find `cache_resource`, and where `st.connection` does: cleared together, they are replaced together."""

_theirs: Any = None
"""Streamlit's own decorator, while Tenure's is in its place."""


def install() -> None:
    """Makes `st.cache_resource` Tenure's for the process, and keeps what `st.connection` makes with Tenure too.

    Call it before the app's modules are imported: decorators that have already run keep what they had.

    >>> import streamlit as st
    >>> import tenure, tenure.streamlit
    >>> tenure.streamlit.install()
    >>> st.cache_resource is tenure.cache_resource
    True
    >>> tenure.streamlit.uninstall()
    """
    global _theirs
    from tenure import cache_resource

    _native.set_host(attach())
    if _theirs is None:
        _theirs = st.cache_resource
        for front in _FRONTS:
            front.cache_resource = cache_resource


def uninstall() -> None:
    """Gives `st.cache_resource` back to Streamlit. Functions that are decorated already stay as they are.

    >>> import streamlit as st
    >>> import tenure, tenure.streamlit
    >>> tenure.streamlit.install()
    >>> tenure.streamlit.uninstall()
    >>> st.cache_resource is tenure.cache_resource
    False
    """
    global _theirs
    if _theirs is not None:
        for front in _FRONTS:
            front.cache_resource = _theirs
        _theirs = None
