"""The life of an actor that holds one resource, in a cache of its own: its users, its turns and its end.

1. What runs on the resource has a turn. An actor that is over gives none.
2. It is over when nobody has a turn, and either no user has the resource, or it holds nothing. It waits a moment for a
   user who may come back, if there is one. It is never used again.
3. Users are told when everything is released, and only then the actor ends itself.

A user's death is told by what it owns: each user has a call of `watch` that is answered at the end, and the actor
borrows the reference of the answer, which fails when its owner dies. One thread serves all of them: those that have
not begun wait in the actor's queue.

Lock order: `_lock` is a leaf, and nothing is called under it.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, assert_never

import tenure
from tenure import _native
from tenure.cluster import _ray
from tenure.cluster._answers import Itself, Method
from tenure.cluster._endings import How
from tenure.cluster._errors import carried
from tenure.cluster._face import kind
from tenure.cluster._recipe import Recipe, unpack

__all__ = ["Keeper", "Turn"]

_FIRST_USER = 60.0
"""Seconds that an actor waits for its first user, who may have died before it asked."""

_GRACE = 1.0
"""Seconds that an actor without a resource waits for the next call of a user, which would else need a new process."""

_PARTING = 5.0
"""Seconds that users have to take the answer that it is over."""

_LOOK = 0.02
"""Seconds between two looks at a release that has begun."""

_log = logging.getLogger("tenure")


class Keeper:
    """The part that actors for blocking and for async functions share."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._me = _ray.imported().get_runtime_context().current_actor
        self._recipe: Recipe | None = None
        self._cached: Any = None
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._turns = 0
        self._running = 0
        self._is_over = False
        self._looks_again = False
        """Whether a look has come to nothing because somebody had a turn."""
        self._had_users = False
        self._users: dict[str, Any] = {}
        """The references that users watch, by user."""
        self._visits: dict[str, int] = {}
        """The number of each user's latest visit. A clear names the one it ends: a later one may be there first."""
        self._staying: set[str] = set()
        """The users who have the resource."""
        self._near: set[str] = set()
        """The users who have it, or may come back."""
        self._left_at = 0.0
        """When the last of those has gone who had it."""
        self._stirred = threading.Event()
        self._answered = threading.Event()
        threading.Thread(target=self._live, name="tenure cluster", daemon=True).start()

    # --- what is kept -----------------------------------------------------------------------------

    def _function(self) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """The function as it is cached here, with the arguments of its one entry."""
        with self._making:
            if self._recipe is None:
                recipe = unpack(self._packed)
                settings = {**recipe.settings, "on_release": self._watched_release(recipe)}
                # What the function holds has been looked at where it is called; what is held here is the actor's own.
                with warnings.catch_warnings(action="ignore"):
                    self._cached = tenure.cache_resource(recipe.func, show_spinner=False, **settings)
                self._recipe, self._packed = recipe, b""
            return self._cached, self._recipe.args, self._recipe.kwargs

    def _watched_release(self, recipe: Recipe) -> Callable[..., Any]:
        """The function's `on_release`, behind which the actor looks whether it holds anything yet."""
        on_release = recipe.settings.get("on_release")
        takes_cause = on_release is not None and _native.takes_cause(on_release)

        def called(resource: Any, cause: str) -> Any:
            if on_release is None:
                return None
            return on_release(resource, cause) if takes_cause else on_release(resource)

        def released(resource: Any, cause: str) -> None:
            try:
                called(resource, cause)
            finally:
                self._stirred.set()

        async def released_async(resource: Any, cause: str) -> None:
            try:
                await called(resource, cause)
            finally:
                self._stirred.set()

        return released_async if inspect.iscoroutinefunction(on_release) else released

    def _holds(self) -> bool:
        """Whether anything is on its way in or out. What another function keeps here does not count."""
        if self._cached is None:
            return False
        info, under_way = self._cached.info(), _native._inspect()
        return bool(info.draining or info.waiting or under_way["flights"] or under_way["releasing"])

    def _lease(self) -> Any:
        cached, args, kwargs = self._function()
        return cached.lease(*args, **kwargs)

    # --- turns ------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        with self._lock:
            if not self._is_over:
                self._running += 1
                self._turns += 1
                return True
            return False

    def _done(self, has_failed: bool) -> None:
        with self._lock:
            self._running -= 1
            # A build that fails leaves nothing.
            looks = has_failed or (self._running == 0 and self._looks_again)
        if looks:
            self._stirred.set()

    # --- users ------------------------------------------------------------------------------------

    def _attach(self, watch: Any, visit: int) -> str:
        user: str = watch.hex()
        with self._lock:
            self._had_users = True
            is_known = user in self._users
            self._users[user] = watch
            self._visits[user] = max(visit, self._visits.get(user, 0))
            self._staying.add(user)
            self._near.add(user)
        if not is_known:
            watch.future().add_done_callback(lambda _: self._forget(user))
        return user

    def _forget(self, user: str) -> None:
        """A user is gone, or has been told."""
        with self._lock:
            if self._users.pop(user, None) is not None and not self._users:
                self._answered.set()
            visit = self._visits.pop(user, 0)
        self._left(user, visit, for_good=True)

    def _left(self, user: str | None, visit: int, for_good: bool = False) -> bool:
        """A user goes without a resource from here on, unless it has come again since. Whether nobody else has one."""
        with self._lock:
            if user is not None and visit < self._visits.get(user, 0):
                return False
            was_there = user in self._staying
            self._staying.discard(user or "")
            if for_good:
                self._near.discard(user or "")
            is_last = was_there and not self._staying
            if is_last:
                self._left_at = time.monotonic()
            looks = is_last or not self._near
        if looks:
            self._stirred.set()
        return is_last

    # --- the end ----------------------------------------------------------------------------------

    def _live(self) -> None:
        self._stirred.wait(_FIRST_USER)
        while not self._ends():
            self._stirred.wait(None if self._had_users else _FIRST_USER)
        try:
            self._release_all()
        except BaseException:
            _log.exception("an actor of the cluster could not release what it holds")
        self._tell()
        with self._lock:
            has_users = bool(self._users)
        if has_users:
            self._answered.wait(_PARTING)
        # As one more task, so that the answers of all others have left.
        self._me.__ray_terminate__.remote()
        self._answered.clear()
        self._answered.wait(_PARTING)
        _ray.imported().kill(self._me, no_restart=True)

    def _ends(self) -> bool:
        """Whether it is over. Where it may be so in a moment, that is waited for."""
        self._stirred.clear()
        known, since = -1, 0.0
        while True:
            # A function that could not be had is not there for the next call either.
            grace = _GRACE if self._cached is not None else 0.0
            with self._lock:
                self._looks_again = self._running > 0
                if self._looks_again:
                    return False
                turns, now = self._turns, time.monotonic()
                is_left = self._had_users and not self._staying
                # Those who are no users, but have a handle from one, do not keep it.
                pause = self._left_at + grace - now
                if is_left and (pause <= 0 or not self._near):
                    self._is_over = True
                    return True
            if not is_left:
                if self._cached is not None and self._cached.info().entries:
                    return False
                if self._holds():
                    # What is being released is gone in a moment, and nobody tells when.
                    pause = _LOOK
                else:
                    if turns != known:
                        known, since = turns, now
                    pause = since + grace - now
                    if pause <= 0 and self._is_over_since(turns):
                        return True
            self._stirred.wait(max(0.0, pause))
            self._stirred.clear()

    def _is_over_since(self, turns: int) -> bool:
        """Ends the actor, unless somebody has had a turn meanwhile."""
        with self._lock:
            self._is_over = self._turns == turns
            return self._is_over

    def _release_all(self) -> None:
        raise NotImplementedError

    def _tell(self) -> None:
        raise NotImplementedError

    # --- answers ----------------------------------------------------------------------------------

    def _answer(self, resource: Any, name: str, given: Any) -> Any:
        if given is resource:
            return Itself()
        if inspect.isgenerator(given) or inspect.isasyncgen(given):
            called = name if name != "__call__" else "a call"
            given.close() if inspect.isgenerator(given) else None
            raise TypeError(
                f"{called} has returned a generator, which cannot leave its process. Write `yield from` in the method "
                "itself, which makes it a generator function: that is streamed"
            )
        return given

    def _attribute(self, resource: Any, name: str) -> Any:
        it = getattr(resource, name)
        return Method(kind(it)) if callable(it) else self._answer(resource, name, it)

    def _ended_for(self, how: How, user: str | None, tag: str | None, visit: int) -> bool:
        """Ends what is kept, or what carries the tag, for a user who leaves. Whether it was the last one."""
        with Turn(self) as is_mine:
            if is_mine:
                self._end(how, tag)
        self._stirred.set()
        return self._left(user, visit, for_good=how == "leave")

    def _end(self, how: How, tag: str | None) -> None:
        with self._making:
            cached = self._cached
        # Before its first build it holds nothing, and its function may not even be there.
        if cached is None or self._recipe is None:
            return
        args, kwargs = self._recipe.args, self._recipe.kwargs
        if tag is not None and not _carries(cached, tag, args, kwargs):
            return
        match how:
            case "clear":
                # The entry alone: in a fleet, the function's others would end too.
                cached.clear(*args, **kwargs)
            case "expire":
                cached.expire(*args, **kwargs)
            case "discard":
                resource = cached.peek(*args, **kwargs)
                if resource is not None:
                    cached.discard(resource)
            case "leave":
                pass
            case _:
                assert_never(how)


def _carries(cached: Any, tag: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        return tag in cached._tags(*args, **kwargs)
    except Exception:
        # A tag may stand for a credential that does not hold any more: what cannot tell its own is ended.
        return True


class Turn:
    """The turn of one call: `True` where the actor is not over."""

    __slots__ = ("_is_mine", "_keeper")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._is_mine = keeper._begin()

    def __enter__(self) -> bool:
        return self._is_mine

    def __exit__(self, error: type[BaseException] | None, raised: BaseException | None, _: object) -> None:
        carrier = carried(raised)
        if self._is_mine:
            self._keeper._done(error is not None)
        if carrier is not None:
            raise carrier from raised
