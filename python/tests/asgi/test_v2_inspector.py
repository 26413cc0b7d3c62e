"""V2: the inspector as an ASGI app: what it shows, what it ends, and who may not."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio

import tenure
import tenure.asgi
import tenure.testing
from served import serving
from tenure import _inspector, _native
from world import releases

TOKEN = "0123456789-a-token-of-the-test"
HOST = "shop.example"
OWN = f"https://{HOST}"


class Answer:
    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status = status
        self.headers = {name.decode(): value.decode() for name, value in headers}
        self.text = body.decode()

    def json(self) -> Any:
        return json.loads(self.text)


async def request(
    app: Any, method: str, path: str, body: bytes = b"", root: str = "", scheme: str = "https", **headers: str
) -> Answer:
    """Sends one request, its headers by their names with underscores."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": root,
        "scheme": scheme,
        "headers": [(b"host", HOST.encode()), *named],
    }
    await app(scope, receive, send)
    start, *rest = sent
    return Answer(start["status"], start["headers"], b"".join(it["body"] for it in rest))


def ask(app: Any, method: str, path: str, body: Any = b"", **headers: str) -> Answer:
    if not isinstance(body, bytes):
        headers = {"content_type": "application/json", **headers}
        body = json.dumps(body).encode()
    return asyncio.run(request(app, method, path, body, **headers))


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def log_in(app: Any, token: str = TOKEN, **headers: str) -> Answer:
    return ask(app, "POST", "/login", f"token={token}".encode(), **headers)


def cookie(app: Any) -> dict[str, str]:
    return {"cookie": f"other=1; {log_in(app).headers['set-cookie'].partition(';')[0]}"}


@pytest.fixture(autouse=True)
def begin_empty(clock: tenure.testing.Clock) -> Iterator[None]:
    yield
    _native.show_arguments(False)


@pytest.fixture
def app() -> Any:
    return tenure.asgi.inspector(token=TOKEN)


def test_v2_it_shows_functions_entries_sessions_and_what_happened(clock: tenure.testing.Clock) -> None:
    who = contextvars.ContextVar[str]("who")

    @tenure.cache_resource(ttl="1 min", max_stale="1 min", weight=lambda it: 5)
    def pool(_takes: Any = None) -> list[int]:
        if _takes:
            _takes(3)
        return []

    @tenure.cache_resource(scope=lambda: who.get())
    def basket() -> list[str]:
        return []

    pool(clock.advance), pool()
    for name in ["alice", "bob", "alice"]:
        who.set(name)
        basket()
    clock.advance(60)
    page = tenure.asgi.inspector()
    told = ask(page, "GET", "/data").json()
    by_name = {it["label"].rpartition(".")[2]: it for it in told["functions"]}
    assert by_name["pool"]["hit_rate"] == 0.5
    assert by_name["pool"]["build_mean"] == pytest.approx(3, abs=0.01)
    assert (by_name["basket"]["scope"], by_name["basket"]["entries"]) == ("own", 2)
    entry, *baskets = sorted(told["entries"], key=lambda it: int(it["number"]))
    assert entry["is_stale"]
    assert entry["build_time"] == pytest.approx(3, abs=0.01)
    assert entry["weight"] == 5
    assert (entry["hits"], entry["owner"], entry["age"]) == (1, None, pytest.approx(60, abs=0.01))
    assert sorted(it["hits"] for it in baskets) == [0, 1]
    assert sorted(it["owner"] for it in baskets) == sorted(it["owner"] for it in told["sessions"])
    assert all(re.fullmatch("[0-9a-f]{8}", it["owner"]) for it in baskets)
    assert [it["what"] for it in told["events"]] == ["built"] * 3
    assert (told["total"]["entries"], told["total"]["stale"]) == (3, 1)
    # Neither the scope's own value nor anything that stands for it.
    text = json.dumps(told)
    assert "alice" not in text
    assert b"alice".hex() not in text
    assert ask(page, "GET", "/fleet").json() is None


def test_v2_functions_of_one_name_are_told_apart() -> None:
    def make(which: int) -> Any:
        @tenure.cache_resource
        def client() -> int:
            return which

        return client

    clients = [make(1), make(2)]
    assert [client() for client in clients] == [1, 2]
    told = ask(tenure.asgi.inspector(token=TOKEN), "GET", "/data", **bearer()).json()
    one, other = told["functions"]
    assert one["number"] != other["number"]
    for function in told["functions"]:
        assert function["label"].rpartition(".")[2] == f"client #{function['number']}"
    ended = {"what": "function", "how": "clear", "number": one["number"]}
    assert ask(tenure.asgi.inspector(token=TOKEN), "POST", "/end", ended, **bearer()).json() == {"ended": True}
    assert [client.info().entries for client in clients] == [0, 1]


