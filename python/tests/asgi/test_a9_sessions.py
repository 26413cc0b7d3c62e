"""A9: a request, a WebSocket, or the holder of a cookie as the session of scope="session"."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import copy
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import tenure
import tenure.asgi
from served import Client, respond, serving
from tenure import _native
from tenure.testing import Clock
from world import releases

SECRET = "a secret of the test's own, long enough"


@pytest.fixture(autouse=True)
def no_host() -> Iterator[None]:
    """The app's own host is found as in a program that has no other."""
    before = _native.get_host()
    _native.set_host(None)
    yield
    _native.set_host(before)


class Desk:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.built = 0

        @tenure.cache_resource(scope="session")
        async def own() -> AsyncIterator[str]:
            self.built += 1
            name = f"desk {self.built}"
            yield name
            self.notes.append(f"{name} closes")

        @tenure.cache_resource(scope="session", on_release=lambda name: self.notes.append(f"{name} closes"))
        def blocking() -> str:
            self.built += 1
            return f"desk {self.built}"

        self.own = own
        self.blocking = blocking

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": await self.own()})
            self.notes.append(f"{await self.own()} hangs up")
            return
        match scope["path"]:
            case "/":
                await respond(send, await self.own())
            case "/blocking":
                await respond(send, self.blocking())
            case "/thread":
                await respond(send, await asyncio.to_thread(self.blocking))
            case "/late":
                await respond(send, await self.own())
                self.notes.append("responded")
                assert await self.own() in self.notes[0] + "desk 1"
                self.notes.append("background is over")
            case "/unused":
                await respond(send, "nothing")
            case "/streams":
                await send({"type": "http.response.start", "status": 200})
                await send({"type": "http.response.body", "body": (await self.own()).encode()})
            case "/out":
                first = await self.own()
                await tenure.asgi.end_session()
                await respond(send, first)
            case "/fails":
                await self.own()
                raise ConnectionError("lost")


@pytest.fixture
def desk(clock: Clock) -> Desk:
    return Desk()


async def settled(desk: Desk, count: int) -> list[str]:
    """The notes once there are so many: releases end beside the requests that brought them about."""
    while len(desk.notes) < count:
        await asyncio.sleep(0.001)
    return desk.notes


def served(desk: Desk, session: Any) -> Any:
    return tenure.asgi.Middleware(desk, session=session)


def test_a9_a_request_is_a_session(desk: Desk) -> None:
    async def main() -> None:
        client = Client(served(desk, "request"))
        assert await client.get() == "desk 1"
        assert await settled(desk, 1) == ["desk 1 closes"]
        assert await client.get() == "desk 2"
        assert client.set_cookie is None

    asyncio.run(main())
    assert releases(desk.own) == {"session_ended": 2}
    assert _native._inspect()["sessions"] == 0


def test_a9_its_session_ends_after_its_background_tasks(desk: Desk) -> None:
    async def main() -> None:
        await Client(served(desk, "request")).get("/late")
        assert await settled(desk, 3) == ["responded", "background is over", "desk 1 closes"]

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/blocking", "/thread"])
def test_a9_blocking_functions_and_threads_serve_the_session_of_their_request(desk: Desk, path: str) -> None:
    async def main() -> None:
        client = Client(served(desk, "request"))
        assert [await client.get(path), await client.get(path)] == ["desk 1", "desk 2"]
        # Blocking releases are over when the request is.
        assert desk.notes == ["desk 1 closes", "desk 2 closes"]

    asyncio.run(main())


def test_a9_a_slow_release_of_a_session_does_not_hold_the_loop(clock: Clock) -> None:
    may_close = threading.Event()

    @tenure.cache_resource(scope="session", on_release=lambda it: may_close.wait(60))
    def slow() -> list[int]:
        return []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        slow()
        await respond(send, "built")

    async def main() -> None:
        request = asyncio.create_task(Client(tenure.asgi.Middleware(app)).get())
        while not releases(slow) and slow.info().entries == 0:
            await asyncio.sleep(0)
        while slow.info().entries:
            await asyncio.sleep(0)
        assert not request.done()
        may_close.set()
        assert await request == "built"

    asyncio.run(main())


