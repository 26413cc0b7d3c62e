"""The ends that this process asks actors for: of one function's resources, or of whatever they hold."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal

from tenure.cluster import _ray
from tenure.cluster._errors import own

__all__ = ["How", "end", "end_all", "finish"]

How = Literal["clear", "expire", "discard", "leave"]
"""The word for what an actor is asked for; `"leave"` ends nothing that others use."""

_ANSWERS = 10.0
"""Seconds that an actor has to begin, and to answer whether it can be reached. A release may take longer."""

_log = logging.getLogger("tenure")


def end(how: How, prefix: str, tag: str | None = None) -> None:
    """Ends what the actors hold whose names begin so, or what of it carries the tag, whoever has built it.

    Raises ConnectionError where one of them cannot be reached.
    """
    asked = []
    for actor in _ray.actors(prefix):
        link = _ray.links.get(actor._actor_id.hex())
        if link is not None and link.is_present() and tag is None:
            # So that the handles here ask for nothing more.
            ending = link.begin_to_end(how)
        else:
            ending = actor.end.remote(how, None, tag)
        # What this runs in may have to return first.
        if ending is not None and actor._actor_id.hex() != _ray.own_actor():
            asked.append((actor, ending))
    finish(asked)


def end_all(how: How, prefix: str, tag: str | None, has_functions: bool) -> None:
    """Ends what all actors of the fleet hold. Says so where this program has functions for a cluster and is in none."""
    if _ray.is_connected():
        end(how, prefix, tag)
    elif has_functions:
        _log.warning(
            "%s reached no cluster, in which this program has functions: %s",
            f"tenure.clear_tag({tag!r})" if tag is not None else f"the {how} of everything",
            _ray.why_not(),
        )


def finish(asked: Iterable[tuple[Any, Any]]) -> None:
    """Waits until actors have done what they were asked for: each with the reference of its answer.

    Raises ConnectionError where one of them cannot be reached, and the first error of theirs, when all are through.
    """
    ray = _ray.imported()
    left = {ending: actor for actor, ending in asked}
    count, unreached, failed = len(left), 0, None
    while left:
        done, late = ray.wait(list(left), num_returns=len(left), timeout=_ANSWERS)
        for ending in done:
            del left[ending]
            try:
                ray.get(ending)
            except ray.exceptions.ActorUnavailableError:
                unreached += 1
            except ray.exceptions.RayActorError:
                pass  # One that is gone has ended.
            except ray.exceptions.RayTaskError as error:
                failed = failed or own(error)
        silent = _silent([left[ending] for ending in late])
        for ending in late:
            if left[ending] in silent:
                del left[ending]
                unreached += 1
    if unreached:
        raise ConnectionError(
            f"{unreached} of {count} actors of the cluster did not answer, and may go on to hand out what they hold. "
            "They end it once they can be reached. To be sure of it, ask again"
        )
    if failed is not None:
        raise failed


def _silent(actors: list[Any]) -> list[Any]:
    """The actors among these that do not answer. One that has no process holds nothing, and is taken back."""
    ray = _ray.imported()
    asked = {}
    for actor in actors:
        if _ray.has_begun(actor):
            asked[actor.hears.remote()] = actor
        else:
            # Nobody knows when a node will have room for it.
            ray.kill(actor, no_restart=True)
    late = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWERS)[1] if asked else []
    return [asked[it] for it in late]
