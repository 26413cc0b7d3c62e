"""Ray, imported when it is first needed, and what it says of calls that have failed."""

from __future__ import annotations

import atexit
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from tenure import _native
from tenure.cluster._answers import Escaped

__all__ = ["NAMESPACE", "actors", "imported", "links", "own", "session", "task", "task_of"]

NAMESPACE = "tenure"
"""The namespace of all actors: programs share them whatever their own is."""

links: dict[str, Any] = {}
"""The links of this process to actors that are not known to be over, by the actor, which are left at its end."""

_ray: Any = None


def imported() -> Any:
    """Ray.

    Raises ImportError, with what to install, where it is not there.
    """
    global _ray
    if _ray is None:
        try:
            import ray
        except ImportError as error:
            text = 'scope="cluster" runs on Ray, which is not installed: pip install "tenure[ray]"'
            raise ImportError(text, name="ray") from error
        # Behind Ray's own, so before it: what is left afterwards cannot be told anything.
        atexit.register(_leave)
        _ray = ray
    return _ray


def _leave() -> None:
    if not _ray.is_initialized():
        return
    until = time.monotonic() + _native.shutdown_timeout()
    begun = []
    # One that cannot be left keeps no other from it.
    for link in list(links.values()):
        with contextlib.suppress(Exception):
            begun.append((link, link.begin_to_end("leave")))
    for link, ending in begun:
        with contextlib.suppress(Exception):
            if ending is not None:
                link.finish_end(ending, "leave", max(0.0, until - time.monotonic()))


def actors(prefix: str) -> Iterator[Any]:
    """The actors whose names begin with this. Those that end meanwhile are left out."""
    for it in _ray.util.list_named_actors(all_namespaces=True):
        if it["namespace"] == NAMESPACE and it["name"].startswith(prefix):
            try:
                yield _ray.get_actor(it["name"], namespace=NAMESPACE)
            except ValueError:
                continue


def session() -> str | None:
    """What tells Ray's present session from others; None where there is none."""
    if not _ray.is_initialized():
        return None
    found: str = _ray.get_runtime_context().get_worker_id()
    return found


def task() -> str:
    """The task that runs here, in an actor."""
    found: str = _ray.get_runtime_context().get_task_id()
    return found


def task_of(call: Any) -> str:
    """The task that a call is, or a stream."""
    found: str = getattr(call, "_generator_ref", call).task_id().hex()
    return found


def own(error: Any) -> BaseException:
    """The exception that the resource has raised, with where that was; Ray's own where it cannot be had."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, Escaped):
        cause = cause.error
    if not isinstance(cause, BaseException):
        return error if isinstance(error, BaseException) else RuntimeError(str(error))
    # The exception is what matters; one may take no notes.
    with contextlib.suppress(Exception):
        cause.add_note(f"Raised in an actor of the cluster:\n{error}")
    return cause