def test_a9_a_request_that_fails_ends_its_session(desk: Desk) -> None:
    async def main() -> None:
        for session in ("request", "cookie"):
            with pytest.raises(ConnectionError):
                await Client(served(desk, session)).get("/fails")
        assert await settled(desk, 2) == ["desk 1 closes", "desk 2 closes"]

    asyncio.run(main())


def test_a9_a_websocket_is_a_session_until_it_is_closed(desk: Desk) -> None:
    async def main() -> None:
        client = Client(served(desk, "request"))
        async with client.socket() as one, client.socket() as other:
            assert [await one.ask("a"), await other.ask("a"), await one.ask("b")] == ["desk 1", "desk 2", "desk 1"]
            assert desk.notes == []
        assert sorted(await settled(desk, 4)) == [
            "desk 1 closes", "desk 1 hangs up", "desk 2 closes", "desk 2 hangs up"
        ]  # fmt: skip

    asyncio.run(main())


def test_a9_without_sessions_there_is_none(desk: Desk) -> None:
    async def main() -> None:
        with pytest.raises(tenure.ScopeError, match="session"):
            await Client(served(desk, None)).get()

    asyncio.run(main())


def test_a9_what_goes_on_after_its_session_builds_for_nobody(clock: Clock) -> None:
    left: list[asyncio.Task[None]] = []
    go_on = asyncio.Event()
    closed = []

    @tenure.cache_resource(scope="session", on_release=closed.append)
    def own() -> list[int]:
        return [len(closed)]

    async def straggler() -> None:
        await go_on.wait()
        assert own() is not own()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        own()
        left.append(asyncio.create_task(straggler()))
        await respond(send, "")

    async def main() -> None:
        await Client(tenure.asgi.Middleware(app)).get()
        assert closed == [[0]]
        go_on.set()
        await left[0]
        clock.advance("1s")
        assert len(closed) == 3

    asyncio.run(main())
    assert _native._inspect()["sessions"] == 0


def test_a9_a_cookie_is_a_session(desk: Desk, clock: Clock) -> None:
    async def main() -> None:
        app = served(desk, tenure.asgi.Cookie("shop", idle="10m"))
        ada, bob = Client(app), Client(app)
        assert [await ada.get(), await bob.get(), await ada.get()] == ["desk 1", "desk 2", "desk 1"]
        assert ada.set_cookie is None
        async with ada.socket() as socket:
            assert await socket.ask("?") == "desk 1"
        clock.advance("9m")
        assert await ada.get() == "desk 1"
        clock.advance("9m")
        assert await settled(desk, 2) == ["desk 1 hangs up", "desk 2 closes"]
        assert [await ada.get(), await bob.get()] == ["desk 1", "desk 3"]
        assert bob.set_cookie is None

    asyncio.run(main())


def test_a9_a_session_does_not_idle_while_a_websocket_serves_it(desk: Desk, clock: Clock) -> None:
    async def main() -> None:
        client = Client(served(desk, tenure.asgi.Cookie(idle="10m")))
        await client.get()
        async with client.socket() as socket:
            await client.get("/unused")
            clock.advance("1h")
            assert await socket.ask("?") == "desk 1"
        assert desk.notes == ["desk 1 hangs up"]
        clock.advance("10m")
        assert await settled(desk, 2) == ["desk 1 hangs up", "desk 1 closes"]

    asyncio.run(main())
    assert _native._inspect()["sessions"] == 0


