"""Tenure on an ASGI server, whatever the framework: warm at the start, release at the end, requests as sessions.

    app.add_middleware(tenure.asgi.Middleware, warm=[pool])         # FastAPI, Starlette
    served = tenure.asgi.Middleware(app, warm=[pool])               # any ASGI app: the last line, for the server

go around the app, and `FastAPI(lifespan=tenure.asgi.lifespan)` is the same for frameworks that take a lifespan,
without the sessions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import logging
import traceback
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from tenure import _carriers, _loops, _native, _settings
from tenure._api import shutdown_async
from tenure.hosts.asgi.cookies import Cookie

if TYPE_CHECKING:
    from tenure.hosts.asgi.visits import Alone, ByCookie

__all__ = ["Cookie", "Lifespan", "Middleware", "end_session", "inspector", "lifespan"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Own = Callable[[Any], AbstractAsyncContextManager[Any]]

_log = logging.getLogger("tenure")


@dataclasses.dataclass
class _Lives:
    """The lifespans that are on one loop now: the last one to end releases, for all of them."""

    count: int = 0
    shutdown: bool = False
    """Whether one of them has asked for a shutdown of the process."""


_on: weakref.WeakKeyDictionary[_carriers.Home[Any], _Lives] = weakref.WeakKeyDictionary()
"""The lifespans on each loop."""


class Lifespan:
    """From the start of a server to its end; `lifespan` makes one.

    A framework calls it with its app and enters what that gives. `async with` enters it without an app.

    >>> import asyncio, tenure.asgi
    >>> async def main():
    ...     async with tenure.asgi.lifespan():
    ...         pass                    # serves
    >>> asyncio.run(main())
    """

    def __init__(self, own: Own | None, app: object, warm: Iterable[Callable[[], object]], shutdown: bool) -> None:
        self._own = own
        self._app = app
        self._warm = _functions(warm)
        self._shutdown = shutdown
        self._entered: AbstractAsyncContextManager[Any] | None = None

    def __call__(self, app: object) -> AbstractAsyncContextManager[Any]:
        """The lifespan of this app."""
        return self._around(app)

    async def __aenter__(self) -> Any:
        if self._entered is not None:
            raise RuntimeError(
                "this lifespan has been entered already. Write tenure.asgi.lifespan() for each server of its own"
            )
        self._entered = entered = self._around(self._app)
        try:
            return await entered.__aenter__()
        except BaseException:
            self._entered = None
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        entered, self._entered = self._entered, None
        if entered is None:
            raise RuntimeError("this lifespan has not been entered")
        return await entered.__aexit__(kind, error, trace)

    @contextlib.asynccontextmanager
    async def _around(self, app: object) -> AsyncIterator[Any]:
        async with self._life():
            if self._own is None:
                yield None
            else:
                async with self._own(app) as state:
                    yield state

    @contextlib.asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        """The part of the lifespan that lies around the app's own start and end."""
        try:
            home = _loops.home()
        except RuntimeError:
            raise RuntimeError(
                "tenure.asgi needs an event loop of asyncio or trio, and none runs here. Run the server on one of them"
            ) from None
        lives = _on.setdefault(home, _Lives())
        lives.count += 1
        lives.shutdown |= self._shutdown
        try:
            for function in self._warm:
                made = function()
                if inspect.isawaitable(made):
                    await made
            yield
        finally:
            lives.count -= 1
            if lives.count == 0:
                del _on[home]
                await home.release_all()
                if lives.shutdown:
                    await shutdown_async()


@_settings.of("tenure.asgi.lifespan")
def lifespan(of: object = None, /, *, warm: Iterable[Callable[[], object]] = (), shutdown: bool = False) -> Lifespan:
    """The lifespan of a server: warms what is to be there before the first request, and releases at the end.

    At its end everything that lives on the server's event loop is released, the last built first, after the app's own
    shutdown and with the loop still running: entries of `scope="loop"`, and those of other scopes that can be released
    there alone. Where several lifespans share a loop, that of a `Middleware` among them, the last one to end releases,
    and shuts down if any of them asks for it.

    Parameters
    ----------
    of
        A lifespan of your own (a function of the app that gives an asynchronous context manager) to go around. Or an
        app, which is how frameworks call it: `FastAPI(lifespan=tenure.asgi.lifespan)`.
    warm
        Functions without arguments, blocking or async, called one after another before the app's own start. What one
        of them raises stops the start, and what has been built by then is released.
    shutdown
        Whether the end also releases everything else that the process holds, as `tenure.shutdown()` does. For a server
        that ends by a signal of its own, as uvicorn does with `--reload` and `--workers`.

    Returns
    -------
    Lifespan
        What a framework takes as its lifespan, and an asynchronous context manager.

    Examples
    --------
    >>> import asyncio, tenure, tenure.asgi
    >>> @tenure.cache_resource(scope="loop")
    ... async def pool():
    ...     yield ["a connection"]
    ...     print("closed")
    >>> async def serve():
    ...     async with tenure.asgi.lifespan(warm=[pool]):
    ...         print(pool.info().entries, await pool())
    >>> asyncio.run(serve())
    1 ['a connection']
    closed
    """
    own = _own(of)
    return Lifespan(own, None if own is not None else of, warm, shutdown)


