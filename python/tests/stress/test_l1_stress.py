"""L1, L2, C1, C5, L10, L14 to L17, A1, A3 to A6, D6 under load: every operation on 16 threads at once, with
collections forced at random, and callbacks that call back, block, raise and clear; beside them loops that come and go,
whose callers are cancelled.
The bounded form does 120,000 operations; `TENURE_TESTS=long` does ten million, `TENURE_OPERATIONS` as many as it says.
`TENURE_SEED` repeats the dice of an earlier run, which a failure prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import sys
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator
from typing import Any

import pytest

import tenure
from tenure import CacheCycleError, ScopeError, _native
from world import TestHost, is_quiet, releases, settled

THREADS = 16
LOOPS = 4
#: The operations of one loop, and how many of its tasks share them.
A_LOOP = 200
TASKS = 5
OPERATIONS = int(
    os.environ.get("TENURE_OPERATIONS", 10_000_000 if os.environ.get("TENURE_TESTS") == "long" else 120_000)
)
SEED = int(os.environ.get("TENURE_SEED", random.SystemRandom().randrange(2**32)))
#: What a thread waits for another one at most: they block on each other, and any may be the last.
PATIENCE = 0.002


class Count:
    """Counts from any thread, without a lock that a callback could meet."""

    def __init__(self) -> None:
        self._made: list[None] = []

    def one_more(self) -> None:
        self._made.append(None)

    def __int__(self) -> int:
        return len(self._made)


class Thing:
    """A resource that knows whether it was released."""

    __slots__ = ("__weakref__", "cycle", "is_open", "key")

    def __init__(self, key: int, cyclic: bool) -> None:
        self.key, self.is_open = key, True
        self.cycle = self if cyclic else None


class World:
    """The functions, and what goes on with their resources."""

    def __init__(self, host: TestHost) -> None:
        self.host = host
        self.built, self.released, self.twice = Count(), Count(), Count()
        self.meeting = threading.Event()
        cache = tenure.cache_resource
        self.functions: list[Any] = [
            cache(on_release=self.release)(lambda key: self.build(key)),
            cache(max_entries=3, on_release=self.release, tags=self.tags)(lambda key: self.build(key)),
            cache(ttl=0.005, on_release=self.release)(lambda key: self.build(key)),
            cache(validate=self.validate, on_release=self.release)(lambda key: self.build(key)),
            cache(max_entries=5, ttl=0.02, drain=0.01, validate=self.validate, on_release=self.release)(
                lambda key: self.build(key)
            ),
            cache(scope="session", max_entries=4, on_release=self.release, tags=self.tags)(lambda key: self.build(key)),
            cache(on_release=self.release, max_entries=10, tags=["tag 3"])(lambda key: self.nested(key)),
            cache(ttl=0.005, refresh_mode="background", max_stale=0.02, on_release=self.release)(
                lambda key: self.build(key)
            ),
            cache(ttl=0.01, refresh_mode="ahead", drain=0.01, max_idle=0.02, on_release=self.release)(
                lambda key: self.build(key)
            ),
            cache(weight=self.weigh, max_weight=25, max_idle=0.01, on_release=self.release)(
                lambda key: self.build(key)
            ),
            cache(ttl=self.age, max_stale=0.01, build_timeout=0.001, weight=self.weigh, on_release=self.release)(
                lambda key: self.build(key)
            ),
        ]
        self.async_functions: list[Any] = [
            cache(on_release=self.release, tags=self.tags)(self.build_async),
            cache(max_entries=3)(self.kept),
            cache(ttl=0.005)(self.kept),
            cache(scope="loop", max_entries=4, tags=self.tags)(self.kept),
            cache(drain=0.01, validate=self.validate_async, max_entries=6)(self.kept),
            cache(ttl=0.005, refresh_mode="background", max_stale=0.02)(self.kept),
            cache(ttl=0.01, refresh_mode="ahead", max_idle=0.02, on_release=self.release)(self.build_async),
            cache(weight=self.weigh, max_weight=25, build_timeout=0.001)(self.kept),
        ]

    def build(self, key: int) -> Thing:
        dice = random.random()
        if dice < 0.02:
            raise OSError("a build that fails")
        if dice < 0.025:
            raise SystemExit("a build that dies")
        if dice < 0.03:
            self.block()
        thing = Thing(key, cyclic=dice < 0.1)
        self.built.one_more()
        return thing

    async def build_async(self, key: int) -> Thing:
        for _ in range(random.randrange(3)):
            await asyncio.sleep(0)
        dice = random.random()
        if dice < 0.02:
            raise OSError("a build that fails")
        if dice < 0.05:
            try:
                await random.choice(self.async_functions)((key + 1) % 8)
            except (CacheCycleError, OSError):
                pass
        thing = Thing(key, cyclic=dice < 0.1)
        self.built.one_more()
        return thing

    async def kept(self, key: int) -> AsyncIterator[Thing]:
        thing = await self.build_async(key)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            yield thing
            await asyncio.sleep(0)
            self.release(thing)

    def weigh(self, thing: Thing) -> int:
        return thing.key + 1

    def age(self, thing: Thing) -> float:
        """Now and then none at all."""
        return 0.001 * thing.key

    async def validate_async(self, thing: Thing) -> bool:
        await asyncio.sleep(0)
        return self.validate(thing)

    def nested(self, key: int) -> Thing:
        """Needs others, and now and then one that needs it."""
        for other in random.sample(self.functions, 2):
            try:
                other((key + 1) % 8)
            except (CacheCycleError, OSError, ScopeError):
                pass
        return self.build(key)

    def release(self, thing: Thing) -> None:
        if not thing.is_open:
            self.twice.one_more()
        thing.is_open = False
        self.released.one_more()
        dice = random.random()
        if dice < 0.02:
            self.use(random.choice(self.functions), thing.key)
        elif dice < 0.03:
            random.choice(self.functions).clear()
        elif dice < 0.035:
            self.block()
        elif dice < 0.05:
            raise OSError("a release that fails")

    def validate(self, thing: Thing) -> bool:
        dice = random.random()
        if dice < 0.01:
            self.use(random.choice(self.functions), thing.key)
        elif dice < 0.015:
            self.block()
        elif dice < 0.02:
            raise OSError("a check that fails")
        return dice < 0.95

    def tags(self, key: int) -> list[str]:
        dice = random.random()
        if dice < 0.005:
            raise OSError("tags that nobody knows")
        if dice < 0.01:
            self.use(random.choice(self.functions), key)
        elif dice < 0.015:
            gc.collect()
        return [f"tag {key % 3}", f"own {key}"]

    def block(self) -> None:
        """Waits for another thread that comes here, or gives up."""
        self.meeting.wait(PATIENCE)
        self.meeting.set()
        self.meeting.clear()

    def use(self, function: Any, key: int) -> None:
        try:
            function(key)
        except (OSError, CacheCycleError, ScopeError, SystemExit):
            pass

    def work(self, number: int, operations: int) -> None:
        dice = random.Random(SEED + number)
        held: list[Any] = []
        session = f"session {number % 5}"
        with self.host.serving(session):
            for _ in range(operations):
                function, key = dice.choice(self.functions), dice.randrange(12)
                match dice.randrange(1000):
                    case it if it < 2:
                        function.clear()
                    case it if it < 60:
                        function.clear(key)
                    case it if it < 62:
                        gc.collect()
                    case it if it < 63:
                        tenure.cache_resource.clear()
                    case it if it < 70:
                        _native.end_session(session)
                    case it if it < 73:
                        function.info()
                    case it if it < 75:
                        tenure.clear_tag(f"tag {dice.randrange(4)}")
                    case it if it < 80:
                        self.clear_async(dice, key)
                    case it if it < 90:
                        function.expire(key)
                    case it if it < 92:
                        function.expire()
                    case it if it < 97:
                        with contextlib.suppress(OSError):  # of the tags
                            function.warm([key, (key + 1) % 12])
                    case it if it < 120:
                        self.leased(function, key)
                    case it if it < 200:
                        self.holding(function, key, held)
                    case it if it < 220:
                        held.clear()
                    case _:
                        self.use(function, key)

    def clear_async(self, dice: random.Random, key: int) -> None:
        function = dice.choice(self.async_functions)
        try:
            function.clear(key)
        except ScopeError:
            function.info()

    def work_on_loops(self, number: int, operations: int) -> None:
        dice = random.Random(SEED + THREADS + number)
        for _ in range(operations // A_LOOP):
            asyncio.run(self.on_a_loop(dice))

    async def on_a_loop(self, dice: random.Random) -> None:
        """Ends while some of its tasks go on, or with all of them."""
        tasks = [asyncio.create_task(self.in_a_task(dice, A_LOOP // TASKS)) for _ in range(TASKS)]
        await asyncio.wait(tasks, return_when=dice.choice([asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED]))
        for task in tasks:
            if task.done():
                task.result()

    async def in_a_task(self, dice: random.Random, operations: int) -> None:
        for _ in range(operations):
            function, key = dice.choice(self.async_functions), dice.randrange(12)
            match dice.randrange(100):
                case it if it < 8:
                    function.clear(key)
                case it if it < 9:
                    function.clear()
                case it if it < 12:
                    function.expire(key)
                case it if it < 13:
                    with contextlib.suppress(OSError):  # of the tags
                        function.warm([key])
                case it if it < 20:
                    call = asyncio.create_task(self.use_async(function, key))
                    for _ in range(dice.randrange(4)):
                        await asyncio.sleep(0)
                    call.cancel()
                    await asyncio.wait((call,))
                case it if it < 30:
                    await self.leased_async(function, key)
                case it if it < 35:
                    self.use(dice.choice(self.functions), key)
                case _:
                    await self.use_async(function, key)

    async def use_async(self, function: Any, key: int) -> None:
        try:
            assert (await function(key)).key == key
        except (OSError, CacheCycleError):
            pass

    async def leased_async(self, function: Any, key: int) -> None:
        try:
            async with function.lease(key) as thing:
                function.clear(key)
                await asyncio.sleep(0)
                assert thing.key == key
        except (OSError, CacheCycleError):
            pass

    def leased(self, function: Any, key: int) -> None:
        try:
            with function.lease(key) as thing:
                function.clear(key)
                assert thing.key == key
        except (OSError, CacheCycleError, SystemExit):
            pass

    def holding(self, function: Any, key: int, held: list[Any]) -> None:
        try:
            held.append(function(key))
        except (OSError, CacheCycleError, SystemExit):
            pass


@pytest.mark.stress
@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
def test_l1_under_load_built_is_released(host: TestHost) -> None:
    print(f"TENURE_SEED={SEED} TENURE_OPERATIONS={OPERATIONS}")
    random.seed(SEED)
    logging.getLogger("tenure").disabled = True
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    # What the host is asked is not looked at here, and would be millions of notes for each forced collection to walk.
    host.notes = deque(maxlen=0)
    world = World(host)
    # Infos are summed over functions, so each has to be one of its own.
    assert len({id(function) for function in world.functions}) == len(world.functions)
    threads = [
        threading.Thread(target=world.work, args=(number, OPERATIONS // THREADS), daemon=True)
        for number in range(THREADS)
    ]
    threads += [
        threading.Thread(target=world.work_on_loops, args=(number, OPERATIONS // THREADS), daemon=True)
        for number in range(LOOPS)
    ]
    # Nor are the modules of all tests walked each time.
    gc.freeze()
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(world)
    finally:
        gc.unfreeze()
        sys.setswitchinterval(interval)
        logging.getLogger("tenure").disabled = False


def check(world: World) -> None:
    for session in range(5):
        _native.end_session(f"session {session}")
    # What a release builds is cleared in another round. Drains and orphans are let go by the
    # background thread, which is waited for.
    turn = threading.Event()
    for _ in range(6000):
        gc.collect()
        for function in (*world.functions, *world.async_functions):
            try:
                function.clear()
            except ScopeError:
                _native.end_session("session 0")
        infos = [function.info() for function in (*world.functions, *world.async_functions)]
        is_empty = all(info.entries == info.draining == 0 for info in infos)
        # Nothing was built either while this looked.
        if is_empty and is_quiet() and builds(world) == sum(info.builds for info in infos):
            break
        turn.wait(0.01)
    assert is_quiet()
    assert int(world.twice) == 0
    assert [(info.entries, info.draining, info.waiting) for info in infos] == [(0, 0, 0)] * len(infos)
    assert all(settled(function) for function in (*world.functions, *world.async_functions))
    built, released = int(world.built), int(world.released)
    causes = sum((releases(it) for it in (*world.functions, *world.async_functions)), start=Counter())
    print(f"built {built}, released {released}: {dict(causes)}")
    assert built == released == builds(world)
    counts = _native._inspect()
    assert (counts["flights"], counts["waits"], counts["drains"], counts["sessions"], counts["tags"]) == (0, 0, 0, 0, 0)


def builds(world: World) -> int:
    return sum(function.info().builds for function in (*world.functions, *world.async_functions))
