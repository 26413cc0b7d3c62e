"""A9: one lifespan for every ASGI app: warm at the start, release at the end with the loop still running."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import tenure
import tenure.asgi
from served import Server, serving
from world import Job, releases

Notes = list[str]


def resource(notes: Notes, name: str, **settings: Any) -> Any:
    @tenure.cache_resource(scope="loop", **settings)
    async def pool() -> AsyncIterator[str]:
        notes.append(f"{name} opens")
        yield name
        await asyncio.sleep(0)
        notes.append(f"{name} closes")

    return pool


def own_lifespan(notes: Notes) -> Any:
    @asynccontextmanager
    async def own(app: object) -> AsyncIterator[dict[str, object]]:
        notes.append("app starts")
        yield {"app": app}
        notes.append("app ends")

    return own


def app_with_lifespan(lifespan: Callable[[Any], Any]) -> Any:
    """An app that serves its lifespan as Starlette does."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        async with lifespan(app) as state:
            scope["state"].update(state or {})
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return app


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    """An app without a lifespan, as the specification has it."""
    assert scope["type"] == "http", scope["type"]


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """One that says nothing."""


async def deaf(scope: Any, receive: Any, send: Any) -> None:
    """One that takes the event and says nothing."""
    await receive()


def test_a9_a_lifespan_releases_after_the_apps_own_end_with_the_loop_running() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")
    before = releases(pool)  # The pools of this file are one function.

    async def main() -> None:
        own = own_lifespan(notes)
        async with serving(app_with_lifespan(tenure.asgi.lifespan(own, warm=[pool]))) as server:
            assert list(server.state) == ["app"]
            assert await pool() == "pool"
        notes.append("server ends")
        # The loop may be used again.
        await pool()
        notes.append("main ends")

    asyncio.run(main())
    first = ["pool opens", "app starts", "app ends", "pool closes", "server ends"]
    assert notes == [*first, "pool opens", "main ends", "pool closes"]
    assert releases(pool) - before == {"session_ended": 2}


@pytest.mark.parametrize("form", ["function", "called", "context manager", "twice", "within", "decorator"])
def test_a9_the_forms_of_a_lifespan(form: str) -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    @asynccontextmanager
    async def within(app: object) -> AsyncIterator[None]:
        async with tenure.asgi.lifespan(app):
            yield

    async def main() -> None:
        if form == "context manager":
            async with tenure.asgi.lifespan():
                await pool()
        else:
            taken = {
                "function": tenure.asgi.lifespan,
                "called": tenure.asgi.lifespan(),
                "twice": tenure.asgi.lifespan(tenure.asgi.lifespan),
                "within": within,
                "decorator": tenure.asgi.lifespan(own_lifespan([])),
            }[form]
            async with serving(app_with_lifespan(taken)):
                await pool()
        assert notes == ["pool opens", "pool closes"]

    asyncio.run(main())


@pytest.mark.parametrize("app", [refusing, silent, deaf])
def test_a9_an_app_without_a_lifespan_of_its_own(app: Any) -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    async def main() -> None:
        async with serving(tenure.asgi.Middleware(app, warm=[pool])):
            assert notes == ["pool opens"]
        assert notes == ["pool opens", "pool closes"]

    asyncio.run(main())


def test_a9_the_middleware_goes_around_the_apps_own_lifespan() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    async def main() -> None:
        async with serving(tenure.asgi.Middleware(app_with_lifespan(own_lifespan(notes)), warm=[pool])):
            pass
        assert notes == ["pool opens", "app starts", "app ends", "pool closes"]

    asyncio.run(main())


