"""What the tests of clusters share: a ledger that all processes write to, and functions whose resources are there."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable

import ray

import tenure

LOST = 120.0
"""What a test waits for at most before it says that something hangs."""

HERE = {"num_cpus": 0}
"""What an actor needs that may be anywhere."""

ON_SECOND = {"num_cpus": 0, "resources": {"second": 0.01}}


class Ledger:
    """What happened in all processes, in order, and gates that hold them until the test opens them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.gates: set[str] = set()
        self.changed = asyncio.Condition()

    async def note(self, line: str) -> None:
        async with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    async def read(self) -> list[str]:
        return list(self.lines)

    async def forget(self) -> None:
        self.lines.clear()
        self.gates.clear()

    async def reached(self, line: str, count: int = 1) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.lines.count(line) >= count)

    async def open(self, gate: str) -> None:
        async with self.changed:
            self.gates.add(gate)
            self.changed.notify_all()

    async def close(self, gate: str) -> None:
        self.gates.discard(gate)

    async def is_open(self, gate: str) -> bool:
        return gate in self.gates

    async def passed(self, gate: str) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: gate in self.gates)


def ledger():
    return ray.get_actor("ledger", namespace="tests")


def note(line: str) -> None:
    ray.get(ledger().note.remote(line))


def lines() -> list[str]:
    return ray.get(ledger().read.remote())


def counted() -> Counter[str]:
    return Counter(lines())


def reached(line: str, count: int = 1) -> None:
    """Waits until this has happened so often."""
    ray.get(ledger().reached.remote(line, count), timeout=LOST)


def open_gate(gate: str) -> None:
    ray.get(ledger().open.remote(gate))


def pass_gate(gate: str) -> None:
    ray.get(ledger().passed.remote(gate))


def is_open(gate: str) -> bool:
    return ray.get(ledger().is_open.remote(gate))


def actors() -> list[str]:
    """The names of the actors that hold something of Tenure's."""
    return [it["name"] for it in ray.util.list_named_actors(all_namespaces=True) if it["namespace"] == "tenure"]


def until(is_so: Callable[[], bool]) -> None:
    """Waits for what Ray tells nobody."""
    end = time.monotonic() + LOST
    while not is_so():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def call_until_it_fails(handle) -> None:
    """Calls on, since nobody tells when an actor's end has come to be known here."""
    until(lambda: handle.add(1) is None)


def released(thing, cause: str) -> None:
    note(f"released {thing.name}: {cause}")


class Thing:
    """A resource that says what becomes of it."""

    kind = "thing"

    def __init__(self, name: str) -> None:
        self.name = name
        self.items = {"a": 1}
        self.part = threading.Lock()
        note(f"built {name}")

    def add(self, one: int, *, other: int = 0) -> int:
        return one + other

    def node(self) -> str:
        return ray.get_runtime_context().get_node_id()

    def process(self) -> int:
        return os.getpid()

    def itself(self) -> Thing:
        return self

    def held(self, gate: str) -> str:
        note(f"held {gate}")
        pass_gate(gate)
        return self.name

    def fail(self) -> None:
        raise Broken("a valve", 7)

    def count(self, until: int):
        try:
            yield from range(until)
        finally:
            note(f"counted {self.name}")

    def counter(self):
        return (it for it in range(3))

    def lock(self):
        return self.part

    def locks(self):
        yield 1
        yield self.part

    async def locks_late(self):
        return [self.part]

    async def doubled(self, number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def ticks(self, until: int):
        for it in range(until):
            yield it

    async def waits(self, tag: str) -> None:
        note(f"began {tag}")
        try:
            await asyncio.Event().wait()
        finally:
            note(f"stopped {tag}")

    async def endless(self, tag: str):
        note(f"began {tag}")
        try:
            yield tag
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            note(f"stopped {tag}")

    def steady(self, tag: str):
        try:
            while True:
                yield tag
        finally:
            note(f"stopped {tag}")

    def refuses(self) -> None:
        raise Refused(404, "not there")

    async def refuses_later(self) -> None:
        raise Refused(404, "not there")

    def refuses_within(self):
        yield 1
        raise Refused(404, "not there")

    def fails_together(self) -> None:
        raise ExceptionGroup("both", [ValueError(1), KeyError(2)])

    @property
    def refusal(self) -> None:
        raise Refused(404, "not there")

    def exits(self, error: BaseException) -> None:
        raise error

    async def exits_later(self, error: BaseException) -> None:
        raise error

    def exits_within(self, error: BaseException):
        yield 1
        raise error

    @property
    def title(self) -> str:
        return self.name.title()

    def __call__(self, text: str) -> str:
        return f"{self.name} {text}"

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: str) -> int:
        return self.items[key]

    def __setitem__(self, key: str, value: int) -> None:
        self.items[key] = value

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def __iter__(self):
        return iter(self.items)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        pass


