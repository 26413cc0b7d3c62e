"""C6 under gevent: which build a caller is inside of follows its greenlet, and a wait lets the others run."""

from __future__ import annotations

import sys

import pytest
from running import needs, run

pytestmark = needs("gevent")

BOTH = pytest.mark.parametrize(
    "first", ["", "from gevent import monkey; monkey.patch_all()\n"], ids=["plain", "patched"]
)

GEVENT = """
import gevent
from gevent.event import Event

def until(is_so):
    while not is_so():
        gevent.sleep(0.001)     # with 0 the loop takes the interpreter again before a real thread has woken up

def waiting(function, count):
    until(lambda: function.info().waiting == count)
"""


def run_gevent(text: str, first: str = "") -> None:
    run(GEVENT + text, first=first)


@BOTH
def test_c6_greenlets_share_one_build_and_see_no_cycle(first: str) -> None:
    run_gevent(
        """
go_on, others = Event(), []

@tenure.cache_resource
def thing(name):
    go_on.wait()
    return Thing(name)

callers = [gevent.spawn(thing, "a") for _ in range(5)]
waiting(thing, 4)
gevent.spawn(others.append, "ran").join()      # a wait lets the others run
go_on.set()
gevent.joinall(callers, raise_error=True)
assert len({id(it.value) for it in callers}) == 1
assert built == ["a"] and others == ["ran"]
""",
        first,
    )


@BOTH
def test_c6_the_first_greenlet_builds_and_others_wait_for_it(first: str) -> None:
    """The hub's parent is the thread's first greenlet: that puts nobody inside of its build."""
    run_gevent(
        """
go_on = Event()

@tenure.cache_resource
def thing(name):
    go_on.wait()
    return Thing(name)

callers = [gevent.spawn(thing, "a") for _ in range(3)]
def opens():
    waiting(thing, 3)
    go_on.set()
gevent.spawn(opens)
first = thing("a") if not built else None
gevent.joinall(callers, raise_error=True)
assert built == ["a"] and all(it.value is first for it in callers)
""",
        first,
    )


@BOTH
def test_c6_builds_that_overlap_end_in_any_order(first: str) -> None:
    """What began first ends first: no caller takes the others' places away."""
    run_gevent(
        """
gates = {name: Event() for name in "xyz"}

asked = []

@tenure.cache_resource
def thing(name):
    asked.append(name)
    gates[name].wait()
    return Thing(name)

x, y, z = (gevent.spawn(thing, name) for name in "xyz")
until(lambda: len(asked) == 3)
gates["x"].set()
x.join()
again = [gevent.spawn(thing, name) for name in "yz"]
waiting(thing, 2)
gates["z"].set()
z.join()
gates["y"].set()
gevent.joinall([y, *again], raise_error=True)
assert [it.value.name for it in (x, y, z, *again)] == ["x", "y", "z", "y", "z"]
assert built == ["x", "z", "y"]
""",
        first,
    )


@BOTH
def test_c3_a_cycle_between_greenlets_is_told(first: str) -> None:
    run_gevent(
        """
both = [Event(), Event()]

@tenure.cache_resource
def hen():
    both[0].set(); both[1].wait()
    return egg()

@tenure.cache_resource
def egg():
    both[1].set(); both[0].wait()
    return hen()

def told(function):
    try:
        function()
    except tenure.CacheCycleError as error:
        return str(error)

callers = [gevent.spawn(told, hen), gevent.spawn(told, egg)]
gevent.joinall(callers, raise_error=True)
assert all("hen" in it.value and "egg" in it.value for it in callers), [it.value for it in callers]

@tenure.cache_resource
def itself():
    return itself()

assert "itself" in told(itself)
assert "itself" in gevent.spawn(told, itself).get()
""",
        first,
    )


@BOTH
def test_c6_a_greenlet_waits_for_a_real_thread_and_a_thread_for_a_greenlet(first: str) -> None:
    run_gevent(
        """
from gevent import monkey
start = monkey.get_original("_thread", "start_new_thread")
RealLock = monkey.get_original("_thread", "allocate_lock")

def lock():
    lock = RealLock(); lock.acquire(); return lock

@tenure.cache_resource
def thing(name, _begin, _go_on):
    _begin(); _go_on()
    return Thing(name)

# A real thread builds; the greenlets wait, and others run meanwhile.
began, go_on, got, ended = lock(), lock(), [], lock()
def in_thread():
    got.append(thing("thread", began.release, go_on.acquire))
    ended.release()
start(in_thread, ())
until(lambda: began.acquire(False))
callers = [gevent.spawn(thing, "thread", None, None) for _ in range(3)]
waiting(thing, 3)
go_on.release()
gevent.joinall(callers, raise_error=True)
until(lambda: ended.acquire(False))
assert all(it.value is got[0] for it in callers)

# A greenlet builds; a real thread waits, and blocks nobody.
begun, gate, got, ended = Event(), Event(), [], lock()
builder = gevent.spawn(thing, "greenlet", begun.set, gate.wait)
begun.wait()
def in_thread():
    got.append(thing("greenlet", None, None))
    ended.release()
start(in_thread, ())
waiting(thing, 1)
gate.set()
until(lambda: ended.acquire(False))
assert got == [builder.get()]
assert built == ["thread", "greenlet"]
""",
        first,
    )


