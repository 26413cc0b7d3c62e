"""Baskets: a resource of each session, in the ledger under what has been put in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import tenure
from world import Ledger

ledger = Ledger()


@tenure.cache_resource(scope="session")
def basket() -> Iterator[list[str]]:
    things: list[str] = []
    thing = ledger.build(things)
    yield things
    ledger.release(thing)


@tenure.cache_resource(scope="session")
async def async_basket() -> AsyncIterator[list[str]]:
    """A basket that is built on another one of its session, in a task that the framework has not begun."""
    yield basket()