def test_a9_what_is_built_on_another_resource_is_released_before_it() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")
    cache = resource(notes, "cache")

    async def close(text: str) -> None:
        await asyncio.sleep(0)
        notes.append(f"{text} closes")

    @tenure.cache_resource(scope="loop", on_release=close)
    async def store() -> str:
        return f"store on {await pool()}"

    @tenure.cache_resource(scope="loop")
    async def desk() -> AsyncIterator[str]:
        yield f"desk on {await store()} and {await cache()}"
        await asyncio.sleep(0)
        notes.append("desk closes")

    ends = ["desk closes", "cache closes", "store on pool closes", "pool closes"]

    async def main() -> None:
        async with tenure.asgi.lifespan():
            await desk()
        assert notes[-4:] == ends

    asyncio.run(main())


def test_a9_what_another_thread_has_let_go_of_is_released_before_what_it_was_built_on() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    @tenure.cache_resource
    async def desk() -> AsyncIterator[str]:
        yield f"desk on {await pool()}"
        for _ in range(10):
            await asyncio.sleep(0)
        notes.append("desk closes")

    async def main() -> None:
        async with tenure.asgi.lifespan():
            await desk()
            # Its release comes to the loop while that is busy, and has not begun when everything ends.
            Job(desk.clear).result()
        assert notes == ["pool opens", "desk closes", "pool closes"]

    asyncio.run(main())


def test_a9_a_lifespan_on_trio_releases_while_the_run_goes_on() -> None:
    notes: Notes = []

    @tenure.cache_resource(scope="loop")
    async def pool(name: str) -> AsyncIterator[str]:
        notes.append(f"{name} opens")
        yield name
        await trio.sleep(0)
        notes.append(f"{name} closes")

    async def warm() -> None:
        await pool("warm")

    async def main() -> None:
        async with tenure.asgi.lifespan(own_lifespan(notes), warm=[warm])(None):
            await pool("later")
        notes.append("the run goes on")

    trio.run(main)
    assert notes == [
        "warm opens", "app starts", "later opens", "app ends", "later closes", "warm closes", "the run goes on"
    ]  # fmt: skip


def test_a3_so_it_is_where_a_loop_ends_by_itself() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    @tenure.cache_resource(scope="loop")
    async def desk() -> AsyncIterator[str]:
        yield f"desk on {await pool()}"
        await asyncio.sleep(0)
        notes.append("desk closes")

    async def main() -> None:
        await desk()

    asyncio.run(main())
    assert notes == ["pool opens", "desk closes", "pool closes"]


def test_a3_a_release_that_begins_as_its_loop_ends() -> None:
    """Before its first step, all tasks of the loop are cancelled."""
    notes: Notes = []
    pool = resource(notes, "pool")

    async def close(text: str) -> None:
        notes.append(f"{text} closes")

    @tenure.cache_resource(on_release=close)
    async def plain() -> str:
        return "plain"

    async def main() -> None:
        await pool()
        await plain()
        pool.clear()
        plain.clear()

    asyncio.run(main())
    assert sorted(notes[1:]) == ["plain closes", "pool closes"]
    assert (pool.info().release_failures, plain.info().release_failures) == (0, 0)


def test_a9_what_a_release_asks_for_again_is_released_too() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    @tenure.cache_resource(scope="loop")
    async def desk() -> AsyncIterator[None]:
        yield
        notes.append(f"desk says goodbye to the {await pool()}")

    async def main() -> None:
        async with tenure.asgi.lifespan():
            await pool()
            await desk()
        assert pool.info().entries == 0
        assert notes.count("pool opens") == notes.count("pool closes")

    asyncio.run(main())


def test_a9_the_last_of_several_lifespans_on_a_loop_releases() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    async def main() -> None:
        inner = tenure.asgi.Middleware(app_with_lifespan(tenure.asgi.lifespan(own_lifespan(notes))))
        async with serving(inner), tenure.asgi.lifespan():
            await pool()
            async with tenure.asgi.lifespan():
                pass
        assert notes == ["app starts", "pool opens", "app ends", "pool closes"]

    asyncio.run(main())


