"""S: Gradio's sessions. A real server in this process, pages that open and close, and clients that claim things."""

from __future__ import annotations

import contextvars
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import httpx
import pytest
from baskets import basket, ledger
from fastapi import FastAPI
from gradio_client import Client
from pages import API, Failed, Page, app, launched
from servers import listening

import tenure.asgi
import tenure.gradio
from world import wait

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # What a client leaves open where it is cut off.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def left_open() -> Iterator[None]:
    """Collects the loops that Gradio's servers have left open while the warnings above are not heard."""
    yield
    gc.collect()


def put(text: str) -> list[str]:
    basket().append(text)
    return list(basket())


async def put_async(text: str) -> list[str]:
    basket().append(text)
    return list(basket())


def letters(text: str) -> Iterator[list[str]]:
    for letter in text:
        basket().append(letter)
        yield list(basket())


async def letters_async(text: str) -> Any:
    for letter in text:
        basket().append(letter)
        yield list(basket())


def begins_what_goes_on(goes_on: threading.Event, built: threading.Event) -> Callable[[str], list[str]]:
    """An event that uses its session, and starts a thread with its context, which builds once it is told to."""

    def begin(text: str) -> list[str]:
        things = list(basket())
        context = contextvars.copy_context()

        def later() -> None:
            wait(goes_on)
            context.run(basket)
            built.set()

        threading.Thread(target=later).start()
        return things

    return begin


def put_installed(**more: Any) -> gr.Blocks:
    return tenure.gradio.install(app(put=put, **more))


def test_s2_a_page_is_a_session_and_its_resources_are_released_at_its_end() -> None:
    demo = put_installed(put_async=put_async, letters=letters, letters_async=letters_async)
    with launched(demo) as url:
        with Page(demo, url, "hers").open() as hers, Page(demo, url, "his").open() as his:
            assert hers.ask("put", "a") == ["a"]
            assert his.ask("put", "z") == ["z"]
            assert hers.ask("put_async", "b") == ["a", "b"]
            assert hers.ask("letters", "cd") == ["a", "b", "c", "d"]
            assert hers.ask("letters_async", "ef") == ["a", "b", "c", "d", "e", "f"]
            assert basket.info().entries == 2
            assert ledger.names() == []
        ledger.await_releases(2)
        assert {len(it) for it in ledger.names()} == {1, 6}
        assert basket.info().entries == 0


def test_s2_two_pages_of_one_client_are_two_sessions() -> None:
    demo = put_installed()
    with launched(demo) as url:
        one, other = Client(url, verbose=False), Client(url, verbose=False)
        assert one.predict("a", api_name="/put") == ["a"]
        assert other.predict("b", api_name="/put") == ["b"]
        assert one.predict("c", api_name="/put") == ["a", "c"]
    ledger.await_releases(2)


def test_s2_what_the_app_does_at_unload_still_finds_the_session_whatever_the_order() -> None:
    seen: list[Any] = []

    def goodbye() -> None:
        seen.append(list(basket()))

    before, after = app(put=put), app(put=put)
    with before:
        before.unload(goodbye)
    for demo in (before, after):
        tenure.gradio.install(demo)
    with after:
        after.unload(goodbye)
    for count, demo in enumerate((before, after), start=1):
        with launched(demo) as url:
            with Page(demo, url, "page").open() as page:
                page.ask("put", "a")
            ledger.await_releases(count)
    assert seen == [["a"], ["a"]]


def test_s2_a_session_whose_unload_event_fails_ends_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise RuntimeError("the app's own mistake")

    demo = app(put=put)
    with demo:
        demo.unload(fails)
    tenure.gradio.install(demo)
    with launched(demo) as url:
        with Page(demo, url, "page").open() as page:
            page.ask("put", "a")
        ledger.await_releases(1)
    capsys.readouterr()


def test_s2_a_hash_that_comes_back_after_its_end_begins_another_session() -> None:
    demo = put_installed()
    with launched(demo) as url:
        page = Page(demo, url, "page")
        with page.open():
            page.ask("put", "a")
        ledger.await_releases(1)
        with page.open():
            assert page.ask("put", "b") == ["b"]
        ledger.await_releases(2)


def test_s2_what_goes_on_after_the_end_builds_for_nobody() -> None:
    goes_on, built = threading.Event(), threading.Event()
    begin = begins_what_goes_on(goes_on, built)
    demo = put_installed(begin=begin)
    with launched(demo) as url:
        with Page(demo, url, "page").open() as page:
            assert page.ask("begin", "") == []
        ledger.await_releases(1)
        goes_on.set()
        wait(built)
        ledger.await_releases(2)
        assert basket.info().entries == 0


