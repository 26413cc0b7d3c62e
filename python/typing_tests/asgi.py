"""What type checkers see of `tenure.asgi` in the places that frameworks have for it. Checked, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, assert_type

import tenure
import tenure.asgi

Message = MutableMapping[str, Any]
App = Callable[[MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any]


class Framework:
    """An app that takes a lifespan as Starlette does."""

    def __init__(self, lifespan: Callable[[Framework], AbstractAsyncContextManager[Any]]) -> None: ...
    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None: ...


@tenure.cache_resource(scope="loop")
async def pool(size: int = 4) -> AsyncIterator[list[int]]:
    yield [size]


@asynccontextmanager
async def own(app: Framework) -> AsyncGenerator[None, None]:
    yield


Framework(lifespan=tenure.asgi.lifespan)
Framework(lifespan=tenure.asgi.lifespan(own))
Framework(lifespan=tenure.asgi.lifespan(warm=[pool, lambda: None], shutdown=True))

app: App = tenure.asgi.Middleware(Framework(own), warm=[pool])
tenure.asgi.Middleware(app, session=tenure.asgi.Cookie("shop", idle="2h"))
tenure.asgi.Middleware(app, session="cookie")
tenure.asgi.Middleware(app, session="page")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tenure.asgi.lifespan(warn=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
tenure.asgi.Cookie(idel=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
tenure.asgi.lifespan(warm=pool)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def main() -> None:
    async with tenure.asgi.lifespan(warm=[pool]):
        assert_type(await pool(), list[int])
    await tenure.asgi.end_session()
