"""The public functions: signatures, types and documentation. Every rule is in the native module."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, overload

from tenure import _native, _settings

if TYPE_CHECKING:
    from tenure._native import AsyncCachedFunction, CachedFunction
    from tenure.weigh import Gauge

P = ParamSpec("P")
R = TypeVar("R")


Scope = Literal["global", "session", "loop", "thread", "cluster"] | Callable[[], object]

Ttl = float | timedelta | str | None

Tags = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class Decorator(Protocol):
    """The decorator that `cache_resource(...)` with settings gives: callers get what is yielded or awaited."""

    @overload
    def __call__(self, func: Callable[P, AsyncIterator[R]], /) -> AsyncCachedFunction[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncCachedFunction[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, func: Callable[P, Generator[R, Any, Any]], /) -> CachedFunction[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> CachedFunction[P, R]: ...
    def __call__(self, func: Any, /) -> Any: ...


class EnteringDecorator(Protocol):
    """The decorator that `cache_resource(enter=True)` gives: callers get what is entered."""

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, AbstractAsyncContextManager[R, Any]]], /
    ) -> AsyncCachedFunction[P, R]: ...
    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, AbstractContextManager[R, Any]]], /
    ) -> AsyncCachedFunction[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, AbstractContextManager[R, Any]], /) -> CachedFunction[P, R]: ...
    def __call__(self, func: Any, /) -> Any: ...


class CacheResource:
    """The decorator `tenure.cache_resource`; use that, not this class."""

    @overload
    def __call__(
        self,
        func: Callable[P, Coroutine[Any, Any, AbstractAsyncContextManager[R, Any]]],
        *,
        ttl: Ttl | Callable[[R], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[R], bool | Awaitable[bool]] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[R], object] | Callable[[R, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[R], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[True],
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[R], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[P, Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> AsyncCachedFunction[P, R]: ...
    @overload
    def __call__(
        self,
        func: Callable[P, Coroutine[Any, Any, AbstractContextManager[R, Any]]],
        *,
        ttl: Ttl | Callable[[R], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[R], bool | Awaitable[bool]] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[R], object] | Callable[[R, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[R], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[True],
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[R], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[P, Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> AsyncCachedFunction[P, R]: ...
    @overload
    def __call__(
        self,
        func: Callable[P, AbstractContextManager[R, Any]],
        *,
        ttl: Ttl | Callable[[R], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[R], bool] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[R], object] | Callable[[R, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[R], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[True],
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[R], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[P, Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> CachedFunction[P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        func: Callable[P, AsyncIterator[R]],
        *,
        ttl: Ttl | Callable[[R], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[R], bool | Awaitable[bool]] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[R], object] | Callable[[R, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[R], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[False] = False,
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[R], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[P, Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> AsyncCachedFunction[P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        func: Callable[P, Coroutine[Any, Any, R]],
        *,
        ttl: Ttl | Callable[[R], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[R], bool | Awaitable[bool]] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[R], object] | Callable[[R, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[R], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[False] = False,
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[R], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[P, Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> AsyncCachedFunction[P, R]: ...
    @overload
    def __call__(
        self,
        func: Callable[P, Generator[R, Any, Any]],
        *,
        ttl: Ttl | Callable[[R], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[R], bool] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[R], object] | Callable[[R, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[R], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[False] = False,
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[R], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[P, Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> CachedFunction[P, R]: ...
    @overload
    def __call__(
        self,
        func: Callable[P, R],
        *,
        ttl: Ttl | Callable[[R], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[R], bool] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[R], object] | Callable[[R, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[R], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[False] = False,
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[R], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[P, Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> CachedFunction[P, R]: ...
    @overload
    def __call__(
        self,
        func: None = None,
        *,
        ttl: Ttl | Callable[[Any], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[Any], bool | Awaitable[bool]] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[Any], object] | Callable[[Any, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[Any], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[True],
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[Any], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[..., Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> EnteringDecorator: ...
    @overload
    def __call__(
        self,
        func: None = None,
        *,
        ttl: Ttl | Callable[[Any], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[Any], bool | Awaitable[bool]] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[Any], object] | Callable[[Any, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[Any], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: Literal[False] = False,
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[Any], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[..., Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> Decorator: ...
    @_settings.of("cache_resource")
    def __call__(
        self,
        func: Callable[..., Any] | None = None,
        *,
        ttl: Ttl | Callable[[Any], Ttl] = None,
        max_entries: int | None = None,
        show_spinner: bool | str = True,
        show_time: bool = False,
        validate: Callable[[Any], bool | Awaitable[bool]] | None = None,
        hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None,
        on_release: Callable[[Any], object] | Callable[[Any, str], object] | None = None,
        scope: Scope = "global",
        experimental_allow_widgets: bool = False,
        drain: float | timedelta | str | None = None,
        keep_if: Callable[[Any], bool] | None = None,
        refresh_mode: Literal["foreground", "background", "ahead"] = "foreground",
        enter: bool = False,
        max_stale: float | timedelta | str | None = None,
        refresh_before: float | timedelta | str | None = None,
        max_idle: float | timedelta | str | None = None,
        weight: float | Callable[[Any], float] | Gauge | None = None,
        max_weight: int | None = None,
        build_timeout: float | timedelta | str | None = None,
        fork: Literal["drop", "keep"] = "drop",
        tags: Tags | Callable[..., Tags] | None = None,
        ray_options: Mapping[str, Any] | None = None,
        fleet_builds: int | None = None,
    ) -> Any:
        """Keep what a function returns: built once per set of arguments, shared, released exactly once.

        Parameters
        ----------
        func
            The function that makes the resource. A class method, a static method, a partial and a callable object
            work too. An async function is built by a task of its own, which belongs to no caller. A generator function,
            blocking or async, yields its resource once: what follows the `yield` is its release.
        ttl
            The maximum age of an entry: seconds, a `timedelta`, or a string as `pandas.Timedelta` reads it, such as
            `"1d"`, `"1.5 days"` or `"1h23s"`. An expired entry is never returned, and is released within a second.
            `None`: entries do not expire. A function of the resource gives each its own, or `None`: a token's, say.
        max_entries
            The most entries to keep, at least 1. The oldest one goes first. `None`: no bound.
        show_spinner
            In an app, show a spinner while the resource is built; a string is its text.
        show_time
            Show the elapsed time next to the spinner's text, to 0.1 s.
        validate
            Asked at each access whether the resource is still good. `False` releases it and builds a new one. For an
            async function it may be async, and so may `on_release`.
        hash_funcs
            How to key arguments of a type: a mapping from types, or their fully qualified names, to functions.
        on_release
            Called once with the resource when its entry ends, whatever the reason. One whose second positional
            parameter has no default is also told the cause, as `info().releases` names it: `"evicted"`, say.
        scope
            `"global"`: one entry for all. `"session"`: one per session, released when the session ends. `"loop"`: one
            per event loop, released on it before it closes. `"thread"`: one per thread, released when it ends.
            `"cluster"`: one in all, in a Ray actor; callers get a handle whose calls go there. A function without
            arguments: one for each value that it returns, released by `end_scope`.
        experimental_allow_widgets
            Allow widgets in the function; their values then count as arguments.
        drain
            How long a release waits for callers that still use the resource, in the forms of `ttl`. `None`: as set
            with `configure`, and without that, not at all.
        keep_if
            Asked of what a build gave whether it is to be kept. `False`: it goes to those who asked for it, the next
            call builds anew, and it is released with cause `"orphaned"` once they let go.
        refresh_mode
            When a new resource is built for one that is older than `ttl`. `"foreground"`: when it is asked for, and
            callers wait. `"background"`: callers get the old one while the new one is built. `"ahead"`: as
            `"background"`, and the cache begins by itself, before `ttl` is over, where it was asked for lately.
        enter
            The function returns a context manager: it is entered for the resource, and left as its release.
        max_stale
            For how long beyond `ttl` the old resource may be handed out: while a new one is built in the background, or
            where a build fails. `None`: not at all, and with a refresh in the background for as long again as `ttl`.
        refresh_before
            How long before `ttl` is over a call has a new resource built in the background.
        max_idle
            An entry that nobody has asked for in that time, and that nobody holds, is released (`"idle"`).
        weight
            How heavy a resource is, in bytes or any unit: a number, a function of the resource, or a gauge that is read
            before and after the build, such as `tenure.weigh.memory`.
        max_weight
            The most that entries may weigh together. The one used longest ago goes first (`"evicted"`). A resource that
            is heavier by itself is handed out and not kept.
        build_timeout
            How long a caller waits for a build: after that it gets a `BuildTimeout`. The build goes on, on a thread or
            task of its own, and what it gives is kept.
        fork
            What a forked child process has of the entries. `"drop"`: nothing, it builds its own. `"keep"`: all of them,
            shared with its parent's memory; it never releases them. For models and tables, not for connections.
        tags
            What carries a tag is cleared together, by `tenure.clear_tag`. A list of strings, for all entries; or a
            function of the arguments that returns one, called as the function is, with the defaults filled in, before
            the build.
        ray_options
            With `scope="cluster"`: what the Ray actor of a resource needs of its node, as `{"num_gpus": 1}`.
        fleet_builds
            In a fleet, how many members may build one key at a time; the others wait. `None`: all of them. It spares a
            source that cannot bear them all, and is no lock: without the server, members build alone.

        Raises
        ------
        TypeError, ValueError
            A setting that cannot be; the text says what to write.
        UnhashableParamError
            When called: an argument has no key.
        BuildTimeout
            When called: the build takes longer than `build_timeout`.

        Examples
        --------
        >>> import tenure
        >>> @tenure.cache_resource(ttl="1h", max_entries=8, on_release=lambda pool: pool.clear())
        ... def pool(url, *, size=4):
        ...     return [url] * size
        >>> pool("db.example") is pool("db.example", size=4)
        True
        >>> pool.clear("db.example")
        >>> pool.info().releases["cleared"]
        1
        """
        settings = {
            "ttl": ttl,
            "max_entries": max_entries,
            "show_spinner": show_spinner,
            "show_time": show_time,
            "validate": validate,
            "hash_funcs": hash_funcs,
            "on_release": on_release,
            "scope": scope,
            "experimental_allow_widgets": experimental_allow_widgets,
            "drain": drain,
            "keep_if": keep_if,
            "refresh_mode": refresh_mode,
            "enter": enter,
            "max_stale": max_stale,
            "refresh_before": refresh_before,
            "max_idle": max_idle,
            "weight": weight,
            "max_weight": max_weight,
            "build_timeout": build_timeout,
            "fork": fork,
            "tags": tags,
            "ray_options": ray_options,
            "fleet_builds": fleet_builds,
        }
        if func is not None:
            return _native.cache(func, settings)
        _native.check(settings)
        return lambda func: _native.cache(func, settings)

    def clear(self) -> None:
        """Clear every entry of every function.

        >>> import tenure
        >>> tenure.cache_resource.clear()
        """
        _native.clear_all()

    def __repr__(self) -> str:
        return "tenure.cache_resource"


cache_resource = CacheResource()


@_settings.of("tenure.configure")
def configure(
    *,
    drain: float | timedelta | str | None = None,
    session_grace: float | timedelta | str | None = None,
    version_grace: float | timedelta | str | None = "1h",
    shutdown_timeout: float | timedelta | str = 5.0,
    handle_signals: bool = True,
    refresh_workers: int | None = None,
    max_weight: int | None = None,
    fleet: str | None = None,
    fleet_secret: str | None = None,
    fleet_name: str | None = None,
    fleet_lost: Literal["serve", "rebuild"] = "serve",
    fleet_forgot: Literal["expire", "clear"] = "expire",
    fleet_spread: float | timedelta | str | None = None,
    top: bool | None = None,
) -> None:
    """Set what holds for all functions that do not say otherwise. Each call sets all of it.

    Parameters
    ----------
    drain
        How long a release waits for callers that still use the resource.
    session_grace
        How long the entries of a session that has disconnected stay, in case it comes back.
    version_grace
        How long a function stays cached that nothing can call any more, in case a run of the script brings it back.
        `None`: for any time. The latest of each function stays in any case.
    shutdown_timeout
        How long the releases at the end of the process may take in all.
    handle_signals
        Whether a SIGTERM or SIGHUP that nobody handles, which would end the process at once, has everything released
        first. A handler that the program sets is never touched.
    refresh_workers
        How many resources may be refreshed in the background at a time; with 0, none are. `None`: 4.
    max_weight
        The most that the entries of all functions with a `weight` may weigh together, in the same unit.
    fleet
        The server of the fleet that this process is a member of, Valkey or Redis: `"redis://cache.internal"`, say. What
        a call clears or has expire in one member ends in all. `None`: as `TENURE_FLEET` says in the environment.
    fleet_secret
        The secret that all members share, of at least 16 bytes: what they tell each other are digests under it. `None`:
        as `TENURE_FLEET_SECRET` says. Set it before the first cached call, or in the environment.
    fleet_name
        The name of the fleet, where one server has several. `None`: as `TENURE_FLEET_NAME` says, or `"tenure"`.
    fleet_lost
        What calls get between losing the server and having caught up: what is kept (`"serve"`), or what they build for
        themselves (`"rebuild"`).
    fleet_forgot
        Whether everything that is shared expires or is cleared where the server has forgotten what it knew.
    fleet_spread
        The time over which the other members spread the builds that a clear asks for, each by a part drawn at random.
        The member that clears builds at once.
    top
        Whether the command `tenure top` of the same user, on the same machine, may look at this process and those that
        it forks. `None`: as `TENURE_TOP=1` says in the environment.

    Examples
    --------
    >>> import tenure
    >>> tenure.configure(drain="2s", session_grace="30s")
    >>> tenure.configure()
    """
    if not (top is None or isinstance(top, bool)):
        raise TypeError(f"top must be True or False, not {top!r}. Example: top=True")
    _native.configure(
        drain=drain,
        session_grace=session_grace,
        version_grace=version_grace,
        shutdown_timeout=shutdown_timeout,
        handle_signals=handle_signals,
        refresh_workers=refresh_workers,
        max_weight=max_weight,
        fleet=fleet,
        fleet_secret=fleet_secret,
        fleet_name=fleet_name,
        fleet_lost=fleet_lost,
        fleet_forgot=fleet_forgot,
        fleet_spread=fleet_spread,
    )
    show_on_top(top)


def show_on_top(wanted: bool | None = None) -> None:
    """Serves `tenure top`, or no longer. Nothing is imported for it where nobody has wanted it."""
    if wanted is None:
        wanted = os.environ.get("TENURE_TOP", "") not in ("", "0")
    if wanted or "tenure._top.server" in sys.modules:
        from tenure._top import server

        server.serve(wanted)


async def shutdown_async() -> bool:
    """Release everything that is held, as `shutdown` does, for a task: async releases go on on its loop meanwhile.

    Returns
    -------
    bool
        Whether everything that was built has been released.

    Examples
    --------
    >>> import asyncio, tenure
    >>> asyncio.run(tenure.shutdown_async())
    True
    """
    from tenure import _loops

    return await _loops.home().in_thread(_native.shutdown)