@BOTH
def test_c4_a_timeout_and_a_kill_end_a_wait(first: str) -> None:
    run_gevent(
        """
begun, go_on = Event(), Event()

@tenure.cache_resource
def thing():
    begun.set(); go_on.wait()
    return Thing("a")

builder = gevent.spawn(thing)
begun.wait()

def hurried():
    with gevent.Timeout(0.001):
        thing()

hurried = gevent.spawn(hurried)
hurried.join()
assert isinstance(hurried.exception, gevent.Timeout), hurried.exception
killed = gevent.spawn(thing)
waiting(thing, 1)
killed.kill()
assert isinstance(killed.value, gevent.GreenletExit), killed.value
assert thing.info().waiting == 0
patient = gevent.spawn(thing)
waiting(thing, 1)
go_on.set()
assert patient.get() is builder.get() is thing()
""",
        first,
    )


@BOTH
def test_c4_a_builder_that_is_killed_hands_on(first: str) -> None:
    run_gevent(
        """
go_on, begun = Event(), Event()

@tenure.cache_resource
def thing():
    begun.set(); go_on.wait()
    return Thing("a")

builder = gevent.spawn(thing)
begun.wait()
callers = [gevent.spawn(thing) for _ in range(3)]
waiting(thing, 3)
begun.clear()
builder.kill()
begun.wait()
go_on.set()
gevent.joinall(callers, raise_error=True)
assert len({id(it.value) for it in callers}) == 1 and built == ["a"]
""",
        first,
    )


def test_c4_a_ctrl_c_ends_a_wait_of_the_first_greenlet() -> None:
    run_gevent(
        """
import signal
begun, go_on = Event(), Event()

@tenure.cache_resource
def thing():
    begun.set(); go_on.wait()
    return Thing("a")

builder = gevent.spawn(thing)
begun.wait()
def press():
    waiting(thing, 1)
    signal.raise_signal(signal.SIGINT)  # On this very thread: elsewhere it would come when all is over.
gevent.spawn(press)
try:
    thing()
except KeyboardInterrupt:
    pass
else:
    raise AssertionError("the wait went on")
go_on.set()
assert builder.get() is thing()
"""
    )


def test_c6_a_wait_that_nothing_can_end_is_told_by_the_hub() -> None:
    """A build that waits for a greenlet which asks for that very build: nothing is left to run."""
    run_gevent(
        """
@tenure.cache_resource
def thing():
    return gevent.spawn(thing).get()

try:
    thing()
except gevent.exceptions.LoopExit:
    pass
else:
    raise AssertionError("it cannot end")
"""
    )


@BOTH
def test_l2_checks_and_callbacks_may_give_way(first: str) -> None:
    """L1, L6: releases that overlap on one thread are each counted, and each once."""
    run_gevent(
        """
opens = {name: Event() for name in "abc"}
gates = dict(opens)

def slow(thing):
    if gate := gates.pop(thing.name, None):
        gate.wait()
    release(thing)

def good(thing):
    gevent.sleep(0)
    return True

@tenure.cache_resource(on_release=slow, validate=good)
def thing(name):
    return Thing(name)

for name in "abc":
    thing(name)
clears = [gevent.spawn(thing.clear, name) for name in "abc"]
gevent.sleep(0)
gevent.sleep(0)
news = [gevent.spawn(thing, name) for name in "abc"]
gevent.joinall(news, raise_error=True)
for name in "bca":
    opens[name].set()
gevent.joinall(clears, raise_error=True)
assert released == ["b", "c", "a"]
assert tenure.shutdown()
assert sorted(released) == sorted(built)
""",
        first,
    )


@BOTH
def test_c6_a_shutdown_lets_the_others_of_its_thread_run(first: str) -> None:
    """L6: it waits for a release that another greenlet has begun."""
    run_gevent(
        """
begun, go_on = Event(), Event()

def slow(thing):
    begun.set(); go_on.wait()
    release(thing)

@tenure.cache_resource(on_release=slow)
def thing():
    return Thing("a")

thing()
clears = gevent.spawn(thing.clear)
begun.wait()
gevent.spawn(go_on.set)
assert tenure.shutdown()
assert released == ["a"]
clears.join()
""",
        first,
    )