class Middleware:
    """Tenure around an ASGI app, of any framework or none.

    It answers the server's lifespan events together with the app, also for an app that knows none: see `lifespan` for
    what it does then. And it says which session a request serves, for functions of `scope="session"`.

    Parameters
    ----------
    app
        The ASGI app.
    session
        `"request"`: each request and each WebSocket is a session. That of a request ends when its response has been
        sent and its background tasks are over, that of a WebSocket when it is closed. `"cookie"` or a `Cookie`: all
        requests with the same cookie are one. `None`: there are no sessions.
    warm, shutdown
        As for `lifespan`.

    Examples
    --------
    >>> import asyncio, tenure, tenure.asgi
    >>> @tenure.cache_resource(scope="session")
    ... async def basket():
    ...     yield []
    ...     print("given back")
    >>> async def app(scope, receive, send):
    ...     (await basket()).append(scope["path"])
    ...     await send({"type": "http.response.start", "status": 200, "headers": []})
    ...     await send({"type": "http.response.body", "body": b"one thing"})
    >>> async def request(app, path):
    ...     async def send(message):
    ...         print(message.get("body", message["type"]))
    ...     await app({"type": "http", "path": path, "headers": []}, None, send)
    >>> asyncio.run(request(tenure.asgi.Middleware(app), "/seeds"))
    http.response.start
    b'one thing'
    given back
    """

    @_settings.of("tenure.asgi.Middleware")
    def __init__(
        self,
        app: App,
        *,
        session: Literal["request", "cookie"] | Cookie | None = "request",
        warm: Iterable[Callable[[], object]] = (),
        shutdown: bool = False,
    ) -> None:
        if not callable(app):
            raise TypeError(f"app must be an ASGI app, not {app!r}. Example: tenure.asgi.Middleware(app)")
        self.app = app
        self._lifespan = Lifespan(None, None, warm, shutdown)
        self._sessions = _sessions(session)

    if not TYPE_CHECKING:  # A type checker would take any name for one that is there.

        def __getattr__(self, name: str) -> NoReturn:
            """Says where the middleware goes, to whoever has put it in the place of a framework's app."""
            raise AttributeError(
                f"'Middleware' object has no attribute '{name}': it goes around the app and is served in its place. "
                "Write `app.add_middleware(tenure.asgi.Middleware)` for FastAPI and Starlette; for another app, as the "
                "last line, `served = tenure.asgi.Middleware(app)`, and have the server serve that",
                name=name,
                obj=self,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the app."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(scope, receive, send)
        elif self._sessions is not None and kind in ("http", "websocket"):
            await self._sessions.serve(self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        startup: Message | None = await receive()
        life = contextlib.AsyncExitStack()
        try:
            await life.enter_async_context(self._lifespan._life())
        except BaseException:
            await life.aclose()
            await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
            raise
        if self._sessions is not None:
            life.push_async_callback(self._sessions.end_all)
        has_answered = False

        async def replayed() -> Message:
            nonlocal startup
            if startup is not None:
                message, startup = startup, None
                return message
            return await receive()

        async def minding(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            if message["type"] != "lifespan.startup.complete":
                await life.aclose()
            await send(message)

        async with life:
            try:
                await self.app(scope, replayed, minding)
            except Exception as error:
                if startup is None:
                    raise
                # So an app says, by the specification, that it knows no such thing.
                _log.debug("the ASGI app has no lifespan of its own: %r", error)
            if not has_answered:
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await life.aclose()
                await send({"type": "lifespan.shutdown.complete"})


@_settings.of("tenure.asgi.inspector")
def inspector(*, token: str | None = None, show_arguments: bool = False) -> App:
    """The inspector: a page that shows what this process keeps, as an ASGI app to mount or to serve by itself.

    Functions and entries with age, hits, build time, scope and session, charts, the last builds and releases, and the
    members of the fleet. A session is shown by a short digest, and a key never is.

    Parameters
    ----------
    token
        What opens the page, at least 16 characters: in a form that it shows, or in a header `Authorization: Bearer`.
        Whoever has it can also clear and expire. `None`: whoever reaches the page sees it, and nobody can change
        anything.
    show_arguments
        Whether to show the arguments of what is built from now on. They are kept as text then, numbers and strings as
        Python writes them and anything else by the name of its class; those whose names begin with an underscore are
        left out.

    Returns
    -------
    App
        An ASGI app.

    Examples
    --------
    >>> import asyncio, tenure.asgi
    >>> page = tenure.asgi.inspector(token="a long token of your own")
    >>> async def send(message):
    ...     print(message.get("status", ""), end="")
    >>> asyncio.run(page({"type": "http", "method": "GET", "path": "/data", "headers": []}, None, send))
    401
    """
    from tenure._inspector.page import Inspector

    return Inspector(token, show_arguments)


async def end_session() -> None:
    """Ends the session that the present code serves: what is kept for it is released.

    For a user who logs out, say: the response then takes the session's cookie away. What goes on in the session builds
    for nobody.

    Raises
    ------
    ScopeError
        There is no session here.

    Examples
    --------
    >>> import asyncio, tenure, tenure.asgi
    >>> asyncio.run(tenure.asgi.end_session())
    Traceback (most recent call last):
        ...
    tenure.ScopeError: no session is served here, so there is none to end. Call end_session() in a request of an app ...
    """
    from tenure.hosts import sessions

    visit = sessions.current.get()
    if visit is None:
        raise _native.ScopeError(
            "no session is served here, so there is none to end. Call end_session() in a request of an app that "
            "tenure.asgi.Middleware serves"
        )
    visit.has_ended_it = True
    await sessions.end(visit.session)


def _sessions(session: object) -> Alone | ByCookie | None:
    if session is None:
        return None
    if not (isinstance(session, Cookie) or session in ("request", "cookie")):
        raise (ValueError if isinstance(session, str) else TypeError)(
            f'session must be "request", "cookie", a tenure.asgi.Cookie or None, not {session!r}. '
            'Example: tenure.asgi.Middleware(app, session=tenure.asgi.Cookie(idle="30m"))'
        )
    # Whoever imports this makes the host known to the engine.
    from tenure.hosts.asgi import visits

    if session == "request":
        return visits.Alone()
    return visits.ByCookie(session if isinstance(session, Cookie) else Cookie())


def _functions(warm: Any) -> tuple[Callable[[], object], ...]:
    how = 'warm takes functions without arguments, as in warm=[pool, functools.partial(model, "small")]'
    if callable(warm) or isinstance(warm, str) or not isinstance(warm, Iterable):
        raise TypeError(f"{how}, not {warm!r}")
    functions = tuple(warm)
    for function in functions:
        if inspect.iscoroutine(function):
            function.close()  # It is nobody's, and Python would warn that it was never awaited.
        if not callable(function):
            raise TypeError(f"{how}, not {function!r}")
    return functions


def _own(of: Any) -> Own | None:
    """The lifespan that this is; None for an app."""
    if isinstance(of, Lifespan):
        return of
    if callable(of) and _takes(of, 3):
        return None
    if hasattr(type(of), "__aenter__"):
        raise TypeError(_wrong(of, "a function of the app that gives such a context manager"))
    if not callable(of):
        return None
    if inspect.isasyncgenfunction(of):
        raise TypeError(_wrong(of, "one under @contextlib.asynccontextmanager"))
    if inspect.iscoroutinefunction(of) or isinstance(of, _native.CachedFunction):
        raise TypeError(_wrong(of, "tenure.asgi.lifespan(warm=[...]) for what is to be there at the start"))
    return of if _takes(of, 1) else None


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def _wrong(of: object, instead: str) -> str:
    return (
        f"tenure.asgi.lifespan goes around a lifespan, a function of the app under @contextlib.asynccontextmanager, "
        f"and was given {of!r}. Write {instead}"
    )