def test_a9_a_visit_that_uses_nothing_keeps_the_session(desk: Desk, clock: Clock) -> None:
    async def main() -> None:
        client = Client(served(desk, tenure.asgi.Cookie(idle="10m")))
        await client.get("/unused")
        assert client.set_cookie is None
        await client.get()
        clock.advance("9m")
        await client.get("/unused")
        clock.advance("9m")
        assert desk.notes == []
        clock.advance("1m")
        assert await settled(desk, 1) == ["desk 1 closes"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("settings", "scheme", "rest"),
    [
        ({}, "http", "; Path=/; HttpOnly; SameSite=Lax"),
        ({}, "https", "; Path=/; HttpOnly; SameSite=Lax; Secure"),
        ({"secure": True, "path": "/shop"}, "http", "; Path=/shop; HttpOnly; SameSite=Lax; Secure"),
        ({"secure": False, "domain": "a.example"}, "https", "; Path=/; Domain=a.example; HttpOnly; SameSite=Lax"),
    ],
)
def test_a9_the_cookie_is_httponly_and_lax(desk: Desk, settings: Any, scheme: str, rest: str) -> None:
    async def main() -> None:
        client = Client(served(desk, tenure.asgi.Cookie("shop", **settings)), scheme=scheme)
        await client.get()
        value, found = (client.set_cookie or "").split(";", 1)
        assert value.startswith("shop=")
        assert len(value) == len("shop=") + 32 + 1 + 43
        assert f";{found}" == rest

    asyncio.run(main())


def test_a9_an_id_that_the_server_did_not_give_out_counts_for_nothing(desk: Desk) -> None:
    async def main() -> None:
        app = served(desk, "cookie")
        ada = Client(app)
        assert await ada.get() == "desk 1"
        name, _, value = (ada.cookie or "").partition("=")
        given, _, signature = value.partition(".")
        stranger = Client(served(desk, "cookie"))
        await stranger.get()
        another = "y" if given.endswith("x") else "x"
        made_up = [
            "x", "", given, f"{given}.", f".{signature}", f"{given}.{signature[:-1]}", f"{given}.{signature}x",
            f"{given[:-1]}{another}.{signature}", f"{'A' * 32}.{'A' * 43}", f"{given}.é{signature[1:]}",
        ]  # fmt: skip
        for text in [*(f"{name}={it}" for it in made_up), stranger.cookie, f"other={value}"]:
            mallory = Client(app, cookie=text)
            assert await mallory.get() != "desk 1"
            assert mallory.set_cookie is not None
            assert mallory.cookie != text
        # A planted one beside the user's own does no harm.
        planted = Client(app, cookie=f"{name}=x; {ada.cookie}")
        assert await planted.get() == "desk 1"

    asyncio.run(main())


def test_a9_workers_with_one_secret_take_each_others_ids(desk: Desk) -> None:
    async def main() -> None:
        apps = [served(desk, tenure.asgi.Cookie("shop", secret=SECRET)) for _ in range(2)]
        client = Client(apps[0])
        await client.get()
        assert client.set_cookie is not None
        client.app = apps[1]
        await client.get()
        assert client.set_cookie is None
        client.app = served(desk, tenure.asgi.Cookie("shop", secret=SECRET + "."))
        await client.get()
        assert client.set_cookie is not None

    asyncio.run(main())


def test_a9_s3_a_request_under_a_lifespan_alone_is_told_to_wrap_the_app(desk: Desk) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await desk.own()

    async def main() -> None:
        async with tenure.asgi.lifespan():
            with pytest.raises(tenure.ScopeError, match=r"`served = tenure\.asgi\.Middleware\(app\)`"):
                await Client(app).get()

    asyncio.run(main())


def test_a9_a_session_is_ended_explicitly(desk: Desk, clock: Clock) -> None:
    async def main() -> None:
        client = Client(served(desk, "cookie"))
        await client.get()
        before = client.cookie
        assert await client.get("/out") == "desk 1"
        assert await settled(desk, 1) == ["desk 1 closes"]
        assert client.set_cookie == "tenure_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
        assert await client.get() == "desk 2"
        assert client.set_cookie is not None
        # Whoever has kept the old one finds nothing.
        assert await Client(client.app, cookie=before).get() == "desk 3"
        with pytest.raises(tenure.ScopeError, match="no session is served here"):
            await tenure.asgi.end_session()

    asyncio.run(main())


