"""What a build puts on the page: recorded with Streamlit's replay context, and put out again with its replay function.

Why is the context asked when a build has ended, and not at each element?
    While functions are nested, Streamlit's context decides where an element goes by what the innermost function has
    seen, and saves that decision for the outer ones too. An element that a nested function writes into the outer
    function's column then replays outside of that column. Asked for one function at a time, it decides for that
    function. And a build that puts nothing out, as most do, does not need it at all.

Four things Streamlit's replay leaves out are put right here: parts of the page other than the body and the sidebar,
elements that the front end must take anew even if they look as before, how an `st.status` ended, and files other than
those of images, sounds and videos (see `files`).
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.delta_generator_singletons import get_dg_singleton_instance
from streamlit.elements.lib.mutable_status_container import StatusContainer
from streamlit.runtime.caching.cache_type import CacheType
from streamlit.runtime.caching.cached_message_replay import (
    CachedMessageReplayContext,
    CachedResult,
    replay_cached_messages,
)
from streamlit.runtime.scriptrunner import ScriptRunContext
from streamlit.runtime.scriptrunner_utils.script_run_context import in_cached_function

from tenure.hosts.streamlit import files, widgets


class Recording:
    """What one build put out: Streamlit's own messages, and the widgets among them."""

    __slots__ = ("files", "fresh", "observed", "parts", "seen")

    def __init__(
        self,
        messages: list[Any],
        fresh: frozenset[int],
        files: tuple[files.File, ...],
        seen: widgets.Seen | None,
    ) -> None:
        self.parts = _by_root(messages)
        self.fresh = fresh
        self.files = files
        self.seen = seen
        self.observed = None if seen is None else widgets.Inputs(seen.widgets)


class Capture:
    """The recording of one build under way."""

    __slots__ = ("_ctx", "_func", "_home", "_saves", "_tokens", "files", "fresh", "seen", "statuses")

    def __init__(self, ctx: ScriptRunContext, func: Callable[..., Any], allow_widgets: bool) -> None:
        self._ctx = ctx
        self._func = func
        self._home = str(id(st._main._active_dg))
        self._saves: list[tuple[str, inspect.BoundArguments]] | None = []
        self.fresh: set[int] = set()
        self.files: list[files.File] = []
        self.statuses: dict[StatusContainer, bool | None] = {}
        self.seen = widgets.Seen() if allow_widgets else None
        self._tokens: tuple[contextvars.Token[Any], contextvars.Token[Any]] | None = None
        self.enter()

    def enter(self) -> None:
        """This thread records from here on."""
        # Streamlit's warning about widgets hangs on this flag. An outer function that forbids them has the say.
        forbidding = in_cached_function.set(in_cached_function.get() or self.seen is None)
        # A context that was copied from one that had entered has this one in it already.
        outer = tuple(it for it in _open.get() if it is not self)
        self._tokens = forbidding, _open.set((*outer, self))

    def leave(self) -> None:
        """This thread, which has entered last, records no more."""
        if self._tokens is not None:
            forbidding, opened = self._tokens
            self._tokens = None
            _open.reset(opened)
            in_cached_function.reset(forbidding)

    def close(self) -> Recording | None:
        self.leave()
        # A thread that the function has left behind adds nothing any more.
        saves, self._saves = self._saves, None
        if not saves:
            return None
        with _context.calling_cached_function(self._func):
            for kind, given in saves:
                getattr(_context, kind)(*given.args, **given.kwargs)
        messages = list(_context._most_recent_messages)
        if not messages:
            return None
        for status, expanded in self.statuses.items():
            _settle(messages, status, expanded)
        seen = self.seen if self.seen is not None and self.seen.widgets else None
        if seen is not None:
            seen.close(self._ctx)
        return Recording(messages, frozenset(self.fresh), tuple(self.files), seen)

    def save(self, kind: str, given: inspect.BoundArguments) -> None:
        used = given.arguments["used_dg_id"]
        if used in _roots() and used != self._home:
            # In `with st.sidebar:`, say, of the function's own. Streamlit would replay it where the caller stands.
            given.arguments["invoked_dg_id"] = used
        if self._saves is not None:
            self._saves.append((kind, given))


_open: contextvars.ContextVar[tuple[Capture, ...]] = contextvars.ContextVar("tenure_streamlit_open", default=())
"""The builds that record what this thread puts out, outermost first."""

_context = CachedMessageReplayContext(CacheType.RESOURCE)
"""Where a build's recording is made. Its state is Streamlit's: local to a thread or a task."""

_fresh: contextvars.ContextVar[frozenset[int]] = contextvars.ContextVar("tenure_streamlit_fresh", default=frozenset())
"""The elements, by identity, that the front end must take anew in the replay under way (balloons, a value that is set).

Streamlit's replay does not say so to the front end, and an element that looks as before is then taken for the old one.
"""


def replay(ctx: ScriptRunContext, recording: Recording, func: Callable[..., Any]) -> None:
    """Puts a recording out for the session of `ctx`, where its script stands now."""
    names = files.keep(recording.files)
    parts = [(root, files.renamed(messages, names)) for root, messages in recording.parts]
    fresh = recording.fresh
    if recording.seen is not None:
        values = widgets.register(ctx, recording.seen)
        parts = [(root, widgets.for_session(messages, values)) for root, messages in parts]
        fresh = fresh | widgets.set_here(parts)
    token = _fresh.set(fresh)
    try:
        for root, messages in parts:
            _replay(root, messages, func)
    finally:
        _fresh.reset(token)


