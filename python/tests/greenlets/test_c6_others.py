"""C6 with eventlet, under SQLAlchemy's greenlets, and with greenlets that nothing runs but the program itself."""

from __future__ import annotations

import pytest
from running import needs, run

EVENTLET = """
import eventlet
from eventlet.event import Event
from eventlet.patcher import original

def until(is_so):
    while not is_so():
        eventlet.sleep(0.001)   # with 0 the loop takes the interpreter again before a real thread has woken up

def waiting(function, count):
    until(lambda: function.info().waiting == count)
"""

eventlets = pytest.mark.parametrize(
    "first", ["", "import eventlet; eventlet.monkey_patch()\n"], ids=["plain", "patched"]
)


@needs("eventlet")
@eventlets
def test_c6_eventlet(first: str) -> None:
    run(
        EVENTLET
        + """
gates = {name: Event() for name in "xyz"}

@tenure.cache_resource
def thing(name):
    gates[name].wait()
    return Thing(name)

callers = [eventlet.spawn(thing, name) for name in "xyzxyz"]
waiting(thing, 3)
ran = []
eventlet.spawn(ran.append, 1).wait()
for name in "xzy":
    gates[name].send()
got = [caller.wait().name for caller in callers]
assert got == list("xyzxyz") and sorted(built) == list("xyz") and ran == [1]

# A wait can be ended from outside, and a builder that is killed hands on.
gates["k"] = Event()
builder = eventlet.spawn(thing, "k")
until(lambda: thing.info().misses > 6)
def hurried():
    with eventlet.Timeout(0.001):
        thing("k")
try:
    eventlet.spawn(hurried).wait()
except eventlet.Timeout:
    pass
else:
    raise AssertionError("the wait went on")
heir = eventlet.spawn(thing, "k")
waiting(thing, 1)
builder.kill()
gates["k"].send()
assert heir.wait().name == "k"

# A build by a real thread.
threading_ = original("threading")
began, go_on = threading_.Event(), threading_.Event()

@tenure.cache_resource
def elsewhere():
    began.set(); go_on.wait()
    return Thing("elsewhere")

thread = threading_.Thread(target=elsewhere)
thread.start()
until(began.is_set)
callers = [eventlet.spawn(elsewhere) for _ in range(2)]
waiting(elsewhere, 2)
go_on.set()
assert callers[0].wait() is callers[1].wait()
thread.join()
""",
        first=first,
    )


SQLALCHEMY = """
import asyncio
from sqlalchemy.util import greenlet_spawn, await_only

async def waiting(function, count):
    while function.info().waiting != count:
        await asyncio.sleep(0)
"""


def test_c6_under_sqlalchemys_greenlets_builds_overlap() -> None:
    run(
        SQLALCHEMY
        + """
gates = {}

@tenure.cache_resource
def thing(name):
    await_only(gates[name].wait())
    return Thing(name)

async def main():
    gates.update({name: asyncio.Event() for name in "xyz"})
    calls = [asyncio.ensure_future(greenlet_spawn(thing, name)) for name in "xyzxyz"]
    await waiting(thing, 3)
    for name in "xzy":
        gates[name].set()
    got = await asyncio.gather(*calls)
    assert [it.name for it in got] == list("xyzxyz") and sorted(built) == list("xyz")

asyncio.run(main())
"""
    )


def test_c4_a_cancelled_task_ends_its_wait_under_sqlalchemys_greenlets() -> None:
    run(
        SQLALCHEMY
        + """
@tenure.cache_resource
def thing():
    await_only(gate.wait())
    return Thing("a")

async def main():
    global gate
    gate = asyncio.Event()
    builder = asyncio.ensure_future(greenlet_spawn(thing))
    await asyncio.sleep(0)
    waits = [asyncio.ensure_future(greenlet_spawn(thing)) for _ in range(2)]
    await waiting(thing, 2)
    waits[0].cancel()
    await waiting(thing, 1)
    assert waits[0].cancelled()
    gate.set()
    assert await builder is await waits[1]

    # A builder that is cancelled hands on.
    gate.clear()
    thing.clear()
    builder = asyncio.ensure_future(greenlet_spawn(thing))
    await asyncio.sleep(0)
    heir = asyncio.ensure_future(greenlet_spawn(thing))
    await waiting(thing, 1)
    builder.cancel()
    gate.set()
    assert (await heir).name == "a" and builder.cancelled()

asyncio.run(main())
"""
    )


