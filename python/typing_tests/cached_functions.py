"""What type checkers see of a decorated function: its own signature, and what Tenure adds. Checked, never run."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import assert_type

import tenure
from tenure import cache_resource


@cache_resource
def bare(path: str, *, timeout: float = 5.0) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout)


@cache_resource(ttl=timedelta(hours=1), max_entries=8, scope="session", on_release=sqlite3.Connection.close)
def with_settings(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path)


def plain(number: int) -> list[int]:
    return [number]


called = cache_resource(plain, ttl="1h23s", validate=lambda numbers: len(numbers) == 1)

assert_type(bare("a.db"), sqlite3.Connection)
assert_type(bare("a.db", timeout=1.0), sqlite3.Connection)
assert_type(with_settings("a.db"), sqlite3.Connection)
assert_type(called(1), list[int])

bare(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
bare()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@cache_resource(scope="cluster", ray_options={"num_gpus": 1, "resources": {"fast_disk": 1}}, max_idle="10m")
def far(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name)


# What callers get is a handle; it is typed as what it stands for.
assert_type(far("a"), sqlite3.Connection)

cache_resource(on_relase=print)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
cache_resource(scope="page")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]

with bare.lease("a.db") as connection:
    assert_type(connection, sqlite3.Connection)

bare.clear()
bare.clear("a.db", timeout=1.0)
bare.discard(bare("a.db"))
assert_type(bare.peek("a.db", timeout=1.0), sqlite3.Connection | None)
bare.peek(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def outgrown(numbers: list[int], info: tenure.EntryInfo) -> bool:
    assert_type(info.age, float)
    assert_type(info.hits, int)
    return len(numbers) > 8


assert_type(called.clear_if(outgrown), int)
assert_type(called.clear_if(lambda numbers, info: sum(numbers) > info.age), int)
bare.clear_if(outgrown)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
bare.clear_if(lambda connection: True)  # type: ignore[arg-type,misc]  # pyright: ignore[reportArgumentType]


def close(connection: sqlite3.Connection, cause: str) -> None:
    print(cause)
    connection.close()


def close_by_number(connection: sqlite3.Connection, cause: int) -> None: ...


def opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path)


def of_path(path: str) -> tuple[str, ...]:
    return (path,)


assert_type(cache_resource(opened, on_release=close)("a.db"), sqlite3.Connection)
assert_type(cache_resource(on_release=close)(opened)("a.db"), sqlite3.Connection)
assert_type(cache_resource(opened, on_release=lambda connection, cause: None)("a.db"), sqlite3.Connection)
assert_type(cache_resource(opened, on_release=lambda connection: None)("a.db"), sqlite3.Connection)
assert_type(cache_resource(opened, keep_if=lambda it: it.in_transaction)("a.db"), sqlite3.Connection)
cache_resource(opened, on_release=close_by_number)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
cache_resource(opened, keep_if=len)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
cache_resource.clear()
assert_type(cache_resource(opened, tags=["billing"])("a.db"), sqlite3.Connection)
assert_type(cache_resource(opened, tags=lambda path: {path, "all"})("a.db"), sqlite3.Connection)
assert_type(cache_resource(tags=of_path)(opened)("a.db"), sqlite3.Connection)
cache_resource(opened, tags="billing")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
cache_resource(opened, tags=lambda path: path)  # type: ignore[arg-type,return-value]  # pyright: ignore[reportCallIssue, reportArgumentType]
cache_resource(opened, tags=lambda: ["all"])  # type: ignore[arg-type,misc]  # pyright: ignore[reportCallIssue, reportArgumentType]
tenure.clear_tag("billing")
tenure.clear_tag(["billing"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
assert_type(bare.info().hits, int)
assert_type(bare.info().releases, dict[str, int])
assert_type(bare.__wrapped__("a.db"), sqlite3.Connection)


class Store:
    @cache_resource
    def table(self, name: str) -> dict[str, int]:
        return {name: 1}

    @cache_resource(max_entries=1)
    def index(self) -> list[str]:
        return []


store = Store()
assert_type(store.table("users"), dict[str, int])
assert_type(store.index(), list[str])
store.table.clear("users")
assert_type(store.table.peek("users"), dict[str, int] | None)
assert_type(store.table.clear_if(lambda table, info: "users" in table), int)
store.table(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

tenure.configure(drain="2s", session_grace=timedelta(seconds=30))

cache_resource(plain, refresh_mode="foreground", max_entries=5, show_spinner="Loading", show_time=True)
cache_resource(refresh_mode="never")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