@pytest.mark.parametrize(
    "fails",
    ["close", pytest.param("thread", marks=pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"))],
)
def test_c6_a_shutdown_in_a_greenlet_clears_its_wait_away_and_hides_no_outcome(fails: str) -> None:
    """C6: where that fails it is logged; where the thread cannot be started the wait is over all the same."""
    run_gevent(
        f"""
import logging, resource
from tenure import _hubs

@tenure.cache_resource
def thing():
    return Thing("a")

thing()
logged, closed = [], []
class Notes(logging.Handler):
    def emit(self, record):
        logged.append(record.getMessage())
logging.getLogger("tenure").addHandler(Notes())

close = _hubs._Gevent.close
def closing(hub):
    close(hub)
    closed.append(hub)
    if {fails == "close"}:
        raise OSError("no more")
_hubs._Gevent.close = closing

def ask():
    if {fails == "close"}:
        assert tenure.shutdown()
    else:
        # No room for the stack of another thread.
        with open("/proc/self/statm") as sizes:
            used = int(sizes.read().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 20), before[1]))
        try:
            tenure.shutdown()
        except OSError:
            logged.append("could not be cleared away")
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

gevent.spawn(ask).get()
assert len(closed) == 1
assert not _hubs._open
assert any("could not be cleared away" in line for line in logged), logged
"""
    )


@BOTH
def test_l13_a_greenlet_that_builds_clears_and_spares_its_own_build_only(first: str) -> None:
    run_gevent(
        """
go_on, begun = Event(), Event()

@tenure.cache_resource(on_release=release)
def thing(name):
    if name == "other":
        begun.set(); go_on.wait()
    else:
        gevent.sleep(0)
        thing.clear()
        gevent.sleep(0)
    return Thing(name)

other = gevent.spawn(thing, "other")
begun.wait()
own = gevent.spawn(thing, "own").get()
go_on.set()
other.join()
assert thing("own") is own
assert thing.info().entries == 1 and thing.info().builds == 2
""",
        first,
    )


@BOTH
def test_c4_a_kill_during_a_release_ends_that_greenlet_and_no_other(first: str) -> None:
    run_gevent(
        """
inside, go_on, went_on = [], Event(), []

def release(thing):
    inside.append(thing.name)
    go_on.wait()
    released.append(thing.name)

@tenure.cache_resource(on_release=release, max_entries=1)
def thing(name):
    return Thing(name)

@tenure.cache_resource(on_release=release, max_entries=1)
def other(name):
    return Thing(name)

def work(function, first, second):
    function(first)
    function(second)       # evicts, and so waits in the callback
    went_on.append(second)

one, two = gevent.spawn(work, thing, "a", "b"), gevent.spawn(work, other, "c", "d")
until(lambda: len(inside) == 2)
one.kill()
assert one.dead and isinstance(one.value, gevent.GreenletExit), one.value
assert other("d").name == "d"
go_on.set()
two.get()
assert went_on == ["d"] and released == ["c"], (went_on, released)
assert thing("b").name == "b" and built.count("b") == 1
assert thing.info().release_failures == 1 and other.info().release_failures == 0
""",
        first,
    )


@BOTH
def test_c4_a_timeout_during_a_release_reaches_whoever_set_it(first: str) -> None:
    run_gevent(
        """
never = Event()

@tenure.cache_resource(on_release=lambda thing: never.wait() if thing.name == "c" else release(thing))
def thing(name):
    return Thing(name)

for name in "abc":
    thing(name)
gevent.spawn(never.wait)
try:
    with gevent.Timeout(0.001):
        thing.clear()
    raise AssertionError("the timeout was lost")
except gevent.Timeout:
    pass
assert released == ["b", "a"], released
""",
        first,
    )


def test_c4_a_build_whose_thread_has_ended_under_its_greenlet_is_handed_on() -> None:
    run_gevent(
        """
began, has_begun, may_end, got = [], threading.Event(), threading.Event(), []

@tenure.cache_resource
def thing(name):
    began.append(name)
    if len(began) == 1:
        Event().wait()     # its thread does not come back to it
    return Thing(name)

def leaves_it():
    greenlets.append(gevent.spawn(thing, "k"))
    until(lambda: began)
    has_begun.set()
    may_end.wait()

greenlets = []
leaver = threading.Thread(target=leaves_it)
leaver.start()
has_begun.wait()
heir = threading.Thread(target=lambda: got.append(thing("k")))
heir.start()
beside = gevent.spawn(thing, "k")      # another waits in a hub
waiting(thing, 2)
may_end.set()
heir.join()
assert began == ["k", "k"] and thing("k") is got[0] is beside.get()
""",
    )