class Broken(Exception):
    """What a thing raises, which is made of two."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(what, number)
        self.number = number


class Refused(Exception):
    """What is not made again from its arguments, and holds what stays in its process."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.part = threading.Lock()


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released, show_spinner=False)
def thing(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(scope="cluster", ray_options=ON_SECOND, on_release=released, show_spinner=False)
def thing_there(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released, drain="1h", show_spinner=False)
def drained(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(
    scope="cluster",
    ray_options=HERE,
    on_release=released,
    validate=lambda it: not is_open("broken"),
    show_spinner=False,
)
def validated(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released, max_idle=0.2, show_spinner=False)
def idle(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(
    scope="cluster",
    ray_options=HERE,
    on_release=released,
    weight=lambda it: 10,
    max_weight=5,
    show_spinner=False,
)
def too_heavy(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
def torn_down(name: str):
    made = Thing(name)
    yield made
    note(f"torn down {name}")


@tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
def failing(name: str) -> Thing:
    note(f"tried {name}")
    if not is_open("repaired"):
        raise Broken("a build", 1)
    return Thing(name)


@tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
def exiting(name: str) -> Thing:
    note(f"tried {name}")
    raise SystemExit(f"no {name}")


@tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
def refused(name: str) -> Thing:
    raise Refused(404, name)


class Shop:
    """A class with a method whose resource lives in the cluster."""

    @tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
    def thing(_self, name: str) -> Thing:
        return Thing(name)


class Client:
    """A resource of an async program."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def ask(self, number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    def plain(self) -> str:
        return self.name

    async def clear_all(self) -> str:
        tenure.cache_resource.clear()
        return "cleared"

    async def held(self) -> None:
        try:
            await ledger().note.remote("held")
            await asyncio.Event().wait()
        finally:
            ledger().note.remote("cancelled")

    async def count(self, until: int):
        for it in range(until):
            yield it

    async def endless(self, tag: str):
        try:
            yield tag
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ledger().note.remote(f"stopped {tag}")

    def steady(self, tag: str):
        try:
            while True:
                yield tag
        finally:
            ledger().note.remote(f"stopped {tag}")

    def exits(self, error: BaseException) -> None:
        raise error

    async def exits_later(self, error: BaseException) -> None:
        raise error

    async def exits_within(self, error: BaseException):
        yield 1
        raise error

    async def fail(self) -> None:
        raise Broken("a pipe", 8)

    def __len__(self) -> int:
        return 2


async def released_async(client: Client, cause: str) -> None:
    await ledger().note.remote(f"released {client.name}: {cause}")


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released_async, show_spinner=False)
async def client(name: str) -> Client:
    await ledger().note.remote(f"built {name}")
    return Client(name)


@tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0, "max_concurrency": 1}, show_spinner=False)
async def narrow(name: str) -> Client:
    return Client(name)


@tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
async def exiting_async(name: str) -> Client:
    await ledger().note.remote(f"tried {name}")
    raise SystemExit(f"no {name}")


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released, tags=["things"], show_spinner=False)
def tagged(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(
    scope="cluster",
    ray_options=HERE,
    on_release=released,
    tags=lambda name: [f"thing:{name}"],
    show_spinner=False,
)
def tagged_each(name: str) -> Thing:
    return Thing(name)


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released, tags=["slow things"], show_spinner=False)
def slow_tagged(name: str) -> Thing:
    note(f"builds {name}")
    pass_gate("slow")
    return Thing(name)


def released_slowly(thing: Thing) -> None:
    note(f"releases {thing.name}")
    pass_gate("release")
    note(f"released {thing.name}")


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released_slowly, show_spinner=False)
def slow_to_go(name: str) -> Thing:
    return Thing(name)


class Clearing(Thing):
    """A resource that clears everything, itself included."""

    def clear_all(self) -> str:
        tenure.cache_resource.clear()
        return "cleared"


@tenure.cache_resource(scope="cluster", ray_options=HERE, on_release=released, show_spinner=False)
def clearing(name: str) -> Clearing:
    return Clearing(name)


@tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
def failing_there(name: str) -> Thing:
    note(f"tried {name} in {os.getpid()}")
    if not is_open("repaired"):
        raise Broken("a build", 1)
    return Thing(name)


class Bare:
    """A resource with nothing to be set."""

    def __init__(self) -> None:
        self._hidden = 1


@tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
def bare(name: str) -> Bare:
    return Bare()
