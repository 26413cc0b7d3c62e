"""What type checkers see of async functions, and of those that yield or are entered. Checked, never run."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import TextIO, assert_type

from tenure import cache_resource, end_scope


class Pool:
    async def ping(self) -> bool:
        return True


@cache_resource
async def bare(url: str, *, size: int = 4) -> Pool:
    return Pool()


@cache_resource(ttl="1h", scope="loop", validate=Pool.ping)
async def with_settings(url: str) -> Pool:
    return Pool()


@cache_resource
async def streamed(url: str) -> AsyncIterator[Pool]:
    yield Pool()


@cache_resource(scope="loop")
async def generated(url: str) -> AsyncGenerator[Pool]:
    yield Pool()


@cache_resource(scope="thread")
def yielded(path: str) -> Generator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


# An open file is an iterator, and is returned: `Iterator[T]` says nothing of a yield.
@cache_resource
def opened(path: str) -> TextIO:
    return open(path)


@asynccontextmanager
async def session(url: str) -> AsyncGenerator[Pool]:
    yield Pool()


@cache_resource(enter=True)
async def entered(url: str) -> AbstractAsyncContextManager[Pool]:
    return session(url)


@cache_resource(enter=True, scope=lambda: "a tenant")
def entered_here(path: str) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path))


async def main() -> None:
    assert_type(await bare("a", size=1), Pool)
    assert_type(opened("a"), TextIO)
    assert_type(await with_settings("a"), Pool)
    assert_type(await streamed("a"), Pool)
    assert_type(await generated("a"), Pool)
    assert_type(await entered("a"), Pool)
    assert_type(yielded("a.db"), sqlite3.Connection)
    assert_type(entered_here("a.db"), sqlite3.Connection)
    async with bare.lease("a") as pool:
        assert_type(pool, Pool)
    assert_type(bare.peek("a"), Pool | None)
    bare.clear("a")
    bare.discard(pool)
    assert_type(bare.info().hits, int)
    await bare(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    end_scope("a tenant")
