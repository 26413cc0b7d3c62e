"""V4: for an entry that does not go, who holds it: told by places, and with none of the program's own code."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import sqlite3
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tenure
from tenure import Held

KEPT_HERE: list[Any] = []
NUMBERS = itertools.count()


class Connection:
    """A resource whose own code must not run."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)

    def __repr__(self) -> str:
        raise AssertionError

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = object.__hash__


class Session:
    """A holder of a connection."""

    pool: Any

    @property
    def __class__(self) -> Any:
        raise AssertionError


class Watchful(type):
    """A metaclass whose own code must not run."""

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(name)


class Slotted:
    """A holder of one in a slot."""

    __slots__ = ("own",)


@pytest.fixture(autouse=True)
def nothing_is_set_apart() -> Iterator[None]:
    """Makes the collector see all objects: the tests' own `gc.freeze()` hides those that were there before."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.fixture
def connect() -> Iterator[Any]:
    def held_connect() -> Connection:
        return Connection()

    # Another function for each test: what drains of the last one's is none of this one's.
    held_connect.__qualname__ = f"held_connect_{next(NUMBERS)}"
    cached = tenure.cache_resource(drain="1h")(held_connect)
    yield cached
    KEPT_HERE.clear()
    cached.clear()


def told(function: Any) -> tuple[Held, list[str]]:
    """The one resource that there is, and who holds it, but for frames of the test itself."""
    [held] = tenure.holders(function)
    return held, [it for it in held.by if "extension code" not in it and "which runs" not in it]


def in_a_list(connect: Any) -> Any:
    KEPT_HERE.append(connect())
    return f"an item of a list, in variable `KEPT_HERE` of module {__name__}"


def in_an_attribute(connect: Any) -> Any:
    session = Session()
    object.__setattr__(session, "pool", connect())
    KEPT_HERE.append(session)
    return (
        f"attribute `pool` of a {__name__}.Session, in an item of a list, in variable `KEPT_HERE` of module {__name__}"
    )


def in_a_slot(connect: Any) -> Any:
    slotted = Slotted()
    slotted.own = connect()
    KEPT_HERE.append(slotted)
    return (
        f"attribute `own` of a {__name__}.Slotted, in an item of a list, in variable `KEPT_HERE` of module {__name__}"
    )


def in_a_class_with_code_of_its_own(connect: Any) -> Any:
    holder = Watchful("Holder", (), {})()
    object.__setattr__(holder, "pool", connect())
    KEPT_HERE.append(holder)
    return (
        f"attribute `pool` of a {__name__}.Holder, in an item of a list, in variable `KEPT_HERE` of module {__name__}"
    )


def in_a_method_made_by_hand(connect: Any) -> Any:
    KEPT_HERE.append(types.MethodType(functools.partial(id), connect()))
    return f"a method of it, functools.partial, in an item of a list, in variable `KEPT_HERE` of module {__name__}"


def in_a_class(connect: Any) -> Any:
    KEPT_HERE.append(type("Settings", (), {"shared": connect()}))
    return "attribute `shared` of class Settings"


def in_a_dict(connect: Any) -> Any:
    KEPT_HERE.append({"first": connect()})
    return f"`first` of a dict, in an item of a list, in variable `KEPT_HERE` of module {__name__}"


def in_a_closure(connect: Any) -> Any:
    def made() -> Callable[[], Any]:
        own = connect()
        return lambda: own

    KEPT_HERE.append(made())
    return "a variable of the closure of in_a_closure.<locals>.made.<locals>.<lambda>"


def in_a_default(connect: Any) -> Any:
    def handler(*, own: Any = connect()) -> None:
        pass

    KEPT_HERE.append(handler)
    return "`own` of a dict, in a default of function in_a_default.<locals>.handler"


def in_a_generator(connect: Any) -> Any:
    def rows() -> Iterator[None]:
        own = connect()
        yield
        del own

    KEPT_HERE.append(rows())
    next(KEPT_HERE[-1])
    return f"a local variable of in_a_generator.<locals>.rows at {__file__}:"


def in_a_coroutine(connect: Any) -> Any:
    async def handle() -> None:
        own = connect()
        await asyncio.sleep(0)
        del own

    KEPT_HERE.append(handle())
    KEPT_HERE[-1].send(None)
    return f"a local variable of in_a_coroutine.<locals>.handle at {__file__}:"


def in_a_lease(connect: Any) -> Any:
    session = Session()
    lease = connect.lease()
    lease.__enter__()
    object.__setattr__(session, "lease", lease)
    KEPT_HERE.append(session)
    return (
        f"a lease, in attribute `lease` of a {__name__}.Session, in an item of a list, in variable `KEPT_HERE` of "
        f"module {__name__}"
    )


def in_a_block_of_a_generator(connect: Any) -> Any:
    def rows() -> Iterator[None]:
        with connect.lease():
            yield

    KEPT_HERE.append(rows())
    next(KEPT_HERE[-1])
    return f"a lease, in a local variable of in_a_block_of_a_generator.<locals>.rows at {__file__}:"


def in_a_traceback(connect: Any) -> Any:
    def fails() -> None:
        own = connect()
        raise ValueError(own is not None)

    try:
        fails()
    except ValueError as error:
        KEPT_HERE.append(error)
    return f"a local variable of in_a_traceback.<locals>.fails at {__file__}:"


@pytest.mark.parametrize(
    "keep",
    [
        in_a_list,
        in_an_attribute,
        in_a_slot,
        in_a_class_with_code_of_its_own,
        in_a_method_made_by_hand,
        in_a_class,
        in_a_dict,
        in_a_closure,
        in_a_default,
        in_a_generator,
        in_a_coroutine,
        in_a_lease,
        in_a_block_of_a_generator,
        in_a_traceback,
    ],
)
@pytest.mark.parametrize("is_cleared", [False, True])
def test_v4_who_holds_a_resource_is_told_by_its_place(connect: Any, keep: Any, is_cleared: bool) -> None:
    expected = keep(connect)
    if is_cleared:
        connect.clear()
    held, by = told(connect)
    assert (held.state, held.cause) == (("draining", "cleared") if is_cleared else ("kept", None))
    assert held.resource == f"{__name__}.Connection"
    assert held.uses == 1
    [line] = by
    assert line.startswith(expected), line
    assert held.leases == (keep in (in_a_lease, in_a_block_of_a_generator))
    if keep in (in_a_generator, in_a_coroutine, in_a_block_of_a_generator):
        for it in KEPT_HERE:
            it.close()


def test_v4_what_a_running_function_holds_is_told_too(connect: Any) -> None:
    has_it, may_end = threading.Event(), threading.Event()

    def serve() -> None:
        own = connect()
        has_it.set()
        may_end.wait()
        del own

    server = threading.Thread(target=serve)
    server.start()
    has_it.wait()
    try:
        [held] = tenure.holders(connect)
    finally:
        may_end.set()
        server.join()
    [line] = held.by
    place = f"{serve.__qualname__} at {__file__}:"
    if sys.version_info >= (3, 13):
        assert line.startswith(f"local variable `own` of {place}"), line
    else:
        assert line.startswith("1 reference by extension code, or by local variables of functions that run: "), line
        assert place in line


def test_v4_a_look_at_who_holds_a_resource_holds_it_no_longer(connect: Any) -> None:
    KEPT_HERE.append(connect())
    [held] = tenure.holders(connect)
    connect.clear()
    assert connect.info().draining == 1
    KEPT_HERE.clear()
    assert [it.uses for it in tenure.holders(connect)] in ([], [0])
    assert held.by
    assert not any(isinstance(it, Connection) for it in gc.get_referents(held))


def test_v4_leases_are_counted_and_text_is_a_line_for_each(connect: Any) -> None:
    with connect.lease() as resource:
        KEPT_HERE.append(resource)
        del resource
        [held] = tenure.holders(connect)
    assert held.leases == 1
    first, *lines = str(held).splitlines()
    assert first.startswith(f"a {__name__}.Connection, built 0 s ago, is kept, ")
    assert first.endswith(", 1 lease:")
    assert [f"  {it}" for it in held.by] == lines
    KEPT_HERE.clear()
    with connect.lease():
        [held] = tenure.holders(connect)
    assert (held.leases, held.by) == (1, ())  # A block that runs has no name.
    assert str(held).endswith(", 1 lease, held by nobody else")


def test_v4_all_of_them_are_a_tuple_whose_text_has_the_lines_of_each(connect: Any) -> None:
    assert (tenure.holders(connect), str(tenure.holders(connect))) == (
        (),
        "nothing is kept, and nothing that was kept is still in use",
    )
    KEPT_HERE.append(connect())
    connect.clear()
    KEPT_HERE.append(connect())
    found = tenure.holders(connect)
    assert isinstance(found, tuple)
    assert len(found) == 2
    assert str(found) == "\n".join(str(held) for held in found)


def test_v4_a_cached_method_tells_of_all_instances() -> None:
    class Shop:
        @tenure.cache_resource(hash_funcs={object: id})
        def held_rows(self, number: int) -> list[int]:
            return [number]

    shop = Shop()
    rows = [shop.held_rows(1), shop.held_rows(2)]
    assert len(tenure.holders(shop.held_rows)) == len(rows) == 2
    shop.held_rows.clear()


def test_v4_what_the_collector_cannot_see_is_counted(connect: Any) -> None:
    KEPT_HERE.append(connect())
    gc.freeze()
    [held] = tenure.holders(connect)
    assert held.by[-1].startswith("1 reference by extension code, or by objects that gc.freeze() has set apart")


def test_v4_nothing_that_is_kept_is_held_by_nobody(connect: Any) -> None:
    connect()
    [held] = tenure.holders(connect)
    assert (held.uses, held.by) == (0, ())
    assert tenure.holders(connect)[0].state == "kept"


def test_v4_who_asks_for_what_is_no_cached_function_is_told_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"takes a cached function, not list\. Example: tenure\.holders\(pool\)"):
        tenure.holders([])


def test_v4_a_part_of_the_resource_is_no_holder_of_it() -> None:
    """A connection of SQLite has a cache of statements, which has the connection."""

    @tenure.cache_resource(on_release=sqlite3.Connection.close)
    def held_database() -> sqlite3.Connection:
        return sqlite3.connect(":memory:", check_same_thread=False)

    held_database()
    [held] = tenure.holders(held_database)
    assert (held.uses, held.by) == (0, ())
    assert str(held).endswith("is kept, 0 uses, held by nobody")
    KEPT_HERE.append(held_database())
    [held] = tenure.holders(held_database)
    assert held.by == (f"an item of a list, in variable `KEPT_HERE` of module {__name__}",)
    KEPT_HERE.clear()
    held_database.clear()


def test_v4_each_of_several_references_of_one_holder_is_told(connect: Any) -> None:
    """V4: none is taken for one of extension code."""
    pool = connect()
    session, slotted = Session(), Slotted()
    for name in ("pool", "spare"):
        object.__setattr__(session, name, pool)
    slotted.own = pool
    KEPT_HERE.extend([[pool, pool, pool], {"first": pool, "second": pool}, session, slotted])
    del pool, session, slotted
    held, by = told(connect)
    kept = f"in an item of a list, in variable `KEPT_HERE` of module {__name__}"
    assert sorted(by) == sorted(
        [
            f"an item of a list, {kept}",
            f"`first` and `second` of a dict, {kept}",
            f"attribute `pool` and `spare` of a {__name__}.Session, {kept}",
            f"attribute `own` of a {__name__}.Slotted, {kept}",
        ]
    )
    assert held.uses == 8
    assert not any("extension code" in it for it in held.by)
