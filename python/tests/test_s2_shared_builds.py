"""S2, S3, A8: what more share is never built on what is kept for one of them."""

from __future__ import annotations

import contextvars
import logging
import re
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest

import tenure
from tenure import ScopeError
from tenure.testing import Clock
from world import Ledger, TestHost, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="ada's")


@pytest.fixture
def basket(clock: Clock, host: TestHost, ledger: Ledger) -> Any:
    @tenure.cache_resource(scope="session", on_release=ledger.release)
    def basket() -> Any:
        return ledger.build(host.session())

    return basket


@pytest.mark.parametrize("scope", ["global", "thread", tenant.get], ids=["global", "thread", "callable"])
def test_s2_a_build_that_more_share_has_no_session(basket: Any, host: TestHost, scope: Any) -> None:
    @tenure.cache_resource(scope=scope)
    def shop(ask: str) -> object:
        return getattr(basket, ask)() if ask else basket()

    with host.serving("ada"):
        for ask in ("", "clear", "__call__"):
            with pytest.raises(ScopeError) as refused:
                shop(ask)
        text = re.sub(r"[\w.]+\.<locals>\.", "", str(refused.value))
        assert text == (
            'basket has scope="session", and was called to build shop, which more than one session shares: all of them '
            'would get what belongs to whoever came first. Write scope="session" for shop too, or call basket where '
            "shop is used, and pass along what it gives at each call."
        )
        assert basket().name == "ada"
    assert basket.info().builds == 1
    assert shop.info().entries == 0


def test_s2_what_is_given_to_a_build_is_the_programs_own_choice(basket: Any, host: TestHost) -> None:
    @tenure.cache_resource
    def shop(_basket: object) -> object:
        return _basket

    with host.serving("ada"):
        assert shop(basket()).name == "ada"


def test_s2_those_of_one_session_may_be_built_on_each_other(basket: Any, host: TestHost) -> None:
    @tenure.cache_resource
    def catalogue() -> object:
        return object()

    @tenure.cache_resource(scope="session")
    def trial() -> object:
        return catalogue(), basket()

    with host.serving("ada"):
        assert trial()[1] is basket()


def test_s2_a_thread_that_the_build_begins_serves_what_it_enters_itself(basket: Any, host: TestHost) -> None:
    @tenure.cache_resource
    def shop() -> list[object]:
        served: list[object] = []

        def serve() -> None:
            with host.serving("bob"):
                served.append(basket())

        thread = threading.Thread(target=serve)
        thread.start()
        thread.join()
        return served

    with host.serving("ada"):
        assert [it.name for it in shop()] == ["bob"]


def test_s2_a_host_may_lend_its_sessions_and_says_so_once(
    basket: Any, host: TestHost, caplog: pytest.LogCaptureFixture
) -> None:
    host.lends_sessions = True  # type: ignore[attr-defined]

    @tenure.cache_resource
    def shop(number: int) -> object:
        return basket()

    with caplog.at_level(logging.WARNING, "tenure"), host.serving("ada"):
        assert shop(1) is shop(2) is basket()
    told = [it.getMessage() for it in caplog.records if "more than one session shares" in it.getMessage()]
    assert len(told) == 1


def test_a8_what_all_share_is_not_built_on_what_a_tenant_has(clock: Clock) -> None:
    @tenure.cache_resource(scope=tenant.get)
    def pool() -> list[str]:
        return [tenant.get()]

    @tenure.cache_resource
    def service() -> object:
        return pool()

    @tenure.cache_resource(scope=tenant.get)
    def client() -> object:
        return pool()

    with pytest.raises(
        ScopeError, match=r"pool has a scope of its own, and was called to build .*service.*Give .*service"
    ):
        service()
    assert client() is pool()
    tenure.end_scope("ada's")


def test_l1_what_was_built_last_goes_first(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    def pair(scope: Any) -> tuple[Any, Any]:
        @tenure.cache_resource(scope=scope, on_release=ledger.release)
        def connection(number: int) -> object:
            return ledger.build(("connection", number))

        @tenure.cache_resource(scope=scope, on_release=ledger.release)
        def batch(number: int) -> object:
            connection(number)
            return ledger.build(("batch", number))

        return connection, batch

    def use(scope: Any) -> tuple[Any, Any]:
        connection, batch = pair(scope)
        with host.serving("ada"):
            # Which function was asked first says nothing of what was built first.
            connection(0), batch(1), batch(0)
        return connection, batch

    of_all = [("batch", 0), ("batch", 1), ("connection", 1), ("connection", 0)]

    def released() -> list[object]:
        names = ledger.names()[released.seen :]  # type: ignore[attr-defined]
        released.seen += len(names)  # type: ignore[attr-defined]
        return names

    released.seen = 0  # type: ignore[attr-defined]
    pairs = [use("session")]
    tenure._native.end_session("ada")
    assert released() == of_all
    pairs.append(use(tenant.get))
    tenure.end_scope("ada's")
    assert released() == of_all
    thread = threading.Thread(target=lambda: pairs.append(use("thread")))
    thread.start()
    thread.join()
    assert released() == of_all
    pairs.append(use("global"))
    tenure.cache_resource.clear()
    assert released() == of_all
    connection, batch = pairs[-1]
    batch(0), batch(1)
    connection.clear()
    assert batch.clear_if(lambda it, info: True) == 2
    assert released() == [("connection", 1), ("connection", 0), ("batch", 1), ("batch", 0)]
    assert [releases(it) for it, _ in pairs[:3]] == [{"session_ended": 2}] * 3


def test_l1_each_async_release_begins_when_the_one_before_has_ended() -> None:
    """On the system's clock: by hand nothing is waited for."""
    program = textwrap.dedent(
        """
        import asyncio, tenure, tenure.asgi

        class Connection:
            is_open = True

            async def run(self, statement):
                await asyncio.sleep(0)
                print(statement if self.is_open else f"{statement} is lost")

        def pair(scope):
            @tenure.cache_resource(scope=scope)
            async def connection():
                it = Connection()
                yield it
                it.is_open = False

            @tenure.cache_resource(scope=scope)
            async def transaction():
                it = await connection()
                yield it
                await it.run("commit")
                await it.run("vacuum")

            return connection, transaction

        async def released(count, *functions):
            while sum(sum(it.info().releases.values()) for it in functions) < count:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)

        async def main():
            functions = pair("session")

            async def app(scope, receive, send):
                await functions[1]()

            await tenure.asgi.Middleware(app)({"type": "http", "path": "/", "headers": []}, None, None)
            await released(2, *functions)
            functions = pair(lambda: "tenant")
            await functions[1]()
            tenure.end_scope("tenant")
            await released(2, *functions)
            functions = pair("global")
            await functions[1]()
            tenure.cache_resource.clear()
            await released(2, *functions)

        asyncio.run(main())
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["commit", "vacuum"] * 3, done.stdout + done.stderr
