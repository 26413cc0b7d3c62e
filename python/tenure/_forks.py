"""What a forked child process is told: whether its parent was in a cluster, and what a resource has about it that the
two must not share, as far as that can be told by looking.
"""

from __future__ import annotations

import os
import sys
from itertools import islice
from typing import Any

is_past_cluster = False
"""Whether this process was forked from one that was in a cluster. It stays so: Ray answers no such child."""

MOST = 256
"""So many attributes, or things in a container, are looked at."""

CONNECTION = "both processes would write to the same connection"
LOCK = "one that another thread holds as the process forks is never free in the child"
THREADS = "its threads are not there in the child"
LOOP = "an event loop belongs to one process"
FILE = "both processes would move the same position in the file"
DEVICE = "CUDA does not work in a forked child"

KINDS = {
    "_socket.socket": CONNECTION,
    "asyncpg.connection.Connection": CONNECTION,
    "asyncpg.pool.Pool": CONNECTION,
    "duckdb.DuckDBPyConnection": CONNECTION,
    "_duckdb.DuckDBPyConnection": CONNECTION,
    "grpc.Channel": CONNECTION,
    "http.client.HTTPConnection": CONNECTION,
    "httpx.AsyncClient": CONNECTION,
    "httpx.Client": CONNECTION,
    "MySQLdb.connections.Connection": CONNECTION,
    "multiprocessing.connection._ConnectionBase": CONNECTION,
    "psycopg.AsyncConnection": CONNECTION,
    "psycopg.Connection": CONNECTION,
    "psycopg._connection_base.BaseConnection": CONNECTION,
    "psycopg2.extensions.connection": CONNECTION,
    "psycopg_pool.base.BasePool": CONNECTION,
    "pymongo.mongo_client.MongoClient": CONNECTION,
    "pymongo.synchronous.mongo_client.MongoClient": CONNECTION,
    "pymysql.connections.Connection": CONNECTION,
    "redis.client.Redis": CONNECTION,
    "redis.connection.ConnectionPool": CONNECTION,
    "requests.sessions.Session": CONNECTION,
    "sqlalchemy.engine.base.Connection": CONNECTION,
    "sqlalchemy.engine.base.Engine": CONNECTION,
    "sqlite3.Connection": CONNECTION,
    "urllib3.poolmanager.PoolManager": CONNECTION,
    "_thread.RLock": LOCK,
    "_thread.lock": LOCK,
    "threading._RLock": LOCK,
    "threading.Condition": LOCK,
    "threading.Event": LOCK,
    "threading.Semaphore": LOCK,
    "threading.Barrier": LOCK,
    "queue.Queue": LOCK,
    "_queue.SimpleQueue": LOCK,
    "concurrent.futures._base.Executor": THREADS,
    "multiprocessing.pool.Pool": THREADS,
    "threading.Thread": THREADS,
    "asyncio.events.AbstractEventLoop": LOOP,
}
"""The classes of the standard library and of the drivers that people have, each with what is wrong with sharing it."""

FILES = {"_io.FileIO", "_io.BufferedReader", "_io.BufferedWriter", "_io.BufferedRandom", "_io.TextIOWrapper"}


def warning(function: str, resource: object) -> str | None:
    """The warning for what a function gave that has `fork="keep"`, if there is anything to warn of."""
    found = _fault(resource)
    where = ""
    if found is None:
        for place, part in islice(_parts(resource), MOST):
            found = _fault(part)
            if found is not None:
                where = f" ({place} of a {_name(type(resource))})"
                break
    if found is None:
        return None
    kind, why = found
    return (
        f'{function} has fork="keep", and gave a {kind}{where}. A forked child process must not share that with its '
        f'parent: {why}. Write fork="drop" or leave fork out, and each process builds its own'
    )


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _fault(thing: object) -> tuple[str, str] | None:
    """The name of the thing's class, and what is wrong with sharing it."""
    names = [_name(kind) for kind in type(thing).__mro__]
    for name in names:
        if name in KINDS:
            return names[0], KINDS[name]
        if name in FILES and not _is_closed(thing):
            return names[0], FILE
    return (names[0], DEVICE) if _is_on_device(thing) else None


def _is_closed(file: Any) -> bool:
    try:
        return bool(file.closed)
    except ValueError:  # it has no file behind it any more
        return True


def _is_on_device(thing: Any) -> bool:
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    if isinstance(thing, torch.nn.Module):
        return any(tensor.is_cuda for tensor in thing.parameters())
    return isinstance(thing, torch.Tensor) and bool(thing.is_cuda)


def _parts(thing: Any) -> Any:
    """The attributes of an object and the things in a container, with words for where each is. Runs no code of it."""
    if type(thing) is dict:
        yield from ((f"the value under {key!r:.40}", part) for key, part in list(thing.items()))
    elif type(thing) in (list, tuple, set, frozenset):
        yield from (("an element", part) for part in list(thing))
    try:
        attributes = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        attributes = {}
    if type(attributes) is dict:
        yield from ((f"the attribute {name}", part) for name, part in list(attributes.items()))
    for kind in type(thing).__mro__:
        for name, slot in list(vars(kind).items()):
            if type(slot) is MEMBER:
                try:
                    yield f"the attribute {name}", slot.__get__(thing)
                except AttributeError:
                    continue


def _after_fork() -> None:
    global is_past_cluster
    is_initialized = getattr(sys.modules.get("ray"), "is_initialized", None)
    is_past_cluster = is_past_cluster or (is_initialized is not None and is_initialized())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Slotted:
    __slots__ = ("slot",)


MEMBER = type(_Slotted.__dict__["slot"])
"""The class of what stands for a slot in a class."""