def test_c6_sqlalchemys_greenlets_and_real_threads_wait_for_each_other() -> None:
    run(
        SQLALCHEMY
        + """
began, go_on = threading.Event(), threading.Event()

@tenure.cache_resource
def thing(name, _begin, _wait):
    _begin(); _wait()
    return Thing(name)

async def main():
    got = []
    thread = threading.Thread(target=lambda: got.append(thing("thread", began.set, go_on.wait)))
    thread.start()
    await asyncio.to_thread(began.wait)
    calls = [asyncio.ensure_future(greenlet_spawn(thing, "thread", None, None)) for _ in range(3)]
    await waiting(thing, 3)
    go_on.set()
    assert all([it is (await calls[0]) for it in await asyncio.gather(*calls)])
    thread.join()
    assert got == [await calls[0]]

    gate = asyncio.Event()
    builder = asyncio.ensure_future(greenlet_spawn(thing, "task", lambda: None, lambda: await_only(gate.wait())))
    await asyncio.sleep(0)
    thread = asyncio.ensure_future(asyncio.to_thread(thing, "task", None, None))
    await waiting(thing_function, 1)
    gate.set()
    assert await thread is await builder

thing_function = thing
asyncio.run(main())
"""
    )


def test_c6_plain_code_of_a_loop_does_not_block_it_for_a_greenlet_of_that_loop() -> None:
    """It could not be woken: it is told what to write."""
    run(
        SQLALCHEMY
        + """
@tenure.cache_resource
def thing():
    await_only(gate.wait())
    return Thing("a")

async def main():
    global gate
    gate = asyncio.Event()
    builder = asyncio.ensure_future(greenlet_spawn(thing))
    await asyncio.sleep(0)
    try:
        thing()
    except RuntimeError as error:
        assert not isinstance(error, tenure.CacheCycleError)
        assert "thing is being built by another greenlet of this thread" in str(error)
        assert "greenlet_spawn(thing" in str(error)
    else:
        raise AssertionError("it must not wait")
    gate.set()
    assert await builder is thing()

asyncio.run(main())
"""
    )


def test_c3_a_build_that_runs_a_loop_is_around_what_the_loop_runs() -> None:
    run(
        SQLALCHEMY
        + """
async def asks():
    return await greenlet_spawn(thing)

@tenure.cache_resource
def thing():
    return asyncio.run(asks())

try:
    thing()
except tenure.CacheCycleError as error:
    assert "thing" in str(error)
else:
    raise AssertionError("it waits for itself")
"""
    )


def test_c6_an_engine_of_sqlalchemy_on_asyncio() -> None:
    run(
        """
import asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn

@tenure.cache_resource(on_release=release)
def tables(name):
    engine = create_async_engine("sqlite+aiosqlite://")
    def create(connection):
        connection.execute(text("create table t (name)"))
        return connection.execute(text("select count(*) from sqlite_master")).scalar()
    async def made():
        async with engine.begin() as connection:
            return await connection.run_sync(create)
    found = Thing(name)
    found.count = await_only(made())
    await_only(engine.dispose())
    return found

async def main():
    names = [str(number % 5) for number in range(50)]
    got = await asyncio.gather(*[greenlet_spawn(tables, name) for name in names])
    assert [it.name for it in got] == names
    assert all(it.count == 1 for it in got)
    assert sorted(built) == list("01234")

asyncio.run(main())
assert tenure.shutdown() and sorted(released) == sorted(built)
"""
    )


def test_c6_bare_greenlets_are_callers_of_their_own() -> None:
    run(
        """
from greenlet import getcurrent, greenlet

@tenure.cache_resource
def thing(name):
    getcurrent().parent.switch()
    return Thing(name)

greenlets = {name: greenlet(thing) for name in "xyz"}
for name, it in greenlets.items():
    it.switch(name)
# They end in the order in which they began.
got = {name: it.switch() for name, it in greenlets.items()}
assert {name: it.name for name, it in got.items()} == {name: name for name in "xyz"}
assert all(thing(name) is it for name, it in got.items())
"""
    )


