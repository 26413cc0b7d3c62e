"""What the app keeps: a pool of PostgreSQL connections, an HTTP client, and a model. No framework is named here, so the
same file serves under any.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx

import tenure

SCHEMA = """
create table if not exists orders (id serial primary key, item text not null, pieces int not null);
create table if not exists items (name text primary key);
insert into items values ('clover'), ('poppy'), ('sunflower'), ('cornflower'), ('marigold') on conflict do nothing;
"""


@tenure.cache_resource(scope="loop")
async def pool() -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=8) as pool:
        async with pool.acquire() as connection, connection.transaction():
            # Workers of one server start at the same time.
            await connection.execute("select pg_advisory_xact_lock(4711)")
            await connection.execute(SCHEMA)
        yield pool


@tenure.cache_resource(scope="loop")
async def supplier() -> AsyncIterator[httpx.AsyncClient]:
    url = os.environ.get("SUPPLIER_URL", "http://127.0.0.1:8000/supplier")
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        yield client


class Busy(Exception):
    """The model has enough to do."""


class Model:
    """Tells which item a misspelt word may be, on two threads of its own and for sixteen callers at most."""

    WORKERS = 2
    CALLERS = 16

    def __init__(self, names: list[str]) -> None:
        self._known = {name: _trigrams(name) for name in names}
        self._workers = ThreadPoolExecutor(self.WORKERS, thread_name_prefix="model")
        self._callers = asyncio.Semaphore(self.CALLERS)

    async def suggest(self, word: str) -> str:
        if self._callers.locked():
            raise Busy
        async with self._callers:
            return await asyncio.get_running_loop().run_in_executor(self._workers, self._nearest, word)

    def _nearest(self, word: str) -> str:
        asked = _trigrams(word)
        return max(self._known, key=lambda name: (asked & self._known[name]).total())

    def close(self) -> None:
        self._workers.shutdown()


def _trigrams(word: str) -> Counter[str]:
    padded = f"  {word.lower()} "
    return Counter(padded[at : at + 3] for at in range(len(padded) - 2))


@tenure.cache_resource(scope="loop", ttl="1h", drain="10s")
async def model() -> AsyncIterator[Model]:
    # Built on the pool, so released before it.
    rows = await (await pool()).fetch("select name from items order by name")
    model = Model([row["name"] for row in rows])
    yield model
    await asyncio.to_thread(model.close)
