"""A cached function whose resource lives in a cluster: how it is built there, and ended."""

from __future__ import annotations

import functools
import logging
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from tenure import _forks, _native
from tenure._native import ResourceLost
from tenure.cluster import _ray
from tenure.cluster._answers import Face, Over
from tenure.cluster._endings import How, end, finish
from tenure.cluster._errors import own
from tenure.cluster._handle import Handle, Line, handle
from tenure.cluster._link import Link
from tenure.cluster._recipe import Recipe, pack
from tenure.cluster._waiting import awaited, in_own_thread

__all__ = ["Adapter"]

_LOOKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between two looks whether an actor that ends has given up its name; the last again and again."""

_THREADS = 4
"""How many calls run at a time on the resource of a blocking function, unless `ray_options` say otherwise.

Ray gives each to another thread in turn, so that many of them make each call slower."""

_PLACED = 10.0
"""Seconds after which it is said that an actor waits for a node."""

_BUILDS = 2
"""How many actors may die under a build before it has failed."""

_HOW: dict[str, How] = {"cleared": "clear", "expired": "expire", "invalid": "discard"}
"""The end that the actor is asked for where a handle has ended here for this cause; otherwise it is left."""

_log = logging.getLogger("tenure")


class Adapter:
    """The stand-in for a function whose resource lives in a cluster, which gives its handle."""

    def __init__(
        self,
        func: Callable[..., Any],
        settings: Mapping[str, Any],
        ray_options: Mapping[str, Any],
        name: str,
        is_async: bool,
    ) -> None:
        self.func = func
        self.settings = settings
        self._options = ray_options
        self._name = name
        self._is_async = is_async
        self._cached: Callable[[], Any] = lambda: None

    def belongs_to(self, cached: Any) -> None:
        """Ties the adapter to its cached function."""
        self._cached = weakref.ref(cached)
        cached._cluster = self

    # --- builds -----------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        build = functools.partial(self._build, args, kwargs)
        return awaited(in_own_thread(build)) if self._is_async else build()

    def _build(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        ray = _ray.imported()
        name = self._cached()._actor(*args, **kwargs)
        died = looks = 0
        while True:
            actor, is_ours = self._actor(name, args, kwargs)
            link = Link.to(actor)
            try:
                face = self._served(link)
            except ray.exceptions.RayTaskError as error:
                link.is_done = True
                raise own(error) from None
            except ray.exceptions.RayActorError as error:
                link.is_done = True
                died += is_ours and not link.has_ended()
                if died >= _BUILDS:
                    raise ResourceLost(
                        f"{self._name} was not built: its actor died {died} times meanwhile, as {error}"
                    ) from error
            except SystemExit:
                # The program's own, unless Ray goes, which ends those who wait for it so.
                if link.is_of_now():
                    raise
                raise ResourceLost(f"{self._name} was not built: this program has left the cluster meanwhile") from None
            else:
                if face.__class__ is not Over:
                    return self._handle(link, face, args, kwargs)
                link.is_done = True
            time.sleep(_LOOKS[min(looks, len(_LOOKS) - 1)])
            looks += 1

    def _served(self, link: Link) -> Any:
        ray = _ray.imported()
        served = link.serve()
        try:
            return ray.get(served, timeout=_PLACED)
        except ray.exceptions.GetTimeoutError:
            if not _ray.has_begun(link.actor):
                needs = dict(self._options) or {"num_cpus": 1}
                _log.warning("%s waits for a node with %s: none of the cluster has that free", self._name, needs)
        return ray.get(served)

    def _actor(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, bool]:
        """The actor of this name, and whether it was made here."""
        ray = _ray.imported()
        if _forks.is_past_cluster:
            raise RuntimeError(f"{self._name} cannot be called here: {_ray.why_not()}")
        # Outside a program that has connected, this is what Ray does at the first call.
        if not ray.is_initialized():
            ray.init()
        there = _ray.found(name)
        if there is not None:
            return there, False
        from tenure.cluster._keeper import actor_class

        packed = pack(self._cached(), Recipe(self._name, self.func, self.settings, args, kwargs))
        options = dict(self._options)
        if not self._is_async:
            options.setdefault("max_concurrency", _THREADS)
        made = actor_class(self._is_async).options(
            name=name, namespace=_ray.NAMESPACE, lifetime="detached", max_restarts=0, **options
        )
        try:
            return made.remote(packed), True
        except ValueError as error:
            # Another program was quicker, or an option cannot be.
            there = _ray.found(name)
            if there is None:
                raise error from None
            return there, False

    def _handle(self, link: Link, face: Face, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        made = handle(Line(link, face, self._name, self._is_async, functools.partial(self._again, args, kwargs)))
        link.serves(made, self._gone)
        return made

    def _gone(self, link: Link, made: Handle) -> None:
        if link.is_present() and not link.has_ended():
            _log.warning("the resource of %s was lost with its actor; the next call builds it anew", self._name)
        link.is_done = True
        self._discard(made)

    def _again(self, args: tuple[Any, ...], kwargs: dict[str, Any], line: Line) -> Any:
        """Calls the function again, for the line of a handle whose actor is gone."""
        cached = self._cached()
        if cached is None:
            raise ResourceLost(f"the resource of {self._name} has ended, and so has the function. Call it anew")
        kept = cached.peek(*args, **kwargs)
        if isinstance(kept, Handle) and not kept._tenure.link.is_present():
            self._discard(kept)
        return cached(*args, **kwargs)

    # --- ends -------------------------------------------------------------------------------------

    def _discard(self, made: Handle | None) -> None:
        cached = self._cached()
        if cached is not None and made is not None:
            cached.discard(made)

    def released(self, made: Handle, cause: str) -> None:
        """Ends in the actor what has ended here: a handle that this process does not keep any more."""
        if not _ray.is_connected():
            return
        link, how = made._tenure.link, _HOW.get(cause, "leave")
        ending = link.begin_to_end(how)
        if ending is None:
            return
        if cause == "shutdown":
            link.finish_leaving(ending, _native.shutdown_timeout())
        elif how != "leave":
            finish([(link.actor, ending)])

    def end(self, how: How, name: str) -> None:
        """Ends the resource of this name, or those whose names begin so, whoever has built it.

        Raises ConnectionError where this program is in no cluster.
        """
        if not _ray.is_connected():
            raise ConnectionError(f"{self._name}.{how}() reached no cluster: {_ray.why_not()}")
        end(how, name)
