"""The inspector as an ASGI app: one page, what it shows as JSON, and the ends that it asks for.

1. A request that changes something has the token, and comes from this very page or from no page.
2. Where there is a token, nothing is shown without it. It comes in a header or the body of a form, never in an address,
   and goes nowhere: a cookie has a signature made with it.
3. The page takes nothing from anywhere else, and runs no script but its own.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import secrets
import time
import urllib.parse
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import resources
from typing import Any

from tenure import _inspector, _loops, _native

__all__ = ["Inspector"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

COOKIE = "tenure_inspector"
STAYS = 12 * 3600
"""For how many seconds a login holds."""
MOST = 4096
"""No request has a longer body."""
SHORTEST = 16
"""The fewest characters of a token: what is shorter can be tried out."""

HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class _Refused(Exception):
    """A request that is not answered, with the status and what is said of it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Inspector:
    """The inspector's page as an ASGI app; `tenure.asgi.inspector` makes one."""

    def __init__(self, token: str | None, show_arguments: bool) -> None:
        if token is not None and not isinstance(token, str):
            raise TypeError(f"token must be a str, not {type(token).__name__}")
        if token is not None and not (token.isascii() and token.isprintable() and token == token.strip()):
            raise ValueError(
                "token has characters that a header cannot carry, or blanks around it, as the last line of a file ends "
                "with one: write token.strip()"
            )
        if not isinstance(show_arguments, bool):
            raise TypeError(f"show_arguments must be True or False, not {show_arguments!r}")
        if token is not None and len(token) < SHORTEST:
            raise ValueError(
                f"token has {len(token)} characters and needs {SHORTEST}: who guesses it can clear what is kept. "
                'Make one with `python -c "import secrets; print(secrets.token_urlsafe())"`'
            )
        self._token = None if token is None else token.encode()
        self._show_arguments = show_arguments
        if show_arguments:
            _native.show_arguments(True)

    def __repr__(self) -> str:
        return "tenure.asgi.inspector(...)"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] == "lifespan":
            return await _live(receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1000})
        try:
            await self._answer(scope, receive, send)
        except _Refused as refused:
            await _respond(send, refused.status, "text/plain", str(refused).encode())

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        route = scope["method"], path
        if route == ("GET", ""):
            # What the page asks for is beside it.
            here = urllib.parse.quote(_root(scope).rpartition("/")[2])
            return await _respond(send, 307, "text/plain", b"", (b"location", f"{here}/".encode()))
        if route == ("GET", "/"):
            return await self._page(scope, send)
        if route == ("POST", "/login"):
            return await self._log_in(scope, receive, send)
        if route == ("GET", "/data"):
            self._let_in(scope)
            return await _json(send, lambda: _inspector.snapshot(show_arguments=self._show_arguments))
        if route == ("GET", "/fleet"):
            self._let_in(scope)
            return await _json(send, _inspector.fleet)
        if route == ("POST", "/end"):
            return await self._end(scope, receive, send)
        known = path in ("/", "/data", "/fleet", "/login", "/end")
        raise _Refused(405 if known else 404, "there is nothing here")

    async def _page(self, scope: Scope, send: Send, status: int = 200, said: str = "") -> None:
        if status == 200 and not self._is_let_in(scope):
            status = 401
        await _page(send, status, "page" if status == 200 else "login", self._token is not None, said)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        _same_origin(scope, is_needed=False)
        if self._token is None:
            raise _Refused(404, "there is nothing here")
        form = urllib.parse.parse_qs((await _body(receive)).decode("latin-1"), encoding="utf-8")
        given = form.get("token", [""])[0]
        if not self._is_token(given.encode("utf-8", "surrogatepass")):
            return await self._page(scope, send, 401, "That is not the token.")
        until = str(int(time.time()) + STAYS)
        # A proxy may have taken the encryption away; the browser says what it sees.
        is_secure = scope.get("scheme") == "https" or _header(scope, b"origin").startswith("https://")
        secure = "; Secure" if is_secure else ""
        # Without a path: it is sent to what is beside this one, wherever a proxy has that.
        cookie = f"{COOKIE}={until}.{self._signature(until)}; Max-Age={STAYS}; HttpOnly; SameSite=Strict{secure}"
        headers = (b"set-cookie", cookie.encode()), (b"location", b"./")
        await _respond(send, 303, "text/plain", b"", *headers)

    async def _end(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._token is None:
            raise _Refused(403, "this inspector only shows: it was opened without a token")
        self._let_in(scope)
        _same_origin(scope, is_needed=not self._has_token(scope))
        if _header(scope, b"content-type").partition(";")[0].strip() != "application/json":
            raise _Refused(415, "what is to end is said in JSON")
        try:
            asked = json.loads(await _body(receive))
            meant = _inspector.End(asked["what"], asked["how"], asked.get("number"))
        except _inspector.Unclear as error:
            raise _Refused(400, str(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise _Refused(400, "this says of nothing that it is to end") from None
        await _json(send, lambda: {"ended": _inspector.end(meant)})

    def _let_in(self, scope: Scope) -> None:
        if not self._is_let_in(scope):
            raise _Refused(401, "this inspector is opened with a token")

    def _is_let_in(self, scope: Scope) -> bool:
        return self._token is None or self._has_token(scope) or self._has_cookie(scope)

    def _has_token(self, scope: Scope) -> bool:
        kind, _, given = _header(scope, b"authorization").partition(" ")
        return kind.lower() == "bearer" and self._is_token(given.strip().encode("latin-1"))

    def _has_cookie(self, scope: Scope) -> bool:
        for pair in _header(scope, b"cookie").split(";"):
            name, _, value = pair.strip().partition("=")
            until, _, signature = value.partition(".")
            if name == COOKIE and value.isascii() and until.isdigit() and len(until) < 20:
                is_signed = hmac.compare_digest(signature, self._signature(until))
                if is_signed and int(until) > time.time():
                    return True
        return False

    def _is_token(self, given: bytes) -> bool:
        return self._token is not None and hmac.compare_digest(given, self._token)

    def _signature(self, until: str) -> str:
        assert self._token is not None
        return hmac.digest(self._token, f"tenure inspector until {until}".encode(), hashlib.sha256).hex()


def _root(scope: Scope) -> str:
    return str(scope.get("root_path", "")).rstrip("/")


def _path(scope: Scope) -> str:
    """The path within the inspector: some frameworks leave the place that it is mounted at in front of it."""
    path, root = str(scope["path"]), _root(scope)
    return path[len(root) :] if root and (path + "/").startswith(root + "/") else path


def _header(scope: Scope, name: bytes) -> str:
    """All headers of this name."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
    return ("; " if name == b"cookie" else ", ").join(values)


def _same_origin(scope: Scope, *, is_needed: bool) -> None:
    """Refuses what a page of another origin sends, and what no page sends where one is needed."""
    origin, site = _header(scope, b"origin").lower(), _header(scope, b"sec-fetch-site")
    host = _header(scope, b"host").lower()
    scheme, _, place = origin.partition("://")
    port = {"http": ":80", "https": ":443"}.get(scheme)
    own = port is not None and place != "" and place.removesuffix(port) == host.removesuffix(port)
    if origin and not own:
        # Behind a proxy that leaves out the port, say.
        raise _Refused(403, f"this comes from another page: its origin is {origin!r}, and this host is {host!r}")
    if site not in ("", "same-origin", "none") or (is_needed and not origin):
        raise _Refused(403, "this comes from another page")


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(400, "the request has no end")
        body += bytes(message.get("body", b""))
        if len(body) > MOST:
            raise _Refused(413, "the request is too long")
        if not message.get("more_body", False):
            return body


async def _json(send: Send, work: Callable[[], Any]) -> None:
    # What is held, released and asked of a fleet may take its time.
    told = await _loops.home().in_thread(work)
    await _respond(send, 200, "application/json", json.dumps(told).encode())


async def _page(send: Send, status: int, part: str, may_change: bool, said: str) -> None:
    nonce = secrets.token_urlsafe()
    values = {"NONCE": nonce, "CHANGES": "yes" if may_change else "no", "SAID": html.escape(said)}
    values |= {"STYLE": _file("page.css"), "SCRIPT": _file("page.js")}
    page = _file(f"{part}.html")
    for name, value in values.items():
        page = page.replace(f"%{name}%", value)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    await _respond(
        send, status, "text/html; charset=utf-8", page.encode(), (b"content-security-policy", policy.encode())
    )


def _file(name: str) -> str:
    return resources.files(_inspector).joinpath(name).read_text("utf-8")


async def _respond(send: Send, status: int, kind: str, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    own = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *HEADERS, *headers]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})