def test_v2_what_is_counted_between_two_looks_does_not_fall_where_a_function_goes() -> None:
    def counts(number: str, hits: int, misses: int) -> dict[str, Any]:
        return {"number": number, "hits": hits, "misses": misses, "builds": misses, "build_time": misses / 2}

    before = [counts("1", 100, 2), counts("2", 5, 1)]
    now = [counts("2", 7, 1), counts("3", 0, 4)]  # the first was edited
    assert _inspector.since(before, now) == {"hits": 2, "misses": 4, "builds": 4, "build_time": 2.0}
    assert set(_inspector.since(now, now).values()) == {0}


def test_v2_one_entry_a_function_and_all_are_ended(app: Any) -> None:
    @tenure.cache_resource
    def pool(key: int) -> int:
        return key

    @tenure.cache_resource(ttl="1 min", max_stale="1 min")
    def rates(key: int) -> int:
        return key

    def end(**what: str) -> bool:
        return ask(app, "POST", "/end", what, **bearer()).json()["ended"]

    def numbers() -> list[str]:
        return sorted((it["number"] for it in ask(app, "GET", "/data", **bearer()).json()["entries"]), key=int)

    pool(1), pool(2), rates(1), rates(2)
    first, second, third, _ = numbers()
    assert end(what="entry", how="clear", number=first)
    assert releases(pool) == {"cleared": 1}
    why = tenure.explain(pool, 1)
    assert (why.reason, why.by) == ("cleared", "the inspector")
    # What is built anew is another one.
    pool(1)
    assert not end(what="entry", how="clear", number=first)
    assert pool.info().entries == 2
    assert end(what="entry", how="expire", number=third)
    assert rates.info().stale == 1
    assert end(what="entry", how="expire", number=second)
    assert releases(pool) == {"cleared": 1, "expired": 1}
    functions = {
        it["label"].rpartition(".")[2]: it["number"] for it in ask(app, "GET", "/data", **bearer()).json()["functions"]
    }
    assert end(what="function", how="expire", number=functions["rates"])
    assert rates.info().stale == 2
    assert end(what="function", how="clear", number=functions["rates"])
    assert (pool.info().entries, rates.info().entries) == (1, 0)
    assert not end(what="function", how="clear", number="999999999")
    rates(1)
    assert end(what="all", how="expire")
    assert (pool.info().entries, rates.info().stale) == (0, 1)
    assert end(what="all", how="clear")
    assert rates.info().entries == 0
    assert tenure.explain(rates, 1).by == "the inspector"


def test_v2_without_a_token_it_only_shows() -> None:
    @tenure.cache_resource
    def pool() -> int:
        return 1

    pool()
    page = tenure.asgi.inspector()
    entry = ask(page, "GET", "/data").json()["entries"][0]
    for headers in ({}, bearer(), bearer("None"), bearer("")):
        for body in ({"what": "all", "how": "clear"}, {"what": "entry", "how": "clear", "number": entry["number"]}):
            assert ask(page, "POST", "/end", body, **headers).status == 403
    assert log_in(page).status == 404
    assert pool.info().entries == 1
    shown = ask(page, "GET", "/")
    assert shown.status == 200
    assert 'data-changes="no"' in shown.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("x" * 16),
        bearer(""),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer("\xff\xfe" * 20),
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"tenure_inspector={TOKEN}"},
        {"cookie": "tenure_inspector=99999999999.0000"},
        {"cookie": "tenure_inspector=99999999999"},
        {"cookie": f"tenure_inspector=99999999999.{'0' * 64}"},
        {"cookie": "tenure_inspector=\xb2.\xb2"},
    ],
    ids=str,
)
def test_v2_without_its_token_nothing_is_shown_and_nothing_ends(app: Any, headers: dict[str, str]) -> None:
    @tenure.cache_resource
    def a_secret_name() -> int:
        return 1

    a_secret_name()
    for method, path in [("GET", "/data"), ("GET", "/fleet"), ("GET", "/"), ("POST", "/end")]:
        answer = ask(app, method, path, {"what": "all", "how": "clear"}, origin=OWN, **headers)
        assert (answer.status, "a_secret_name" in answer.text) == (401, False)
    assert a_secret_name.info().entries == 1


