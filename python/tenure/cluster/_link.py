"""The link of one process to one actor: its handle, and the call that tells when it is over."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tenure.cluster import _ray

if TYPE_CHECKING:
    from tenure.cluster._endings import How

__all__ = ["Link"]


class Link:
    """The link of one process to one actor, which watches it once, however often it comes and goes.

    It is of one session of Ray's. Where that is over nothing can be asked on it any more, and its end was told by Ray.
    """

    def __init__(self, actor: Any, watches: bool = True) -> None:
        self.actor = actor
        self.call = actor.call
        self.attribute = actor.attribute
        self.stream = actor.stream.options(num_returns="streaming", _generator_backpressure_num_objects=16)
        self.is_done = False
        """Whether the next call has to find the present actor first."""
        self._session = _ray.session()
        self._visit = 0
        """The number of its latest visit. What leaves names the visit that it ends: a later call may be there first."""
        self._visits = threading.Lock()
        self.is_watched = watches
        """Whether its end is told here."""
        self._watch: Any = None
        self._over: Any = None
        self._handles: weakref.WeakKeyDictionary[Any, Callable[[Link, Any], object]] = weakref.WeakKeyDictionary()
        if watches:
            self._watch = actor.watch.remote()
            self._over = self._watch.future()
            for key, it in list(_ray.links.items()):
                if it._session != self._session:
                    del _ray.links[key]
            _ray.links[actor._actor_id.hex()] = self
            self._over.add_done_callback(lambda _: self._gone())

    @classmethod
    def to(cls, actor: Any) -> Link:
        """The link of this process to an actor."""
        found: Link | None = _ray.links.get(actor._actor_id.hex())
        return found if found is not None and found.is_of_now() else cls(actor)

    def is_of_now(self) -> bool:
        """Whether Ray's session is the one that it was made in."""
        return self._session is not None and self._session == _ray.session()

    def is_present(self) -> bool:
        """Whether calls can go this way."""
        return not self.is_done and self.is_of_now()

    def cancel(self, call: Any, is_async: bool) -> None:
        """Cancels a call, or a stream, for which nobody waits any more."""
        if not self.is_of_now():
            return
        _ray.imported().cancel(call)
        if not is_async:
            # Ray cannot: a thread is in it.
            self.actor.cancel.remote(_ray.task_of(call))

    def serve(self) -> Any:
        """A reference to the outside of the resource, which is built where it is not there."""
        with self._visits:
            self._visit += 1
            visit = self._visit
        # In a list, so that it is not waited for.
        return self.actor.serve.remote([self._watch], visit)

    def serves(self, handle: Any, gone: Callable[[Link, Any], object]) -> None:
        """A handle goes this way from now on. Calls `gone`, on a thread of Ray's, once the actor is over or gone."""
        self.is_done = False
        self._handles[handle] = gone
        if self._over.done():
            self._gone()

    def _gone(self) -> None:
        key = self.actor._actor_id.hex()
        if _ray.links.get(key) is self:
            del _ray.links[key]
        handles = list(self._handles.items())
        self._handles.clear()
        for handle, gone in handles:
            gone(self, handle)
        self.is_done = True

    def has_ended(self) -> bool:
        """Whether the actor has told that it is over: no call that it has not answered was run."""
        told = self._over
        return told is not None and told.done() and not told.cancelled() and told.exception() is None

    def begin_to_end(self, how: How) -> Any:
        """Begins to leave the actor, which ends what it is asked to: the reference of its answer, or None."""
        if not self.is_present() or self._watch is None:
            self.is_done = True
            return None
        self.is_done = True
        if self._over.done():
            return None
        return self.actor.end.remote(how, self._watch.hex(), None, self._visit)

    def finish_leaving(self, ending: Any, timeout: float) -> None:
        """Waits until the actor has been left, and one that nobody else uses until it is over."""
        ray = _ray.imported()
        try:
            was_last = ray.get(ending, timeout=timeout)
            if was_last:
                ray.get(self._watch, timeout=timeout)
        except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
            pass  # An actor that is gone has ended, and one that takes too long goes on.