def test_a9_a_session_that_is_ended_while_others_serve_it(desk: Desk) -> None:
    async def main() -> None:
        client = Client(served(desk, "cookie"))
        await client.get()
        cookie = client.cookie
        async with client.socket() as socket:
            await client.get("/out")
            client.cookie = cookie
            assert await client.get() == "desk 2"
            # The old one goes on for nobody, and its end is not the new one's.
            assert await socket.ask("?") == "desk 3"
        assert await client.get() == "desk 2"
        assert "desk 2 closes" not in desk.notes

    asyncio.run(main())


@pytest.mark.parametrize("is_visited", [False, True])
def test_a9_an_id_that_was_ended_is_none(desk: Desk, clock: Clock, is_visited: bool) -> None:
    async def main() -> None:
        client = Client(served(desk, "cookie"))
        await client.get()
        ended = client.cookie
        async with contextlib.AsyncExitStack() as visits:
            if is_visited:
                await visits.enter_async_context(client.socket())
            await client.get("/out")
            thief, victim = (Client(client.app, cookie=ended) for _ in range(2))
            assert await thief.get() == "desk 2"
            assert await victim.get() == "desk 3"
            assert ended not in (thief.cookie, victim.cookie)
            assert thief.cookie != victim.cookie
        # Who comes back with it keeps it ended, for as long as it would have been good otherwise.
        for number in (5, 6) if is_visited else (4, 5):
            clock.advance("29m")
            again = Client(client.app, cookie=ended)
            assert await again.get() == f"desk {number}"
            assert again.cookie != ended

    asyncio.run(main())


def test_a9_an_id_that_is_ended_after_its_visit_is_none(clock: Clock) -> None:
    built = 0

    @tenure.cache_resource(scope="session")
    async def basket() -> list[int]:
        nonlocal built
        built += 1
        return [built]

    ends = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def out() -> None:
        await ends.wait()
        await tenure.asgi.end_session()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        made = await basket()
        if not tasks:
            tasks.append(asyncio.create_task(out()))
        await respond(send, str(made[0]))

    async def main() -> None:
        client = Client(tenure.asgi.Middleware(app, session="cookie"))
        assert await client.get() == "1"
        before = client.cookie
        ends.set()
        await tasks[0]
        assert await client.get() == "2"
        assert client.cookie != before

    asyncio.run(main())


def test_a9_only_who_ends_a_session_takes_its_cookie_away(desk: Desk) -> None:
    answers = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await desk.own()
            await answers.wait()
            await respond(send, "slow")
        else:
            await desk(scope, receive, send)

    async def main() -> None:
        client = Client(served(slow, "cookie"))
        await client.get()
        other = Client(client.app, cookie=client.cookie)
        waits = asyncio.create_task(other.get("/slow"))
        await asyncio.sleep(0)
        assert await client.get("/out") == "desk 1"
        assert client.set_cookie is not None
        assert "Max-Age=0" in client.set_cookie
        answers.set()
        await waits
        assert other.set_cookie is None

    asyncio.run(main())


def test_a9_the_end_of_a_session_needs_no_thread_of_the_loops(desk: Desk) -> None:
    """S2: within a second, also while the program keeps all threads of the loop's executor busy."""

    async def main() -> None:
        may_end = threading.Event()
        loop = asyncio.get_running_loop()
        executor = concurrent.futures.ThreadPoolExecutor(1)
        loop.set_default_executor(executor)
        busy = loop.run_in_executor(None, may_end.wait)
        client = Client(served(desk, "request"))
        try:
            async with asyncio.timeout(10):
                assert await client.get() == "desk 1"
                assert await settled(desk, 1) == ["desk 1 closes"]
                assert await client.get("/blocking") == "desk 2"
                assert await settled(desk, 2) == ["desk 1 closes", "desk 2 closes"]
        finally:
            may_end.set()
            await busy

    asyncio.run(main())