def test_v2_a_token_in_the_address_opens_nothing(app: Any) -> None:
    async def main() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        query = f"token={TOKEN}".encode()
        scope = {"type": "http", "method": "GET", "path": "/data", "query_string": query, "headers": []}
        await app(scope, None, send)
        return sent

    assert asyncio.run(main())[0]["status"] == 401


def test_v2_a_login_sets_a_cookie_that_no_script_and_no_other_page_has(app: Any) -> None:
    answer = log_in(app, origin=OWN)
    assert (answer.status, answer.headers["location"]) == (303, "./")
    value, *rest = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Secure"} <= set(rest)
    assert TOKEN not in answer.headers["set-cookie"]
    held = {"cookie": value}
    assert ask(app, "GET", "/data", **held).status == 200
    shown = ask(app, "GET", "/", **held)
    assert (shown.status, 'data-changes="yes"' in shown.text) == (200, True)
    # Another worker of the server takes it, and one with another token does not.
    assert ask(tenure.asgi.inspector(token=TOKEN), "GET", "/data", **held).status == 200
    assert ask(tenure.asgi.inspector(token=TOKEN + "!"), "GET", "/data", **held).status == 401
    # Nobody makes it last longer.
    until, _, signature = value.partition("=")[2].partition(".")
    for forged in (f"{int(until) + 1}.{signature}", f"0.{signature}", f"{until}.{signature[:-1]}"):
        assert ask(app, "GET", "/data", cookie=f"tenure_inspector={forged}").status == 401
    wrong = log_in(app, "a wrong token, long enough")
    assert (wrong.status, "set-cookie" in wrong.headers, "not the token" in wrong.text) == (401, False, True)
    assert log_in(app, origin="https://evil.example").status == 403


def test_v2_a_login_ends_by_itself(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenure._inspector import page

    held = cookie(app)
    now = page.time.time()
    monkeypatch.setattr(page.time, "time", lambda: now + page.STAYS - 1)
    assert ask(app, "GET", "/data", **held).status == 200
    monkeypatch.setattr(page.time, "time", lambda: now + page.STAYS + 1)
    assert ask(app, "GET", "/data", **held).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": OWN}, 200),
        ({"origin": f"http://{HOST}"}, 200),  # behind a proxy that ends TLS
        ({"origin": OWN, "sec_fetch_site": "same-origin"}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": f"https://{HOST}.evil.example"}, 403),
        ({"origin": f"https://evil.example://{HOST}"}, 403),
        ({"origin": OWN, "sec_fetch_site": "cross-site"}, 403),
        ({"origin": OWN, "sec_fetch_site": "same-site"}, 403),
    ],
    ids=str,
)
def test_v2_no_other_page_ends_anything(app: Any, headers: dict[str, str], status: int) -> None:
    @tenure.cache_resource
    def pool() -> int:
        return 1

    pool()
    answer = ask(app, "POST", "/end", {"what": "all", "how": "clear"}, **cookie(app), **headers)
    assert (answer.status, pool.info().entries) == (status, 0 if status == 200 else 1)


def test_v2_a_program_with_the_token_needs_no_page_but_must_be_no_other_one(app: Any) -> None:
    body = {"what": "all", "how": "clear"}
    assert ask(app, "POST", "/end", body, **bearer()).status == 200
    assert ask(app, "POST", "/end", body, origin="https://evil.example", **bearer()).status == 403
    # What a form of another page could send without asking first.
    sent = json.dumps(body).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert ask(app, "POST", "/end", sent, content_type=kind, origin=OWN, **cookie(app)).status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"entry"',
        b"[" * 2000,
        b"\xff",
        b'{"what": "entry", "how": "clear"}',
        b'{"what": "entry", "how": "clear", "number": 7}',
        b'{"what": "entry", "how": "clear", "number": "-7"}',
        b'{"what": "entry", "how": "clear", "number": "\xc2\xb2"}',
        b'{"what": "entry", "how": "clear", "number": "99999999999999999999999"}',
        b'{"what": "entry", "how": "discard", "number": "7"}',
        b'{"what": ["all"], "how": "clear"}',
        b'{"what": "engine", "how": "clear"}',
    ],
)
def test_v2_what_says_of_nothing_that_it_is_to_end_ends_nothing(app: Any, body: bytes) -> None:
    @tenure.cache_resource
    def pool() -> int:
        return 1

    pool()
    answer = ask(app, "POST", "/end", body, content_type="application/json", **bearer())
    assert (answer.status, pool.info().entries) == (400, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"what": "function", "how": "clear", "number": 99}', "number must be a string, as data gives it"),
        (b'{"what": "function", "how": "discard", "number": "9"}', 'how must be "clear" or "expire"'),
        (b"[]", "this says of nothing that it is to end"),
    ],
)
def test_v2_what_is_wrong_with_an_end_is_said(app: Any, body: bytes, said: str) -> None:
    answer = ask(app, "POST", "/end", body, content_type="application/json", **bearer())
    assert (answer.status, said in answer.text) == (400, True)


