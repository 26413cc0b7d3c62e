"""Hubs: what runs the greenlets of a thread, for a caller that waits to give way to.

A hub is found through what the program itself has imported, and Tenure imports none on its own account. A wait in one
is woken through its loop, from whatever thread the build ends on. It looks for nothing meanwhile, but for whether the
program's host has it stop, where there is a host: so `wait` takes a pause. What is thrown into the greenlet that waits
(a timeout, a kill, a cancellation, a Ctrl-C) comes out of `wait`.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

__all__ = ["Hub", "find", "is_hub"]


class Hub(Protocol):
    """One wait that gives way to the other greenlets of its thread."""

    def wait(self, seconds: float | None) -> None:
        """Lets the others run until `wake` is called, or for so long; at once if it was called before."""

    def wake(self) -> None:
        """Ends the present or the next `wait`. May be called on any thread, also when all is over."""

    def close(self) -> None:
        """The wait is over."""


def find(here: bool) -> Hub | None:
    """The hub that the present greenlet can give way to, or None.

    `here`: what it waits for is built by another greenlet of this very thread. Where nothing is left that the hub could
    run, that would be for ever, and the hub may say so.
    """
    greenlet = sys.modules["greenlet"].getcurrent()
    if getattr(greenlet, "__sqlalchemy_greenlet_provider__", False):
        return _opened(_Asyncio())
    hub = _gevent_hub()
    if hub is not None and greenlet is not hub:
        return _opened(_Gevent(hub, here))
    hub = _eventlet_hub()
    if hub is not None and greenlet is not hub.greenlet:
        return _opened(_Eventlet())
    return None


def is_hub(greenlet: object) -> bool:
    """Whether this greenlet of the present thread is one that runs the others."""
    hub = _eventlet_hub()
    return greenlet is _gevent_hub() or (hub is not None and greenlet is hub.greenlet)


def _gevent_hub() -> Any:
    """The hub of this thread, where it has one already."""
    find = getattr(sys.modules.get("gevent._hub_local"), "get_hub_if_exists", None)
    return find() if find is not None else None


def _eventlet_hub() -> Any:
    local = getattr(sys.modules.get("eventlet.hubs"), "_threadlocal", None)
    return getattr(local, "hub", None)


_open: set[Hub] = set()
"""The waits under way. In a child process their builds are not: each looks again there."""


def _opened(hub: Hub) -> Hub:
    _open.add(hub)
    return hub


def _after_fork() -> None:
    for hub in tuple(_open):
        hub.wake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Gevent:
    def __init__(self, hub: Any, here: bool) -> None:
        self._hub = hub
        self._waiter = sys.modules["gevent.hub"].Waiter(hub)
        # What holds no reference to the loop does not keep it from saying that nothing is left to run.
        self._woken = hub.loop.async_(ref=not here)
        self._woken.start(self._waiter.switch, None)

    def wait(self, seconds: float | None) -> None:
        timer = None if seconds is None else self._hub.loop.timer(seconds)
        try:
            if timer is not None:
                timer.start(self._waiter.switch, None)
            self._waiter.get()
            self._waiter.clear()
        finally:
            if timer is not None:
                timer.close()

    def wake(self) -> None:
        try:
            self._woken.send()
        except Exception:
            if self in _open:
                raise

    def close(self) -> None:
        _open.discard(self)
        self._woken.close()


class _Asyncio:
    """For what SQLAlchemy's `greenlet_spawn` runs: the loop awaits on its behalf."""

    def __init__(self) -> None:
        asyncio, concurrency = sys.modules["asyncio"], sys.modules["sqlalchemy.util.concurrency"]
        self._timeout = asyncio.TimeoutError
        self._wait_for = asyncio.wait_for
        # Its name from SQLAlchemy 2.1 on, and the one before.
        self._await = getattr(concurrency, "await_", None) or concurrency.await_only
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    def wait(self, seconds: float | None) -> None:
        if seconds is None:
            self._await(self._woken.wait())
        else:
            try:
                self._await(self._wait_for(self._woken.wait(), seconds))
            except self._timeout:
                return
        self._woken.clear()

    def wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._woken.set)
        except RuntimeError:  # The loop is closed.
            if self in _open:
                raise

    def close(self) -> None:
        _open.discard(self)


class _Eventlet:
    """Its loop cannot be woken from another thread but through a descriptor."""

    def __init__(self) -> None:
        original = sys.modules["eventlet.patcher"].original
        self._os = original("os")
        self._trampoline = sys.modules["eventlet.hubs"].trampoline
        # A number that has been closed may be another file by now.
        self._lock = original("threading").Lock()
        self._ends: tuple[int, int] | None = self._os.pipe()

    def wait(self, seconds: float | None) -> None:
        assert self._ends is not None
        read, _ = self._ends
        try:
            self._trampoline(read, read=True, timeout=seconds, timeout_exc=_Pause)
        except _Pause:
            return
        self._os.read(read, 64)

    def wake(self) -> None:
        with self._lock:
            if self._ends is not None:
                self._os.write(self._ends[1], b"!")

    def close(self) -> None:
        _open.discard(self)
        with self._lock:
            ends, self._ends = self._ends, None
        for end in ends or ():
            self._os.close(end)


class _Pause(Exception):
    """The pause has passed."""