@pytest.mark.parametrize("scope", ["global", "loop"])
def test_a9_what_users_share_is_built_for_no_session(clock: Clock, scope: Any) -> None:
    """S2: nor do the tasks that it begins, while it is built and afterwards, work in the first user's."""

    @tenure.cache_resource(scope="session")
    async def account() -> list[str]:
        return []

    refused: list[str] = []

    async def refuse() -> None:
        with pytest.raises(tenure.ScopeError) as error:
            await account()
        refused.append(str(error.value))

    @tenure.cache_resource(scope=scope)
    async def mailer() -> AsyncIterator[asyncio.Queue[tuple[str, asyncio.Future[None]]]]:
        letters: asyncio.Queue[tuple[str, asyncio.Future[None]]] = asyncio.Queue()

        async def work() -> None:
            while True:
                _, done = await letters.get()
                await refuse()
                await asyncio.create_task(refuse())
                done.set_result(None)

        await refuse()
        await asyncio.gather(refuse(), asyncio.to_thread(lambda: asyncio.run(refuse())))
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(work())
            yield letters
            worker.cancel()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await (await mailer()).put((scope["path"], done))
        await done
        (await account()).append(scope["path"])
        await respond(send, str(await account()))

    async def main() -> None:
        served = tenure.asgi.Middleware(app)
        assert await Client(served).get("/ada") == "['/ada']"
        assert await Client(served).get("/bob") == "['/bob']"
        mailer.clear()

    asyncio.run(main())
    assert len(refused) == 7
    assert all("mailer, which more than one session shares" in it for it in refused)


@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
def test_a9_an_app_that_a_build_calls_has_sessions_of_its_own(clock: Clock) -> None:
    """S2: in the build, and in a server that the build begins and that outlives it."""

    @tenure.cache_resource(scope="session")
    async def basket() -> list[str]:
        return []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        (await basket()).append(scope["path"])
        await respond(send, str(await basket()))

    requests: asyncio.Queue[tuple[str, asyncio.Future[str]]] = asyncio.Queue()

    tasks: list[asyncio.Task[None]] = []

    @tenure.cache_resource
    async def server() -> list[asyncio.Task[None]]:
        app = Client(tenure.asgi.Middleware(inner))
        assert await app.get("/trial") == "['/trial']"

        async def serve() -> None:
            while True:
                path, answer = await requests.get()
                answer.set_result(await app.get(path))

        tasks.append(asyncio.create_task(serve()))
        return tasks

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await server()
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await requests.put((scope["path"], answer))
        await respond(send, await answer)

    async def main() -> None:
        served = tenure.asgi.Middleware(outer)
        assert await Client(served).get("/ada") == "['/ada']"
        assert await Client(served).get("/bob") == "['/bob']"
        tasks[0].cancel()

    asyncio.run(main())


def test_a9_a_session_without_a_cookie_ends_with_its_visit(desk: Desk) -> None:
    async def main() -> None:
        client = Client(served(desk, "cookie"))
        await client.get("/streams")
        assert client.set_cookie is None
        assert await settled(desk, 1) == ["desk 1 closes"]
        async with client.socket() as socket:
            assert await socket.ask("?") == "desk 2"
        assert await settled(desk, 3) == ["desk 1 closes", "desk 2 hangs up", "desk 2 closes"]

    asyncio.run(main())


def test_a9_a_websocket_may_be_a_session_beside_its_cookies(desk: Desk) -> None:
    async def main() -> None:
        client = Client(served(desk, tenure.asgi.Cookie(websockets=False)))
        assert await client.get() == "desk 1"
        async with client.socket() as socket:
            assert await socket.ask("?") == "desk 2"
        assert await settled(desk, 2) == ["desk 2 hangs up", "desk 2 closes"]

    asyncio.run(main())


def test_a9_the_end_of_the_server_ends_its_sessions(desk: Desk) -> None:
    async def main() -> None:
        async with serving(tenure.asgi.Middleware(silent_or(desk), session=tenure.asgi.Cookie())) as server:
            assert await Client(server.app).get("/blocking") == "desk 1"
            assert await Client(server.app).get() == "desk 2"
        assert sorted(desk.notes) == ["desk 1 closes", "desk 2 closes"]

    asyncio.run(main())