def test_v2_a_request_that_is_too_long_or_elsewhere_is_refused(app: Any) -> None:
    assert ask(app, "POST", "/end", b" " * 5000, content_type="application/json", **bearer()).status == 413
    assert log_in(app, "x" * 5000).status == 413
    assert ask(app, "GET", "/other", **bearer()).status == 404
    assert ask(app, "GET", "/end", **bearer()).status == 405
    assert ask(app, "DELETE", "/", **bearer()).status == 405


def test_v2_markup_in_a_name_or_an_argument_is_text_and_the_page_runs_nothing_but_its_own() -> None:
    def made(url: str, _password: str = "") -> str:
        return url

    made.__qualname__ = "</script><script>alert(1)</script>"
    page = tenure.asgi.inspector(token=TOKEN, show_arguments=True)
    pool = tenure.cache_resource(made)
    pool('"><img src=x onerror=alert(2)>', "not to be seen")
    held = cookie(page)
    told = ask(page, "GET", "/data", **held)
    assert (told.headers["content-type"], told.headers["x-content-type-options"]) == ("application/json", "nosniff")
    entry = told.json()["entries"][0]
    assert entry["arguments"] == "url='\"><img src=x onerror=alert(2)>'"
    assert "<script>alert(1)" in entry["label"]
    shown = ask(page, "GET", "/", **held)
    assert "alert" not in shown.text
    # No text is ever set as markup, no script stands in markup, and nothing comes from elsewhere.
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        " on",
        "javascript:",
    ):
        assert not (re.search(r"\son\w+=", shown.text) if way == " on" else way in shown.text)
    assert set(re.findall(r"https?://[^\"'\s]+", shown.text)) == {"http://www.w3.org/2000/svg"}
    policy = shown.headers["content-security-policy"]
    (nonce,) = set(re.findall(r"nonce-([\w-]+)", policy))
    assert shown.text.count(f'nonce="{nonce}"') == shown.text.count("<script") + shown.text.count("<style") == 2
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert nonce not in ask(page, "GET", "/", **held).text


def test_v2_arguments_are_neither_shown_nor_kept_unless_that_is_asked_for() -> None:
    # In a process of its own: whoever asks for them asks for all.
    code = """
        import tenure, tenure._inspector as inspector, tenure.asgi
        class Own:
            def __repr__(self): raise AssertionError("code of the program")
        @tenure.cache_resource
        def pool(url, *more, port=5, own=None, _log=None, **options): return [url]
        pool("a-secret-url")
        tenure.asgi.inspector()
        assert "a-secret-url" not in str(inspector.snapshot(show_arguments=True))
        tenure.asgi.inspector(show_arguments=True)
        pool("b" * 200, 1.5, own=None, _log="not", tls=True)
        assert "bbb" not in str(inspector.snapshot())
        first, second = inspector.snapshot(show_arguments=True)["entries"]
        assert "arguments" not in first, first
        assert second["arguments"].startswith("url='" + "b" * 79 + "…, more="), second
        assert "not" not in second["arguments"]
        pool(b"\\0" * 5_000_000, 10**5000)
        third = inspector.snapshot(show_arguments=True)["entries"][-1]
        assert third["arguments"].startswith("url=b'" + "\\\\x00" * 19 + "\\\\x…, more="), third
        pool("c", port=10**5000)
        fourth = inspector.snapshot(show_arguments=True)["entries"][-1]
        assert fourth["arguments"] == "url='c', port=<int>", fourth
        @tenure.cache_resource(hash_funcs={Own: id})
        async def model(own, size): return [size]
        import asyncio
        asyncio.run(model(Own(), "small"))
        told = {it["arguments"] for it in inspector.snapshot(show_arguments=True)["entries"] if "size" in str(it)}
        assert told == {"own=<Own>, size='small'"}, told
    """
    import textwrap

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_v2_the_token_is_in_no_log_no_answer_and_no_text(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        log_in(app),
        log_in(app, TOKEN + "x"),
        ask(app, "GET", "/", **bearer()),
        ask(app, "GET", "/data", **bearer()),
        ask(app, "POST", "/end", {"what": "all", "how": "clear"}, **bearer()),
        ask(app, "POST", "/end", {}, **bearer()),
    ]
    for answer in answers:
        assert TOKEN not in answer.text
        assert TOKEN not in str(answer.headers)
        assert answer.headers["cache-control"] == "no-store"
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(app)
    with pytest.raises(ValueError, match="5 characters and needs 16") as short:
        tenure.asgi.inspector(token="short")
    assert "short" not in str(short.value).split("characters")[0]
    with pytest.raises(TypeError, match="must be a str, not bytes"):
        tenure.asgi.inspector(token=TOKEN.encode())  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/inside/tenure", ""])