def test_s2_an_event_under_way_at_the_end_keeps_what_it_holds_and_leaves_nothing() -> None:
    is_in, goes_on, done = threading.Event(), threading.Event(), threading.Event()

    def slow(text: str) -> list[str]:
        is_in.set()
        wait(goes_on)
        basket()
        done.set()
        return []

    demo = put_installed(slow=slow)
    with launched(demo) as url:
        with Page(demo, url, "page").open() as page:
            page.ask("put", "a")
            page.post("slow", "")
            wait(is_in)
        ledger.await_releases(1)
        goes_on.set()
        wait(done)
        ledger.await_releases(2)
        assert basket.info().entries == 0


def test_s2_a_generator_that_is_under_way_at_the_end_leaves_nothing() -> None:
    is_in, goes_on = threading.Event(), threading.Event()

    def slowly(text: str) -> Iterator[list[str]]:
        yield list(basket())
        is_in.set()
        wait(goes_on)
        yield list(basket())
        yield list(basket())

    demo = put_installed(slowly=slowly)
    with launched(demo) as url:
        with Page(demo, url, "page").open() as page:
            page.post("slowly", "")
            wait(is_in)
        ledger.await_releases(1)
        goes_on.set()
        ledger.await_releases(2)
        assert basket.info().entries == 0


def test_s2_what_outlives_a_session_that_has_idled_builds_for_nobody() -> None:
    goes_on, built = threading.Event(), threading.Event()
    begin = begins_what_goes_on(goes_on, built)
    demo = tenure.gradio.install(app(begin=begin), idle="50ms")
    with launched(demo) as url:
        assert Page(demo, url, "script").ask("begin", "") == []
        ledger.await_releases(1)
        goes_on.set()
        wait(built)
        ledger.await_releases(2)
        assert basket.info().entries == 0


def test_s2_a_grace_for_sessions_that_come_back_holds_up_none_that_cannot() -> None:
    demo = put_installed()
    tenure.configure(session_grace="1h")
    try:
        with launched(demo) as url:
            with Page(demo, url, "page").open() as page:
                page.ask("put", "a")
            ledger.await_releases(1)
    finally:
        tenure.configure()


def test_s2_a_call_that_nobody_can_come_back_to_is_a_session_by_itself() -> None:
    demo = put_installed(letters=letters)
    with launched(demo) as url:
        for count, name in enumerate(("put", "letters"), start=1):
            event = httpx.post(f"{url}{API}/call/{name}", json={"data": ["ab"]}).json()["event_id"]
            text = httpx.get(f"{url}{API}/call/{name}/{event}").text
            assert "event: complete" in text
            ledger.await_releases(count)
        assert ledger.names() == [["ab"], ["a", "b"]]
        direct = httpx.post(f"{url}{API}/run/put", json={"data": ["c"]})
        assert direct.json()["data"] == [["c"]]
        ledger.await_releases(3)


def test_s2_a_client_that_never_says_that_it_goes_is_forgotten_when_idle() -> None:
    demo = tenure.gradio.install(app(put=put), idle="100ms")
    with launched(demo) as url:
        page = Page(demo, url, "script")
        assert page.ask("put", "a") == ["a"]
        ledger.await_releases(1)
        assert page.ask("put", "b") == ["b"]
        ledger.await_releases(2)


def test_s2_who_is_logged_in_gets_nothing_by_another_users_hash_and_cannot_end_it() -> None:
    demo = put_installed()
    with launched(demo, auth=[("ada", "pass"), ("eve", "pass")]) as url:
        with Page(demo, url, "adas", "ada").open() as ada:
            assert ada.ask("put", "a secret") == ["a secret"]
            with Page(demo, url, "adas", "eve").open() as eve:
                assert eve.ask("put", "nothing") == ["nothing"]
            ledger.await_releases(1)
            assert ledger.names() == [["nothing"]]
            with Page(demo, url, "adas").open():
                pass
            assert ada.ask("put", "more") == ["a secret", "more"]
        ledger.await_releases(2)


def test_s3_an_app_that_does_not_tell_of_its_sessions_says_what_to_write() -> None:
    demo = app(put=put)
    with launched(demo) as url, pytest.raises(Failed, match=r"tenure\.gradio\.install\(demo\) before demo\.launch"):
        Page(demo, url, "page").ask("put", "a")
    assert ledger.built == []


