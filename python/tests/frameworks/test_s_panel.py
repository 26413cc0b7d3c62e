"""S: Panel's sessions: those of a real Bokeh server, with Bokeh's own client as the page."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import panel as pn
import pytest
from baskets import basket, ledger
from bokeh.client import pull_session
from bokeh.models import TextInput
from panel.io.state import set_curdoc

import tenure
from ports import free_port, until_listening
from world import LOST

pytestmark = pytest.mark.filterwarnings("ignore")


@contextmanager
def served(page: Any) -> Iterator[str]:
    """A server on a thread, whose sessions end as soon as they are left."""
    port = free_port()
    server = pn.serve(
        page,
        port=port,
        show=False,
        threaded=True,
        verbose=False,
        unused_session_lifetime_milliseconds=1,
        check_unused_sessions_milliseconds=20,
    )
    try:
        until_listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        server.join(LOST)


def write(session: Any, text: str) -> None:
    """Does what a user does who writes into the page's one field."""
    field = session.document.select_one({"type": TextInput})
    field.value = text
    session.force_roundtrip()


def test_s2_a_page_is_a_session_and_its_resources_are_released_when_it_is_destroyed() -> None:
    handled = threading.Semaphore(0)

    def put(event: Any) -> None:
        basket().append(event.new)
        handled.release()

    def page() -> Any:
        basket().append("opened")
        field = pn.widgets.TextInput()
        field.param.watch(put, "value")
        return field

    with served(page) as url:
        hers, his = pull_session(url=url), pull_session(url=url)
        for whose, text in ((hers, "a"), (his, "b"), (hers, "c")):
            write(whose, text)
            assert handled.acquire(timeout=LOST)
        assert ledger.names() == []
        assert basket.info().entries == 2
        hers.close()
        ledger.await_releases(1)
        assert ledger.names() == [["opened", "a", "c"]]
        his.close()
        ledger.await_releases(2)


def test_s2_async_callbacks_and_threads_of_the_pool_serve_their_page(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    are_done = threading.Barrier(3, timeout=LOST)

    def page() -> Any:
        own, server_thread = basket(), threading.current_thread()

        async def later(event: Any) -> None:
            seen["async"] = basket() is own
            await asyncio.to_thread(are_done.wait)

        def now(event: Any) -> None:
            seen["on a thread"] = basket() is own and threading.current_thread() is not server_thread
            are_done.wait()

        field = pn.widgets.TextInput()
        field.param.watch(later, "value")
        field.param.watch(now, "value")
        return field

    monkeypatch.setattr(pn.config, "nthreads", 2)
    with served(page) as url:
        session = pull_session(url=url)
        write(session, "a")
        are_done.wait()
        session.close()
        ledger.await_releases(1)
    assert seen == {"async": True, "on a thread": True}
    assert len(ledger.built) == 1


def test_s2_what_outlives_a_page_builds_for_nobody() -> None:
    goes_on, done = threading.Event(), threading.Event()

    def page() -> Any:
        basket()
        document = pn.state.curdoc

        def later() -> None:
            assert goes_on.wait(LOST)
            try:
                with set_curdoc(document):
                    basket()
            finally:
                done.set()

        threading.Thread(target=later).start()
        return pn.pane.Markdown("page")

    with served(page) as url:
        pull_session(url=url).close()
        ledger.await_releases(1)
        goes_on.set()
        assert done.wait(LOST)
        ledger.await_releases(2)
    assert basket.info().entries == 0


def test_s3_where_no_page_is_known_there_is_no_session() -> None:
    raised: list[BaseException | None] = []

    def page() -> Any:
        with ThreadPoolExecutor(1) as pool:
            raised.append(pool.submit(basket).exception())
        return pn.pane.Markdown("page")

    with served(page) as url:
        pull_session(url=url).close()
    assert "In Panel call it in an app that is served" in str(raised[0])
    with pytest.raises(tenure.ScopeError):
        basket()
    assert ledger.built == []
