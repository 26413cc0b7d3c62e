"""S: NiceGUI's sessions: its clients, as its own simulation of users has them come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from baskets import async_basket, basket, ledger
from nicegui import background_tasks, run, ui
from nicegui.testing import User, user_simulation

import tenure
import tenure.asgi

pytestmark = pytest.mark.filterwarnings("ignore")


@tenure.cache_resource
async def shared() -> list[str]:
    """One for all, which must not be built on what is one's own."""
    return basket()


async def until(count: int) -> None:
    await asyncio.to_thread(ledger.await_releases, count)


def simulated(page: Callable[[], Any], test: Callable[[Callable[[], User]], Coroutine[Any, Any, None]]) -> None:
    """Runs a test of an app with this page; it is given what makes one more user."""

    async def main() -> None:
        async with user_simulation(page) as first:
            await test(lambda: User(first.http_client))

    asyncio.run(main())


def test_s2_a_client_is_a_session_and_its_resources_are_released_when_it_is_deleted() -> None:
    def page() -> None:
        basket().append("opened")
        ui.button("put", on_click=lambda: basket().append("clicked"))

        async def put() -> None:
            (await async_basket()).append("awaited")

        ui.button("put async", on_click=put)

    async def test(user: Callable[[], User]) -> None:
        one, other = user(), user()
        her_client, his_client = await one.open("/"), await other.open("/")
        one.find("put").click()
        one.find("put async").click()
        await asyncio.sleep(0)
        while async_basket.info().entries == 0 or len(ledger.built[0].name) < 3:  # type: ignore[arg-type]
            await asyncio.sleep(0.001)
        assert [it.name for it in ledger.built] == [["opened", "clicked", "awaited"], ["opened"]]
        her_client.delete()
        await until(1)
        assert ledger.names() == [["opened", "clicked", "awaited"]]
        his_client.delete()
        await until(2)
        assert basket.info().entries == async_basket.info().entries == 0

    simulated(page, test)


def test_s2_a_grace_for_sessions_that_come_back_holds_up_none_that_cannot() -> None:
    async def test(user: Callable[[], User]) -> None:
        client = await user().open("/")
        client.delete()
        await until(1)

    tenure.configure(session_grace="1h")
    try:
        simulated(lambda: basket().append("opened"), test)
    finally:
        tenure.configure()


def test_s2_what_the_app_does_when_a_client_is_deleted_still_finds_the_session() -> None:
    def page() -> None:
        client = ui.context.client
        basket()
        client.on_delete(lambda: basket().append("goodbye"))

    async def test(user: Callable[[], User]) -> None:
        client = await user().open("/")
        client.delete()
        await until(1)
        assert ledger.names() == [["goodbye"]]
        assert len(ledger.built) == 1

    simulated(page, test)


def test_s2_what_outlives_a_client_builds_for_nobody() -> None:
    goes_on = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    def page() -> None:
        basket()
        client = ui.context.client

        async def later() -> None:
            with client:
                await goes_on.wait()
                basket()

        tasks.append(background_tasks.create(later()))

    async def test(user: Callable[[], User]) -> None:
        client = await user().open("/")
        client.delete()
        await until(1)
        goes_on.set()
        await asyncio.wait(tasks)
        assert len(ledger.built) == 2
        await until(2)
        assert basket.info().entries == 0

    simulated(page, test)


def test_s3_where_no_client_is_known_there_is_no_session() -> None:
    raised: list[BaseException | None] = []

    async def page() -> None:
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        for work in (background_tasks.create(asyncio.wait_for(_asking(), 1)), run.io_bound(basket)):
            try:
                await work
            except BaseException as error:
                raised.append(error)

    async def test(user: Callable[[], User]) -> None:
        await user().open("/")
        assert len(raised) == 2
        assert all("with client:" in str(error) for error in raised)
        assert ledger.built == []

    simulated(page, test)


async def _asking() -> None:
    basket()


def test_s3_another_threads_client_is_not_this_ones() -> None:
    """NiceGUI has one stack of slots for all threads: what stands there may be anybody's."""
    raised: list[BaseException] = []

    async def page() -> None:
        client = ui.context.client

        def in_a_thread() -> None:
            with client:
                try:
                    basket()
                except tenure.ScopeError as error:
                    raised.append(error)

        await run.io_bound(in_a_thread)

    async def test(user: Callable[[], User]) -> None:
        await user().open("/")
        assert len(raised) == 1
        assert ledger.built == []

    simulated(page, test)


def test_s2_nothing_that_all_share_is_built_on_what_is_one_clients() -> None:
    raised: list[BaseException] = []

    async def page() -> None:
        try:
            await shared()
        except tenure.ScopeError as error:
            raised.append(error)

    async def test(user: Callable[[], User]) -> None:
        await user().open("/")
        assert len(raised) == 1
        assert ledger.built == []

    simulated(page, test)


def test_s2_under_the_middleware_a_page_serves_its_client_and_a_route_its_request() -> None:
    from nicegui import app

    def page() -> None:
        basket().append("page")

    async def test(user: Callable[[], User]) -> None:
        app.add_middleware(tenure.asgi.Middleware)
        app.middleware_stack = None

        @app.get("/route")
        def route() -> list[str]:
            basket().append("route")
            return list(basket())

        visitor = user()
        client = await visitor.open("/")
        assert (await visitor.http_client.get("/route")).json() == ["route"]
        await until(1)
        assert ledger.names() == [["route"]]
        client.delete()
        await until(2)

    simulated(page, test)
