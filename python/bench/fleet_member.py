"""A process of the fleet that is measured: does what it reads, line by line, and answers with a line.

    python fleet_member.py PEER URL

`hits SECONDS` gives the seconds of one hit; `clear` clears and gives when it began; `clears SECONDS` clears one key a
thousand times a second for that long and gives how often; `keep` has the resource again. When it loses the resource to
another member's clear it says so by itself: "lost" and the time, in nanoseconds of the clock that all processes share.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from loops import Loop, await_loop, call_loop, empty_loop, quiet, turns_for

NAME = "sqlite:///a.db"
OTHER = "sqlite:///b.db"
SECRET = "what the benchmark shares with itself"
HOUR = 3600


def lost(*_: object) -> None:
    print("lost", time.monotonic_ns(), flush=True)


class OfTenure:
    """A function whose clears all members hear; one of a process alone where there is no server."""

    def __init__(self, url: str) -> None:
        import tenure

        if url != "none":
            tenure.configure(fleet=url, fleet_secret=SECRET)
        self._clears = False
        self._function = tenure.cache_resource(show_spinner=False, on_release=self._released)(resource)

    def _released(self, _: list[str]) -> None:
        if not self._clears:
            lost()

    def loop(self) -> Loop:
        return call_loop(self._function, {"name": NAME})

    def keep(self) -> None:
        assert self._function(NAME) == [NAME]

    def clear(self, name: str = NAME) -> None:
        self._clears = True
        self._function.clear(name)
        self._clears = False


def resource(name: str) -> list[str]:
    return [name]


class OnLoop:
    """A cache that lives on a loop, which another thread runs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return done.result()

    def loop(self) -> Loop:
        return await_loop(self.run, self.get, {"name": NAME})

    get: Callable[[str], Awaitable[Any]]


class OfCashews(OnLoop):
    """cashews with its client-side cache: values in Redis, copies in the process, invalidated by the server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        import cashews
        from cashews.backends.memory import Memory

        class Told(Memory):
            """The copies, which tell when one that is there goes."""

            async def delete(self, key: str) -> bool:
                if await self.exists(key):
                    lost()
                return await super().delete(key)

        cache = self._cache = cashews.Cache()
        cache.setup(url, client_side=True, local_cache=Told())

        @cache(ttl=HOUR, key="{name}")
        async def get(name: str) -> list[str]:
            return resource(name)

        self.get = get
        self.run(cache.init())

    def keep(self) -> None:
        assert self.run(self.get(NAME)) == [NAME]

    def clear(self, name: str = NAME) -> None:
        self.run(self._cache.delete(name))


class OfAiocache(OnLoop):
    """aiocache on Redis: every hit asks the server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        import aiocache
        from aiocache.serializers import PickleSerializer

        host, _, port = url.removeprefix("redis://").partition(":")
        options = {"endpoint": host, "port": int(port), "serializer": PickleSerializer()}

        @aiocache.cached(ttl=HOUR, cache=aiocache.Cache.REDIS, **options)
        async def get(name: str) -> list[str]:
            return resource(name)

        self.get = get

    def keep(self) -> None:
        assert self.run(self.get(NAME)) == [NAME]


PEERS: dict[str, Callable[[str], Any]] = {"tenure": OfTenure, "cashews": OfCashews, "aiocache": OfAiocache}


def main() -> None:
    """Does as it is told."""
    member = PEERS[sys.argv[1]](sys.argv[2])
    member.keep()
    hit = member.loop()
    print("ready", flush=True)
    for line in sys.stdin:
        do, *arguments = line.split()
        if do == "keep":
            member.keep()
            print("kept", flush=True)
        elif do == "hits":
            print(_hits(hit, float(arguments[0])), flush=True)
        elif do == "clear":
            begun = time.monotonic_ns()
            member.clear()
            print(begun, flush=True)
        elif do == "clears":
            print(_clears(member.clear, float(arguments[0])), flush=True)


def _hits(hit: Loop, seconds: float) -> float:
    empty = empty_loop()
    turns = turns_for(hit, seconds)
    return (quiet(lambda: hit(turns)) - empty(turns)) / turns


def _clears(clear: Callable[[str], None], seconds: float) -> int:
    """Clears what the others do not keep, each a millisecond after the last, or as fast as it can."""
    begun, done = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        if done <= passed * 1000:
            clear(OTHER)
            done += 1
        else:
            time.sleep(max(0.0, done / 1000 - passed))
    return done


if __name__ == "__main__":
    main()