def test_a9_resources_of_other_scopes_go_where_only_the_loop_can_release_them() -> None:
    notes: Notes = []

    @tenure.cache_resource
    async def everyones() -> AsyncIterator[str]:
        yield "everyone's"
        notes.append("everyone's closes")

    @tenure.cache_resource(on_release=notes.append)
    def blocking() -> str:
        return "blocking"

    @tenure.cache_resource
    async def plain() -> list[str]:
        return []

    async def main() -> None:
        async with tenure.asgi.lifespan(warm=[everyones, blocking, plain]):
            kept = await plain()
        assert notes == ["everyone's closes"]
        assert await plain() is kept
        async with tenure.asgi.lifespan(shutdown=True):
            pass
        assert notes == ["everyone's closes", "blocking"]

    asyncio.run(main())


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_a9_one_of_several_lifespans_that_shuts_down_is_enough(outer: bool, inner: bool) -> None:
    """Whichever it is, and whichever ends last."""
    notes: Notes = []

    @tenure.cache_resource(on_release=notes.append)
    def model() -> list[object]:
        return ["model", outer, inner]

    async def main() -> None:
        app = app_with_lifespan(tenure.asgi.lifespan(shutdown=inner, warm=[model]))
        async with serving(tenure.asgi.Middleware(app, session="cookie", shutdown=outer)):
            pass
        shuts_down = outer or inner
        assert notes == [["model", outer, inner]] * shuts_down
        # What one server has asked for is not the next one's.
        async with tenure.asgi.lifespan(warm=[model]):
            pass
        assert notes == [["model", outer, inner]] * shuts_down

    asyncio.run(main())
    model.clear()


