"""The cookie that a session is known by: an id that the server has given out and signed.

An id counts only with its signature, so a client that makes one up gets another, and nothing has to be stored to tell.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from tenure import _native, _settings

__all__ = ["Cookie"]

_ID = 32
_SIGNATURE = 43
"""The lengths of the parts of a cookie's value."""

_SHORTEST = 16
"""The fewest bytes of a secret: what is shorter can be tried out."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""The form of a cookie's name."""


class Cookie:
    """The cookie that a session is known by: an id that the server has given out and signed.

    It is HttpOnly and SameSite=Lax, and goes with the browser's session.

    Parameters
    ----------
    name
        The cookie's name, by itself `tenure_session`.
    idle
        How long a session may be without any request or WebSocket before it ends, in the forms of `ttl`. By itself half
        an hour.
    secret
        What ids are signed with, at least 16 bytes. `None`: drawn anew, so that ids of another process, or of an
        earlier one, count for nothing. Give the workers of one server the same secret, so that each takes the others'
        ids; what is kept for a session is kept in each of them.
    secure
        Whether the cookie is for HTTPS alone. `None`: as the request that it answers.
    path, domain
        Where it is sent to, as in the attributes of these names.
    websockets
        Whether a WebSocket serves the session of its cookie. `False`: it is a session by itself.

    Examples
    --------
    >>> import tenure.asgi
    >>> tenure.asgi.Cookie("shop", idle="2h", secret="0123456789abcdef0123456789abcdef")
    Cookie('shop', idle=7200.0)
    """

    @_settings.of("tenure.asgi.Cookie")
    def __init__(
        self,
        name: str = "tenure_session",
        *,
        idle: float | timedelta | str = "30m",
        secret: str | bytes | None = None,
        secure: bool | None = None,
        path: str = "/",
        domain: str | None = None,
        websockets: bool = True,
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f'name must be a str, not {name!r}. Example: tenure.asgi.Cookie("shop_session")')
        if not _NAME.fullmatch(name):
            raise ValueError(f'{name!r} cannot be the name of a cookie. Example: tenure.asgi.Cookie("shop_session")')
        seconds = _native.seconds("idle", idle)
        if not seconds:
            raise ValueError(f'idle must be a time after which a session ends, not {idle!r}. Example: idle="30m"')
        for what, value in (("path", path), ("domain", domain or "")):
            if any(it in value for it in ';,\r\n"') or not value.isascii():
                raise ValueError(f"{value!r} cannot be the {what} of a cookie")
        if isinstance(secret, str):
            secret = secret.encode()
        if secret is not None and len(secret) < _SHORTEST:
            raise ValueError(
                f"secret has {len(secret)} bytes and needs {_SHORTEST}: who guesses it can take over sessions. "
                'Make one with `python -c "import secrets; print(secrets.token_hex(32))"`'
            )
        self.name = name
        self.idle = seconds
        self.websockets = websockets
        self._secret = secret or secrets.token_bytes(32)
        self._secure = secure
        self._rest = f"; Path={path}" + (f"; Domain={domain}" if domain else "") + "; HttpOnly; SameSite=Lax"

    def __repr__(self) -> str:
        return f"Cookie({self.name!r}, idle={self.idle!r})"

    def draw(self) -> str:
        """A new value."""
        given = secrets.token_urlsafe(_ID * 3 // 4)
        return f"{given}.{self._sign(given)}"

    def _sign(self, given: str) -> str:
        # The name counts, so that the id of one cookie is none of another's under the same secret.
        text = f"tenure session {self.name}={given}".encode()
        digest = hmac.digest(self._secret, text, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def read(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """The value of the first cookie of this name that this server has given out."""
        for header, text in headers:
            if header != b"cookie":
                continue
            for pair in text.decode("latin-1").split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self.name and self._is_ours(value):
                    return value
        return None

    def _is_ours(self, value: str) -> bool:
        given, _, signature = value.partition(".")
        if len(given) != _ID or len(signature) != _SIGNATURE or not value.isascii():
            return False
        return hmac.compare_digest(signature, self._sign(given))

    def header(self, value: str, scheme: str) -> tuple[bytes, bytes]:
        """The header that sets the cookie; one without a value takes it away."""
        is_secure = scheme in ("https", "wss") if self._secure is None else self._secure
        age = "" if value else "; Max-Age=0"
        return b"set-cookie", f"{self.name}={value}{age}{self._rest}{'; Secure' if is_secure else ''}".encode()
