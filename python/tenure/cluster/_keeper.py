"""The actor that holds one resource, in a cache of its own.

1. What runs on the resource has a turn. An actor that is over gives none.
2. It is over when nobody has a turn, and either it has no users any more, or it holds nothing and nobody had a turn
   since it was seen to hold nothing. It is never used again.
3. Users are told when everything is released, and only then the actor ends itself.

A user's death is told by what it owns: each user has a call of `watch` that is answered at the end, and the actor
borrows the reference of the answer, which fails when its owner dies. One thread serves all of them: those that have
not begun wait in the actor's queue.

Lock order: `_lock` is a leaf, and nothing is called under it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any

import tenure
from tenure import _loops, _native
from tenure.cluster import _ray
from tenure.cluster._answers import Itself, Method, Over
from tenure.cluster._coroutines import Calls
from tenure.cluster._errors import carried
from tenure.cluster._face import face, kind
from tenure.cluster._recipe import Recipe, unpack

__all__ = ["AsyncKeeper", "BlockingKeeper", "actor_class"]

_FIRST_USER = 60.0
"""Seconds that an actor waits for its first user, who may have died before it asked."""

_TOLD = 5.0
"""Seconds that users have to take the answer that it is over."""

_LOOK = 0.02
"""Seconds between two looks at a release that has begun."""

_log = logging.getLogger("tenure")


class _Keeper:
    """What actors for blocking and for async functions share."""

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
        """What those watch who are to be told."""
        self._staying: set[str] = set()
        self._stirred = threading.Event()
        self._answered = threading.Event()
        threading.Thread(target=self._live, name="tenure cluster", daemon=True).start()

    # --- what is kept -----------------------------------------------------------------------------

    def _function(self) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """The function as it is cached here, with the arguments of its one entry."""
        with self._making:
            if self._recipe is None:
                recipe = unpack(self._packed)
                settings = {**recipe.settings, "on_release": self._told(recipe)}
                # What the function holds has been looked at where it is called; what is held here is the actor's own.
                with warnings.catch_warnings(action="ignore"):
                    self._cached = tenure.cache_resource(recipe.func, show_spinner=False, **settings)
                self._recipe, self._packed = recipe, b""
            return self._cached, self._recipe.args, self._recipe.kwargs

    def _told(self, recipe: Recipe) -> Callable[..., Any]:
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

    def _attach(self, watch: Any) -> str:
        user: str = watch.hex()
        with self._lock:
            self._had_users = True
            is_known = user in self._users
            self._users[user] = watch
            self._staying.add(user)
        if not is_known:
            watch.future().add_done_callback(lambda _: self._forget(user))
        return user

    def _forget(self, user: str) -> None:
        """A user is gone, or has been told."""
        with self._lock:
            if self._users.pop(user, None) is not None and not self._users:
                self._answered.set()
        self._left(user)

    def _left(self, user: str | None) -> bool:
        """A user goes without a resource from here on. Whether nobody else has one."""
        with self._lock:
            was_there = user in self._staying
            self._staying.discard(user or "")
            is_last = was_there and not self._staying
        if is_last:
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
            self._answered.wait(_TOLD)
        # As one more task, so that the answers of all others have left.
        self._me.__ray_terminate__.remote()
        self._answered.clear()
        self._answered.wait(_TOLD)
        _ray.imported().kill(self._me, no_restart=True)

    def _ends(self) -> bool:
        self._stirred.clear()
        while True:
            with self._lock:
                self._looks_again = self._running > 0
                if self._looks_again:
                    return False
                if self._had_users and not self._staying:
                    self._is_over = True
                if self._is_over:
                    return True
                turns = self._turns
            if self._cached is not None and self._cached.info().entries:
                return False
            if not self._holds():
                with self._lock:
                    if self._turns == turns:
                        self._is_over = True
                        return True
            # What is being released is gone in a moment, and nobody tells when.
            self._stirred.wait(_LOOK)
            self._stirred.clear()

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

    def _end(self, cached: Any, args: tuple[Any, ...], kwargs: dict[str, Any], how: str) -> None:
        """Ends what is kept, as somebody has asked elsewhere."""
        if how == "clear":
            # The entry alone: in a fleet, the function's others would end too.
            cached.clear(*args, **kwargs)
        elif how == "expire":
            cached.expire(*args, **kwargs)
        elif how == "discard":
            resource = cached.peek(*args, **kwargs)
            if resource is not None:
                cached.discard(resource)


class _Turn:
    """The turn of one call: `True` where the actor is not over."""

    __slots__ = ("_is_mine", "_keeper")

    def __init__(self, keeper: _Keeper) -> None:
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


class BlockingKeeper(_Keeper):
    """The actor of a blocking function: each call has a thread."""

    def __init__(self, packed: bytes) -> None:
        super().__init__(packed)
        self._ended = threading.Event()
        self._calls = Calls()

    def watch(self) -> None:
        """Answers when everything is released."""
        self._ended.wait()

    def serve(self, watch: list[Any]) -> Any:
        """Builds the resource, if it is not there, for a user who watches; gives its outside."""
        with _Turn(self) as is_mine:
            if not is_mine:
                return Over()
            user = self._attach(watch[0])
            try:
                with self._lease() as resource:
                    return face(resource)
            except BaseException:
                self._left(user)
                raise

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls a method."""
        with _Turn(self) as is_mine:
            if not is_mine:
                return Over()
            with self._calls.begun(_ray.task()) as call, self._lease() as resource:
                given = getattr(resource, name)(*args, **kwargs)
                if inspect.isawaitable(given):
                    given = call.awaited(given)
                return self._answer(resource, name, given)

    def stream(self, name: str, /, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Calls a method whose items are wanted one by one."""
        with _Turn(self) as is_mine:
            if not is_mine:
                yield Over()
                return
            with self._calls.begun(_ray.task()) as call, self._lease() as resource:
                items = getattr(resource, name)(*args, **kwargs)
                if hasattr(items, "__aiter__"):
                    items = call.items(items)
                # Not `yield from`: what Ray sends is not for the resource.
                with contextlib.ExitStack() as stack:
                    if inspect.isgenerator(items):
                        stack.enter_context(contextlib.closing(items))
                    for item in items:  # noqa: UP028
                        yield item

    def attribute(self, name: str) -> Any:
        """Reads an attribute, or says that it is a method."""
        with _Turn(self) as is_mine:
            if not is_mine:
                return Over()
            with self._lease() as resource:
                return self._attribute(resource, name)

    def end(self, how: str, user: str | None) -> bool:
        """Ends what is kept for the reason that a caller has given. The user leaves; whether it was the last one."""
        with _Turn(self) as is_mine:
            if is_mine:
                self._end(*self._function(), how)
        self._stirred.set()
        return self._left(user)

    def cancel(self, task: str) -> None:
        """Cancels what the call awaits that is this task."""
        self._calls.cancel(task)

    def _release_all(self) -> None:
        tenure.shutdown()

    def _tell(self) -> None:
        self._ended.set()


class AsyncKeeper(_Keeper):
    """The actor of an async function: everything runs on the actor's own loop, as it would in one program."""

    def __init__(self, packed: bytes) -> None:
        super().__init__(packed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: Future[None] = Future()

    async def watch(self) -> None:
        """Answers when everything is released."""
        await asyncio.shield(asyncio.wrap_future(self._ended))

    async def serve(self, watch: list[Any]) -> Any:
        """Builds the resource, if it is not there, for a user who watches; gives its outside."""
        self._loop = asyncio.get_running_loop()
        # Ray runs the loop, and nobody whom an exit could reach: it is the caller's.
        _loops.home().meant_for_the_loop = ()
        with _Turn(self) as is_mine:
            if not is_mine:
                return Over()
            user = self._attach(watch[0])
            try:
                async with self._lease() as resource:
                    return face(resource)
            except BaseException:
                self._left(user)
                raise

    async def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls a method, and awaits what is to be awaited."""
        with _Turn(self) as is_mine:
            if not is_mine:
                return Over()
            async with self._lease() as resource:
                given = getattr(resource, name)(*args, **kwargs)
                if inspect.isawaitable(given):
                    given = await given
                return self._answer(resource, name, given)

    async def stream(self, name: str, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Calls a method whose items are wanted one by one."""
        with _Turn(self) as is_mine:
            if not is_mine:
                yield Over()
                return
            async with self._lease() as resource:
                items = getattr(resource, name)(*args, **kwargs)
                async with contextlib.AsyncExitStack() as stack:
                    if inspect.isasyncgen(items):
                        await stack.enter_async_context(contextlib.aclosing(items))
                    elif inspect.isgenerator(items):
                        stack.enter_context(contextlib.closing(items))
                    if hasattr(items, "__aiter__"):
                        async for item in items:
                            yield item
                    else:
                        for item in items:
                            yield item

    async def attribute(self, name: str) -> Any:
        """Reads an attribute, or says that it is a method."""
        with _Turn(self) as is_mine:
            if not is_mine:
                return Over()
            async with self._lease() as resource:
                return self._attribute(resource, name)

    async def end(self, how: str, user: str | None) -> bool:
        """Ends what is kept for the reason that a caller has given. The user leaves; whether it was the last one."""
        with _Turn(self) as is_mine:
            if is_mine:
                self._end(*self._function(), how)
        self._stirred.set()
        return self._left(user)

    def _release_all(self) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(tenure.shutdown_async(), self._loop).result()

    def _tell(self) -> None:
        self._ended.set_result(None)


_GROUPS: dict[type[_Keeper], dict[str, int]] = {
    AsyncKeeper: {"watch": 1, "end": 2},
    BlockingKeeper: {"watch": 1, "serve": 4, "end": 2, "cancel": 1},
}
"""What takes no place of the resource's calls, and how many of it run at a time: those that watch need one in all, and
whoever ends something waits neither for calls nor, where those have threads, for builds."""


@functools.cache
def actor_class(is_async: bool) -> Any:
    """The class of actors for async or for blocking functions, as Ray makes them."""
    keeper = AsyncKeeper if is_async else BlockingKeeper
    for name in _GROUPS[keeper]:
        _ray.imported().method(concurrency_group=name)(getattr(keeper, name))
    return _ray.imported().remote(concurrency_groups=_GROUPS[keeper])(keeper)