def test_v2_it_is_mounted_in_whatever_way_a_framework_tells_of_that(app: Any, path: str) -> None:
    def get(rest: str) -> Answer:
        return asyncio.run(request(app, "GET", path + rest, root="/inside/tenure", **bearer()))

    assert get("/").status == 200
    assert get("/data").json()["total"]["entries"] == 0
    # The page's own address ends with a slash, or what it asks for would be beside that.
    assert (get("").status, get("").headers["location"]) == (307, "tenure/")


def test_v2_it_stands_alone_on_a_server_and_on_trio(app: Any) -> None:
    async def main() -> None:
        async with serving(app):
            assert (await request(app, "GET", "/data", **bearer())).status == 200

    asyncio.run(main())
    assert trio.run(lambda: request(app, "GET", "/data", **bearer())).status == 200


def test_v2_a_slow_release_does_not_hold_the_server_up(app: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        begun, goes_on = asyncio.Event(), asyncio.Event()

        def release(_: list[int]) -> None:
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(goes_on.wait(), loop).result()

        @tenure.cache_resource(on_release=release)
        def pool() -> list[int]:
            return []

        pool()
        body = b'{"what": "all", "how": "clear"}'
        end = asyncio.create_task(request(app, "POST", "/end", body, content_type="application/json", **bearer()))
        await begun.wait()
        assert (await request(app, "GET", "/data", **bearer())).status == 200
        goes_on.set()
        assert (await end).json() == {"ended": True}

    asyncio.run(main())


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f" {TOKEN}", " " * 16, "\0" * 16, "ü" * 16])
def test_v2_a_token_that_no_header_carries_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="strip"):
        tenure.asgi.inspector(token=token)


@pytest.mark.parametrize("value", ["0", "no", 1, None])
def test_v2_whether_to_show_arguments_is_said_with_true_or_false(value: Any) -> None:
    with pytest.raises(TypeError, match="show_arguments must be True or False"):
        tenure.asgi.inspector(show_arguments=value)


@pytest.mark.parametrize("origin", [f"https://{HOST}:443", f"HTTPS://{HOST.upper()}", f"http://{HOST}:80"])
def test_v2_an_origin_is_the_hosts_own_in_whatever_way_it_is_written(app: Any, origin: str) -> None:
    answer = log_in(app, origin=origin)
    assert answer.status == 303


def test_v2_where_the_browser_sees_https_the_cookie_goes_over_that_alone(app: Any) -> None:
    assert "; Secure" in log_in(app, origin=f"https://{HOST}", scheme="http").headers["set-cookie"]
    assert "; Secure" not in log_in(app, origin=f"http://{HOST}", scheme="http").headers["set-cookie"]


def test_v2_looks_and_ends_take_none_of_the_programs_threads(app: Any) -> None:
    let_go = threading.Event()

    @tenure.cache_resource(on_release=lambda _: let_go.wait())
    def slow(key: int) -> list[int]:
        return [key]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        slow(1), slow(2)
        looks = await request(app, "GET", "/data", **bearer())
        ends = [
            asyncio.create_task(
                request(
                    app,
                    "POST",
                    "/end",
                    json.dumps({"what": "entry", "how": "clear", "number": it["number"]}).encode(),
                    content_type="application/json",
                    **bearer(),
                )
            )
            for it in looks.json()["entries"]
        ]
        assert await asyncio.to_thread(lambda: 7) == 7
        assert (await request(app, "GET", "/data", **bearer())).status == 200
        let_go.set()
        assert [(await it).json() for it in ends] == [{"ended": True}] * 2

    asyncio.run(main())