def test_c6_without_a_hub_a_wait_for_the_same_thread_is_refused() -> None:
    run(
        """
from greenlet import getcurrent, greenlet

@tenure.cache_resource
def thing():
    getcurrent().parent.switch()
    return Thing("a")

def refused(call):
    try:
        call()
    except RuntimeError as error:
        assert not isinstance(error, tenure.CacheCycleError), error
        assert str(error).startswith("thing is being built by another greenlet of this thread"), error
        return True

builder = greenlet(thing)
builder.switch()
assert refused(thing)
assert greenlet(refused).switch(thing)
assert thing.info().waiting == 0
got = builder.switch()
assert thing() is got

# From inside of a build it is a circle all the same.
@tenure.cache_resource
def outer():
    return greenlet(outer).switch()

try:
    outer()
except tenure.CacheCycleError:
    pass
else:
    raise AssertionError("it waits for itself")
"""
    )


def test_c6_without_a_hub_a_greenlet_waits_for_a_thread() -> None:
    run(
        """
from greenlet import greenlet
began, go_on = threading.Event(), threading.Event()

@tenure.cache_resource
def thing():
    began.set(); go_on.wait()
    return Thing("a")

thread = threading.Thread(target=thing)
thread.start()
began.wait()
def opens():
    while not thing.info().waiting:
        pass
    go_on.set()
threading.Thread(target=opens).start()
assert greenlet(thing).switch() is thing()
thread.join()
"""
    )


@needs("greenlet")
def test_l20_a_shutdown_tells_of_what_a_suspended_greenlet_still_holds() -> None:
    run(
        """
import logging
from greenlet import getcurrent, greenlet

lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())
logging.getLogger("tenure").addHandler(handler)
main = getcurrent()

@tenure.cache_resource(validate=lambda thing: main.switch() is None, on_release=release)
def thing():
    return Thing("x")

thing()
caller = greenlet(thing)
caller.switch()
assert not tenure.shutdown()
assert released == []
held, end = lines
assert "thing" in held and "callers still hold it" in held and "resources=1" in held
assert "see above" in end
caller.switch(None)
assert released == ["x"]
assert tenure.shutdown()
"""
    )


def test_c6_greenlet_may_be_imported_in_the_midst_of_a_build() -> None:
    run(
        """
assert "greenlet" not in sys.modules

@tenure.cache_resource
def outer():
    from greenlet import greenlet
    inner()
    try:
        outer()
    except tenure.CacheCycleError:
        return Thing("outer")

@tenure.cache_resource
def inner():
    return Thing("inner")

assert outer() is outer() and built == ["inner", "outer"]
"""
    )


def test_l13_greenlets_and_the_loop_that_a_build_runs_clear_for_it() -> None:
    run(
        SQLALCHEMY
        + """
from greenlet import greenlet

@tenure.cache_resource
def thing(name):
    async def clears():
        thing.clear()
        await asyncio.gather(asyncio.create_task(in_task()), greenlet_spawn(thing.clear))
    async def in_task():
        thing.clear(name)
    asyncio.run(clears())
    greenlet(thing.clear).switch()
    return Thing(name)

assert thing("a") is thing("a") and built == ["a"]
"""
    )


def test_c6_a_thread_with_the_context_of_a_build_is_a_caller_of_its_own() -> None:
    """Nothing says that the build waits for it, so it sees no circle where there is none."""
    run(
        """
import asyncio, contextvars

@tenure.cache_resource
def part():
    return Thing("part")

left = []

@tenure.cache_resource
def whole():
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(lambda: left.append(whole()),))
    thread.start()                  # left behind: it waits for this very build
    while not whole.info().waiting:
        pass
    return [asyncio.run(asyncio.to_thread(part)), thread]

got = whole()
got[1].join()
assert left == [got] and built == ["part"]
"""
    )