def test_a9_its_sessions_end_before_what_they_were_built_on(clock: Clock) -> None:
    notes = []

    @tenure.cache_resource(scope="loop")
    async def pool() -> AsyncIterator[str]:
        yield "pool"
        notes.append("pool closes")

    @tenure.cache_resource(scope="session")
    async def connection() -> AsyncIterator[str]:
        yield f"connection of {await pool()}"
        for _ in range(10):
            await asyncio.sleep(0)
        notes.append("connection is given back")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, await connection())

    async def main() -> None:
        async with serving(tenure.asgi.Middleware(silent_or(app), session="cookie")) as server:
            assert await Client(server.app).get() == "connection of pool"
        assert notes == ["connection is given back", "pool closes"]

    asyncio.run(main())


def test_a9_teardowns_of_a_session_that_use_each_other_come_to_an_end(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has the other built once more, for itself; what that was built for is refused, and told."""
    built: list[str] = []
    released: list[str] = []

    @tenure.cache_resource(scope="session")
    async def journal() -> AsyncIterator[str]:
        built.append("journal")
        yield "journal"
        released.append("journal")
        await line()

    @tenure.cache_resource(scope="session")
    async def line() -> AsyncIterator[str]:
        built.append("line")
        yield "line"
        released.append("line")
        await journal()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, await journal() + await line())

    async def main() -> None:
        await Client(tenure.asgi.Middleware(app)).get()
        # The end of the loop waits for all that goes on.

    asyncio.run(main())
    assert sorted(built) == sorted(released) == ["journal"] * 2 + ["line"] * 2
    told = [it for it in caplog.messages + [str(it.exc_info) for it in caplog.records] if "It is a release" in it]
    assert len(told) == 2, caplog.messages


def silent_or(app: Any) -> Any:
    async def either(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)

    return either


@pytest.mark.parametrize(
    ("make", "error", "what"),
    [
        (lambda: tenure.asgi.Cookie(7), TypeError, "name must be a str"),
        (lambda: tenure.asgi.Cookie("a b"), ValueError, "cannot be the name of a cookie"),
        (lambda: tenure.asgi.Cookie("a=b"), ValueError, "cannot be the name of a cookie"),
        (lambda: tenure.asgi.Cookie(idle=0), ValueError, "time after which a session ends"),
        (lambda: tenure.asgi.Cookie(idle=None), ValueError, "time after which a session ends"),
        (lambda: tenure.asgi.Cookie(idle="soon"), ValueError, "idle"),
        (lambda: tenure.asgi.Cookie(idle=[]), TypeError, "idle cannot be"),
        (lambda: tenure.asgi.Cookie(secret="short"), ValueError, "5 bytes and needs 16"),
        (lambda: tenure.asgi.Cookie(path="/; Secure"), ValueError, "cannot be the path"),
        (lambda: tenure.asgi.Cookie(domain="a\r\nb"), ValueError, "cannot be the domain"),
    ],
)
def test_a9_what_is_no_cookie_is_refused(make: Callable[[], object], error: type[Exception], what: str) -> None:
    with pytest.raises(error, match=what):
        make()


def test_a9_importing_it_imports_no_framework_and_takes_no_host() -> None:
    code = """
import sys, tenure, tenure.asgi
frameworks = {"starlette", "fastapi", "uvicorn", "anyio", "streamlit"}
print([name for name in sys.modules if name.partition(".")[0] in frameworks])
print([name for name in sys.modules if name.startswith("tenure.hosts.asgi.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "['tenure.hosts.asgi.cookies']"], done.stderr


def test_a9_in_the_place_of_a_frameworks_app_the_middleware_says_where_it_goes() -> None:
    """A9: `app = tenure.asgi.Middleware(app)` above the routes, which are the framework's app's."""
    app: Any = tenure.asgi.Middleware(Desk())
    with pytest.raises(AttributeError, match=r"'Middleware' object has no attribute 'get'") as caught:
        app.get("/")
    assert "`app.add_middleware(tenure.asgi.Middleware)`" in str(caught.value)
    assert "`served = tenure.asgi.Middleware(app)`" in str(caught.value)
    assert (caught.value.name, caught.value.obj) == ("get", app)
    assert not hasattr(app, "state")
    assert isinstance(copy.copy(app), tenure.asgi.Middleware)