@functools.cache
def _roots() -> dict[str, DeltaGenerator]:
    """The parts of a page beside its body, by the names that messages have for them. They outlive every app."""
    singletons = get_dg_singleton_instance()
    return {str(id(root)): root for root in (singletons.sidebar_dg, singletons.bottom_dg, singletons.event_dg)}


def _by_root(messages: list[Any]) -> list[tuple[DeltaGenerator, list[Any]]]:
    """The messages of each part of the page. Streamlit's replay knows the page's body and its sidebar only."""
    parts: dict[str, tuple[DeltaGenerator, list[Any]]] = {}
    homes: dict[str, DeltaGenerator] = {}
    for message in messages:
        into = message.id_of_dg_called_on
        root = homes.get(into) or _roots().get(into, st._main)
        root = st._main if root is st.sidebar else root
        homes[message.returned_dgs_id] = root
        parts.setdefault(str(id(root)), (root, []))[1].append(message)
    return list(parts.values())


def _replay(root: DeltaGenerator, messages: list[Any], func: Callable[..., Any]) -> None:
    # What went to the main container goes to where the caller stands, and so a part that Streamlit does not know is
    # stood in.
    result: CachedResult[None] = CachedResult(
        value=None, messages=messages, main_id=str(id(root)), sidebar_id=str(id(st.sidebar))
    )
    with contextlib.nullcontext() if root is st._main else root:
        replay_cached_messages(result, CacheType.RESOURCE, func)


def _settle(messages: list[Any], status: StatusContainer, expanded: bool | None) -> None:
    """Makes a recorded `st.status` what it was in the end: Streamlit records how it began, which is running."""
    own = [n for n, message in enumerate(messages) if message.returned_dgs_id == str(id(status))]
    if not own or status._current_proto is None:
        return  # It began outside of this build.
    block = type(status._current_proto)()
    block.CopyFrom(status._current_proto)
    begun = messages[own[-1]]
    block.expandable.expanded = begun.message.expandable.expanded if expanded is None else expanded
    messages[own[-1]] = dataclasses.replace(begun, message=block)


# --- what Streamlit's functions also do while builds are open; `adapter.attach` puts these in place ---


def also_saving(original: Callable[..., None]) -> Callable[..., None]:
    """What Streamlit saves for its own replay contexts is saved for the open builds too."""
    bind = inspect.signature(original).bind

    def save(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        for build in _open.get():
            build.save(original.__name__, bind(*args, **kwargs))

    return save


def minding_freshness(original: Callable[..., Any]) -> Callable[..., Any]:
    bind = inspect.signature(original).bind

    def enqueue(*args: Any, **kwargs: Any) -> Any:
        fresh, builds = _fresh.get(), _open.get()
        if not (fresh or builds):
            return original(*args, **kwargs)
        given = bind(*args, **kwargs)
        element = id(given.arguments["element_proto"])
        if element in fresh:
            given.arguments["has_one_shot_effect"] = True
        if given.arguments.get("has_one_shot_effect"):
            for build in builds:
                build.fresh.add(element)
        return original(*given.args, **given.kwargs)

    return enqueue


def noting_files(original: Callable[..., str]) -> Callable[..., str]:
    bind = inspect.signature(original).bind

    def add(*args: Any, **kwargs: Any) -> str:
        name = original(*args, **kwargs)
        for build in _open.get():
            build.files.append(files.File(name, original.__name__, bind(*args, **kwargs)))
        return name

    return add


def noting_statuses(original: Callable[..., None]) -> Callable[..., None]:
    bind = inspect.signature(original).bind

    def update(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        for build in _open.get():
            given = bind(*args, **kwargs).arguments
            status, expanded = given["self"], given.get("expanded")
            build.statuses[status] = build.statuses.get(status) if expanded is None else expanded

    return update


def noting_elements(original: Callable[..., None]) -> Callable[..., None]:
    bind = inspect.signature(original).bind

    def register(*args: Any, **kwargs: Any) -> None:
        builds = _open.get()
        if not builds:
            return original(*args, **kwargs)
        given = bind(*args, **kwargs).arguments
        widgets.refuse(given["element_type"])
        original(*args, **kwargs)
        for seen in _seen(builds):
            seen.elements.append((given["element_type"], given["element_id"]))

    return register


def noting_widgets(original: Callable[..., Any]) -> Callable[..., Any]:
    bind = inspect.signature(original).bind

    def register(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        for seen in _seen(_open.get()):
            metadata = bind(*args, **kwargs).arguments["metadata"]
            seen.widgets[metadata.id] = metadata
        return result

    return register


def _seen(builds: tuple[Capture, ...]) -> list[widgets.Seen]:
    """Where the open builds note a widget: from the innermost out, up to one that forbids widgets."""
    noting: list[widgets.Seen] = []
    for build in reversed(builds):
        if build.seen is None:
            break
        noting.append(build.seen)
    return noting