def test_s3_an_event_for_several_sessions_at_a_time_is_in_none() -> None:
    def put_all(texts: list[str]) -> list[list[list[str]]]:
        return [[put(text) for text in texts]]

    with gr.Blocks() as demo:
        text, shown = gr.Textbox(), gr.JSON()
        gr.Button("put").click(put_all, text, shown, api_name="put", batch=True)
    tenure.gradio.install(demo)
    with launched(demo) as url, pytest.raises(Failed, match="several sessions at a time"):
        Page(demo, url, "page").ask("put", "a")
    assert ledger.built == []


@tenure.cache_resource
def gradio_catalogue() -> list[str]:
    return ["poppy"]


@pytest.mark.parametrize("batch", [False, True])
def test_s1_what_is_for_all_needs_no_session(batch: bool) -> None:
    """Neither in an app that does not tell of its sessions, nor in an event for several of them."""

    def look_up(text: Any) -> Any:
        found = list(gradio_catalogue())
        return [[found]] if batch else found

    gradio_catalogue.clear()
    with gr.Blocks() as demo:
        text, shown = gr.Textbox(), gr.JSON()
        gr.Button("look up").click(look_up, text, shown, api_name="look_up", batch=batch)
    if batch:
        tenure.gradio.install(demo)
    with launched(demo) as url:
        assert Page(demo, url, "page").ask("look_up", "a") == ["poppy"]


def test_s2_the_users_of_gradios_mcp_server_share_no_session() -> None:
    """It calls for all of them by one client, which has one hash."""
    demo = put_installed()
    with launched(demo) as url:
        page = Page(demo, url, "of the MCP server")
        page._http.headers["x-gradio-user"] = "mcp"
        assert [page.ask("put", text) for text in ("a secret", "b")] == [["a secret"], ["b"]]
        ledger.await_releases(2)
    assert basket.info().entries == 0


def test_s2_a_server_within_an_event_has_sessions_of_its_own() -> None:
    api = FastAPI()

    @api.get("/put/{text}")
    def put_there(text: str) -> list[str]:
        return put(text)

    async def asks(text: str) -> list[list[str]]:
        own = put(text)
        within = httpx.ASGITransport(tenure.asgi.Middleware(api))
        async with httpx.AsyncClient(transport=within, base_url="http://within") as client:
            return [own, *[(await client.get(f"/put/{it}")).json() for it in ("b", "c")]]

    demo = tenure.gradio.install(app(asks=asks))
    with launched(demo) as url:
        assert Page(demo, url, "page").ask("asks", "a") == [["a"], ["b"], ["c"]]


def test_s3_a_handler_that_is_called_by_hand_is_in_no_session() -> None:
    put_installed()
    with pytest.raises(tenure.ScopeError):
        put("a")


def test_s2_in_a_fastapi_app_with_cookies_gradios_sessions_are_its_own() -> None:
    """The queue's tasks began in the request of whoever came first: they serve its cookie's session no longer."""
    server = FastAPI()

    @server.get("/put/{text}")
    def put_plain(text: str) -> list[str]:
        return put(text)

    demo = put_installed()
    without = app(put=put)
    mounted = gr.mount_gradio_app(server, demo, path="/shop")
    mounted = gr.mount_gradio_app(mounted, without, path="/other")
    with listening(tenure.asgi.Middleware(mounted, session="cookie")) as url:
        with httpx.Client(base_url=url) as first, httpx.Client(base_url=url) as second:
            first.get("/shop/gradio_api/startup-events")
            assert first.get("/put/a").json() == ["a"]
            assert first.get("/put/b").json() == ["a", "b"]
            assert second.get("/put/c").json() == ["c"]
        with Page(demo, f"{url}/shop", "hers").open() as hers, Page(demo, f"{url}/shop", "his").open() as his:
            assert hers.ask("put", "x") == ["x"]
            assert his.ask("put", "y") == ["y"]
            assert hers.ask("put", "z") == ["x", "z"]
        ledger.await_releases(2)
        with pytest.raises(Failed, match="install"):
            Page(without, f"{url}/other", "page").ask("put", "a")
    ledger.await_releases(4)


def test_bad_settings_say_what_was_wrong() -> None:
    with pytest.raises(TypeError, match=r"demo must be a gr\.Blocks"):
        tenure.gradio.install("demo")  # type: ignore[type-var]
    with pytest.raises(ValueError, match="idle must be a time"):
        tenure.gradio.install(gr.Blocks(), idle=0)


def test_an_app_that_is_installed_twice_is_installed_once() -> None:
    demo = app(put=put)
    assert tenure.gradio.install(tenure.gradio.install(demo)) is demo
    events = [fn for fn in demo.fns.values() if any(target[1] == "unload" for target in fn.targets)]
    assert len(events) == 1