def test_a9_functions_are_warmed_in_order_blocking_and_async() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    @tenure.cache_resource(scope="loop")
    def client() -> Iterator[str]:
        notes.append("client opens")
        yield "client"
        notes.append("client closes")

    async def main() -> None:
        async with tenure.asgi.lifespan(warm=[client, pool, functools.partial(notes.append, "partial")]):
            notes.append("serves")

    asyncio.run(main())
    assert notes[:4] == ["client opens", "pool opens", "partial", "serves"]
    assert sorted(notes[4:]) == ["client closes", "pool closes"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a9_a_failure_to_warm_stops_the_start_with_its_error(is_async: bool) -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    def fails() -> None:
        raise LookupError("no such model")

    async def fails_later() -> None:
        fails()

    async def main() -> None:
        app = app_with_lifespan(own_lifespan(notes))
        server = Server(tenure.asgi.Middleware(app, warm=[pool, fails_later if is_async else fails]))
        answer = await server.start()
        assert answer["type"] == "lifespan.startup.failed"
        assert "LookupError: no such model" in answer["message"]
        assert isinstance(await server.ended(), LookupError)
        assert notes == ["pool opens", "pool closes"]
        with pytest.raises(LookupError):
            async with tenure.asgi.lifespan(warm=[fails]):
                raise AssertionError("must not start")

    asyncio.run(main())


@pytest.mark.parametrize("when", ["startup.failed", "start", "end"])
def test_a9_an_app_that_fails_to_start_or_to_end_is_released_and_says_so_itself(when: str) -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if when == "startup.failed":
            await send({"type": "lifespan.startup.failed", "message": "no"})
            return
        if when == "end":
            await send({"type": "lifespan.startup.complete"})
            await receive()
        raise ConnectionError(when)

    async def main() -> None:
        server = Server(tenure.asgi.Middleware(app, warm=[pool]))
        answer = await server.start()
        if when == "end":
            await server._say("lifespan.shutdown")
        error = await server.ended()
        expected = {"start": "nothing", "end": "lifespan.startup.complete"}.get(when, "lifespan.startup.failed")
        assert answer["type"] == expected
        assert (error is None) == (when == "startup.failed")
        assert notes == ["pool opens", "pool closes"]

    asyncio.run(main())


def test_a9_what_the_app_raises_reaches_whoever_entered_it() -> None:
    notes: Notes = []
    pool = resource(notes, "pool")

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with tenure.asgi.lifespan(warm=[pool]):
                _ = 1 / 0
        assert notes == ["pool opens", "pool closes"]

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
def test_a9_a_cancelled_end_releases_in_the_background() -> None:
    notes: Notes = []
    may_close = asyncio.Event()

    @tenure.cache_resource(scope="loop")
    async def slow() -> AsyncIterator[None]:
        yield
        await may_close.wait()
        notes.append("slow closes")

    pool = resource(notes, "pool")

    async def serve() -> None:
        async with tenure.asgi.lifespan(warm=[pool, slow]):
            pass

    async def main() -> None:
        task = asyncio.create_task(serve())
        while pool.info().entries or not notes:
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        may_close.set()
        while len(notes) < 3:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert sorted(notes) == ["pool closes", "pool opens", "slow closes"]


@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
def test_a9_what_is_late_is_named_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    notes: Notes = []
    may_close = asyncio.Event()
    tenure.configure(shutdown_timeout=0.01)

    @tenure.cache_resource(scope="loop")
    async def slow() -> AsyncIterator[None]:
        yield
        await may_close.wait()
        notes.append("slow closes")

    async def main() -> None:
        async with tenure.asgi.lifespan(warm=[slow]):
            pass
        (record,) = caplog.records
        assert "slow" in record.getMessage()
        assert notes == []
        may_close.set()
        while not notes:
            await asyncio.sleep(0)

    try:
        asyncio.run(main())
    finally:
        tenure.configure()


def test_a9_a_lifespan_is_entered_once() -> None:
    async def main() -> None:
        lifespan = tenure.asgi.lifespan()
        async with lifespan:
            with pytest.raises(RuntimeError, match="entered already"):
                await lifespan.__aenter__()
        async with lifespan:
            pass
        with pytest.raises(RuntimeError, match="not been entered"):
            await lifespan.__aexit__(None, None, None)

    asyncio.run(main())


async def generator(app: object) -> AsyncIterator[None]:
    yield


async def coroutine(app: object) -> None: ...


@tenure.cache_resource
async def cached(app: object = None) -> None: ...


@pytest.mark.parametrize(
    ("of", "what"),
    [
        (generator, r"generator.*one under @contextlib.asynccontextmanager"),
        (coroutine, r"coroutine.*warm="),
        (cached, r"cached.*warm="),
        (asynccontextmanager(generator)(None), r"function of the app that gives such a context manager"),
    ],
)
def test_a9_what_is_no_lifespan_is_refused_with_what_to_write(of: Any, what: str) -> None:
    with pytest.raises(TypeError, match=what):
        tenure.asgi.lifespan(of)


@pytest.mark.parametrize("make", [tenure.asgi.lifespan, functools.partial(tenure.asgi.Middleware, refusing)])
def test_a9_what_cannot_be_warmed_is_refused_with_what_to_write(make: Any) -> None:
    for warm in (cached, "pool", 7, [7], [coroutine(None)]):
        with pytest.raises(TypeError, match=r"warm takes functions without arguments, as in warm=\[pool"):
            make(warm=warm)


@pytest.mark.parametrize(("session", "error"), [("page", ValueError), (7, TypeError)])
def test_a9_what_is_no_session_is_refused_with_the_accepted_forms(session: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r'session must be "request", "cookie", a tenure.asgi.Cookie or None'):
        tenure.asgi.Middleware(refusing, session=session)
    with pytest.raises(TypeError, match="must be an ASGI app"):
        tenure.asgi.Middleware(7)  # type: ignore[arg-type]


def test_a9_a_lifespan_needs_a_loop() -> None:
    async def main() -> None:
        async with tenure.asgi.lifespan():
            raise AssertionError("must not start")

    coroutine = main()
    with pytest.raises(RuntimeError, match="needs an event loop of asyncio or trio"):
        coroutine.send(None)
