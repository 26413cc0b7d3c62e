"""Gradio apps: a page, or whatever else sends events under one session hash, is a session.

1. Each event is a visit: all that Gradio does for it runs in `Blocks.process_api`, in whichever task of the queue.
2. The session ends when Gradio has run the app's `unload` events for it. An app without any has no such end, and its
   pages do not tell when they are closed: so `install` adds one.
3. The hash is the client's own word. It counts together with the user whom Gradio has logged in, so that nobody gets
   at, or ends, what is another user's.
4. A generator goes on for the session that it began for, whoever has its hash by then.
5. A client that never says that it goes (a script that posts events) is forgotten when it has been idle.
6. Where nobody can come back, the event is a session by itself: a call without a hash, which the queue gives its id,
   and one by Gradio's own MCP server, which serves all its users by one client.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from gradio.blocks import Blocks
from gradio.context import LocalContext

from tenure import _native
from tenure.hosts import sessions
from tenure.hosts.known import Known
from tenure.hosts.sessions import Session, Visit

__all__ = ["ADVICE", "around", "install", "present"]

ADVICE = "In Gradio call it in an event of an app that tells of its sessions: `tenure.gradio.install(demo)`."

ABANDONED = 60.0
"""Seconds without a further value after which nobody reads a generator that nobody can come back to."""

_Process = Callable[..., Awaitable[dict[str, Any]]]

_installed: weakref.WeakSet[Blocks] = weakref.WeakSet()
"""The apps that tell of their sessions."""


def present() -> Session | None:
    """Nothing: the visits of `process_api` say it. Raises in an event that has none, whatever request it came by."""
    request = around()
    if request is None:
        return None
    visit = sessions.current.get()
    if visit is not None and (visit.session.kind == "gradio" or any(it is request for it in visit.around)):
        return None
    if LocalContext.blocks.get(None) in _installed:
        raise _native.ScopeError(
            'scope="session" in an event with batch=True, which serves several sessions at a time. Use it in an event '
            'without batch, or scope="global"'
        )
    raise _native.ScopeError(
        'scope="session" in a Gradio app that does not tell when its sessions end. Write tenure.gradio.install(demo) '
        "before demo.launch(), with the app as a whole for demo"
    )


def around() -> object:
    """The request of the present event, which goes on in whatever the event begins."""
    return LocalContext.request.get(None)


def install(demo: Blocks, idle: float) -> None:
    """Makes an app tell of its sessions."""
    if demo in _installed:
        return
    if not any(_is_unload(it) for it in demo.fns.values()):
        demo.unload(_nothing)
    demo.process_api = _visiting(demo, demo.process_api, Known("gradio", idle), Known("gradio", min(idle, ABANDONED)))
    _installed.add(demo)


def _is_of_mcp(request: Any) -> bool:
    return (getattr(request, "headers", None) or {}).get("x-gradio-user") == "mcp"


def _nothing() -> None:
    """An event that does nothing: the session ends after all unload events, and an app needs one."""


def _is_unload(fn: Any) -> bool:
    return any(target[1] == "unload" for target in fn.targets)


def _visiting(demo: Blocks, original: _Process, clients: Known, calls: Known) -> _Process:
    bind = inspect.signature(original).bind
    streams: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()
    """The sessions that generators have begun for."""

    @functools.wraps(original)
    async def process_api(*args: Any, **kwargs: Any) -> dict[str, Any]:
        given = bind(*args, **kwargs).arguments
        fn, request, event = given["block_fn"], given.get("request"), given.get("event_id")
        if isinstance(fn, int):
            fn = demo.fns[fn]
        if fn.batch or request is None or isinstance(request, list):
            # For several at a time, or for nobody: an example that is cached at the start.
            with sessions.serving(None):
                return await original(*args, **kwargs)
        # Gradio's MCP server calls for all its users by one client.
        hash_ = event if _is_of_mcp(request) else given.get("session_hash")
        if hash_ is None:
            return await alone(*args, **kwargs)
        known = calls if hash_ == event else clients
        key = (hash_, request.username)
        # The queue calls once more for each further value of a generator.
        begun = streams.get(given["iterator"]) if given.get("iterator") is not None else None
        if begun is not None and begun.is_over:
            with sessions.serving(Visit(begun)):
                return await original(*args, **kwargs)
        session = known.begin(key)
        assert session is not None, "a key is good for any number of sessions"
        is_over = False
        try:
            with sessions.serving(Visit(session)):
                done = await original(*args, **kwargs)
            if done.get("iterator") is not None:
                streams[done["iterator"]] = session
            is_over = _is_last_unload(fn) or (hash_ == event and not done.get("is_generating"))
        except BaseException:
            # Gradio runs no further unload event after one that has failed.
            is_over = _is_unload(fn) or hash_ == event
            raise
        finally:
            try:
                if is_over:
                    await sessions.end(session)
            finally:
                known.leave(key, session)
        return done

    async def alone(*args: Any, **kwargs: Any) -> dict[str, Any]:
        session = Session("gradio")
        try:
            with sessions.serving(Visit(session)):
                return await original(*args, **kwargs)
        finally:
            await sessions.end(session)

    def _is_last_unload(fn: Any) -> bool:
        return _is_unload(fn) and fn is [it for it in demo.fns.values() if _is_unload(it)][-1]

    return process_api
