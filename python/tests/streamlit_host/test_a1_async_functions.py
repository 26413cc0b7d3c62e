"""A1, A3, H4: async functions in an app, awaited in each run of the script or on a loop that the app keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import stage

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]


def _in_each_run():
    import asyncio

    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(show_spinner=False)
    async def thing(n):
        stage.things["builds"] = stage.things.get("builds", 0) + 1
        st.text(f"before {n}")
        await asyncio.sleep(0)
        with st.sidebar:
            st.text(f"beside {n}")
        await asyncio.sleep(0)
        st.text(f"after {n}")
        return [n]

    async def main():
        st.text("first")
        given = await asyncio.gather(thing(1), thing(2))
        st.text(f"{given}")
        again = await thing(1)
        st.text(f"again {again is given[0]}")

    asyncio.run(main())
    st.text("last")


def test_h4_what_async_builds_put_out_is_there_again_at_every_hit(app: Callable[..., Any]) -> None:
    """Two builds take turns on one loop, and each records its own elements."""
    page = app(_in_each_run)
    page.run()
    page.fine()
    first = sorted(page.texts())
    assert stage.things["builds"] == 2
    page.run()
    page.fine()
    assert stage.things["builds"] == 2
    assert sorted(page.texts()) == first
    mine = ["after 1", "after 2", "before 1", "before 2", "first", "last"]
    assert [text for text in mine if text not in first] == []
    assert first.count("before 1") == 2  # Where it is built or found first, and where it is found again.


def test_a1_sessions_share_one_build_over_the_loops_of_their_scripts(app: Callable[..., Any]) -> None:
    pages = [app(_in_each_run) for _ in range(3)]
    for page in pages:
        page.run()
        page.fine()
    assert stage.things["builds"] == 2


def _kept_in_a_thread():
    import asyncio
    import threading

    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(show_spinner=False)
    def loop():
        kept = asyncio.new_event_loop()

        def run():
            kept.run_forever()
            kept.close()

        stage.things["thread"] = threading.Thread(target=run, daemon=True)
        stage.things["thread"].start()
        return kept

    @tenure.cache_resource(scope="loop")
    async def client(name):
        stage.things["opened"] = stage.things.get("opened", 0) + 1
        yield f"client of {name}"
        stage.things["closed"] = stage.things.get("closed", 0) + 1

    async def ask():
        return await client("db")

    for _ in range(3):
        st.text(asyncio.run_coroutine_threadsafe(ask(), loop()).result(stage.PATIENCE))
    stage.things["loop"] = loop()
    stage.things["client"] = client


def test_a3_an_app_that_keeps_a_loop_in_a_thread(app: Callable[..., Any]) -> None:
    page = app(_kept_in_a_thread)
    for _ in range(2):
        page.run()
        page.fine()
    assert page.texts() == ["client of db"] * 3
    assert stage.things["opened"] == 1
    loop, client = stage.things["loop"], stage.things["client"]
    asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(stage.PATIENCE)
    loop.call_soon_threadsafe(loop.stop)
    stage.things["thread"].join(stage.PATIENCE)
    assert stage.things["closed"] == 1
    assert client.info().entries == 0


def _session_scoped():
    import asyncio

    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(scope="session", show_spinner=False)
    async def basket():
        stage.things["baskets"] = stage.things.get("baskets", 0) + 1
        return object()

    async def main():
        return await basket() is await basket()

    st.text(str(asyncio.run(main())))


def test_a1_a_session_scoped_async_function_has_one_resource_for_each_session(app: Callable[..., Any]) -> None:
    pages = [app(_session_scoped) for _ in range(2)]
    for page in pages * 2:
        page.run()
        page.fine()
        assert page.texts() == ["True"]
    assert stage.things["baskets"] == 2


def _reruns_within_a_build():
    import asyncio

    import stage
    import streamlit as st

    import tenure

    @tenure.cache_resource(show_spinner=False)
    async def thing():
        stage.things["tries"] = stage.things.get("tries", 0) + 1
        await asyncio.sleep(0)
        if stage.things["tries"] == 1:
            st.rerun()
        return "made"

    async def main():
        # Two callers of one build: the rerun is for the one that began it.
        return await asyncio.gather(thing(), thing())

    st.text(str(asyncio.run(main())))


def test_a1_a_rerun_within_a_build_ends_the_script_and_no_other_caller_keeps_it(app: Callable[..., Any]) -> None:
    page = app(_reruns_within_a_build)
    page.run()
    page.fine()
    assert page.texts() == ["['made', 'made']"]
