"""Ray, imported when it is first needed, and what it says of calls that have failed."""

from __future__ import annotations

import atexit
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from tenure import _forks, _native

__all__ = [
    "NAMESPACE",
    "actors",
    "found",
    "has_begun",
    "imported",
    "is_connected",
    "links",
    "own_actor",
    "session",
    "task",
    "task_of",
    "why_not",
]

NAMESPACE = "tenure"
"""The namespace of all actors: programs share them whatever their own is."""

links: dict[str, Any] = {}
"""The links of this process to actors that are not known to be over, by the actor, which are left at its end."""

_PAUSES = (0.01, 0.1, 0.5, 1.0)
"""Seconds between two looks for an actor where Ray has failed to look."""

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
        from tenure.cluster._recipe import as_code

        ray.cloudpickle.CloudPickler.dispatch_table[_native.CachedFunction] = as_code
        _ray = ray
    return _ray


def _leave() -> None:
    if not is_connected():
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
                link.finish_leaving(ending, max(0.0, until - time.monotonic()))


def actors(prefix: str) -> Iterator[Any]:
    """The actors whose names begin with this. Those that end meanwhile are left out."""
    for it in _ray.util.list_named_actors(all_namespaces=True):
        if it["namespace"] == NAMESPACE and it["name"].startswith(prefix):
            actor = found(it["name"])
            if actor is not None:
                yield actor


def found(name: str) -> Any:
    """The actor of this name; None where there is none."""
    for pause in _PAUSES:
        try:
            return _ray.get_actor(name, namespace=NAMESPACE)
        except ValueError:
            return None
        except AssertionError:
            # Within Ray, where the program that made the actor ends at this moment, and the actor may end with it.
            time.sleep(pause)
    return None


def has_begun(actor: Any) -> bool:
    """Whether an actor has a process, or is not known to have none."""
    try:
        from ray._private.state import actors as states

        state = states(actor_id=actor._actor_id.hex()).get("State")
    except Exception:
        return True
    return state not in ("DEPENDENCIES_UNREADY", "PENDING_CREATION")


def is_connected() -> bool:
    """Whether this process is in a cluster, of which it need not have been asked to import anything."""
    if "ray" not in sys.modules or _forks.is_past_cluster:
        return False
    connected: bool = imported().is_initialized()
    return connected


def why_not() -> str:
    """Why this process is in no cluster, with what to write."""
    if _forks.is_past_cluster:
        return (
            "this process was forked from one that is in a cluster, and Ray answers no such child. Begin it by spawn, "
            "or call ray.init() in the children alone"
        )
    return "this program is not connected. Call ray.init(address=…) first"


def own_actor() -> str | None:
    """The actor that this process is; None where it is none."""
    found: str | None = imported().get_runtime_context().get_actor_id()
    return found


def session() -> str | None:
    """The mark of Ray's present session; None where there is none."""
    if not is_connected():
        return None
    found: str = imported().get_runtime_context().get_worker_id()
    return found


def task() -> str:
    """The task that runs here, in an actor."""
    found: str = imported().get_runtime_context().get_task_id()
    return found


def task_of(call: Any) -> str:
    """The task that a call is, or a stream."""
    found: str = getattr(call, "_generator_ref", call).task_id().hex()
    return found
