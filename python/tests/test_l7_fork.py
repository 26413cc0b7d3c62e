"""L7: after a fork the child starts empty with usable locks, and leaves alone what its parent holds.

Each test runs a program of its own, whose resources write down in one file who released them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from world import LOST

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

BEGIN = """
import os, sys, threading
import tenure

log = open(sys.argv[1], "a", buffering=1)
parent = os.getpid()

def who():
    return "parent" if os.getpid() == parent else "child"

def note(*what):
    log.write(" ".join(map(str, (who(), *what))) + "\\n")

class Thing:
    def __init__(self, name):
        self.name, self.made_by = name, who()
        note("builds", name)

def release(thing):
    note("releases", thing.name, "of", thing.made_by)

@tenure.cache_resource(on_release=release)
def thing(name):
    return Thing(name)

def in_child(work):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the child failed"
"""


def run(tmp_path: Path, program: str, *, status: int = 0) -> list[str]:
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:.*fork:DeprecationWarning", "-c", BEGIN + program, str(log)],
        timeout=LOST,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return log.read_text().splitlines()


def test_l7_the_child_starts_empty_and_releases_only_its_own(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
mine = thing("a")

def child():
    assert thing.info().builds == 0
    assert thing("a") is not mine
    thing.clear()
    assert thing.info().releases["cleared"] == 1

in_child(child)
assert thing("a") is mine
assert thing.info().builds == 1
""",
    )
    assert notes == [
        "parent builds a",
        "child builds a",
        "child releases a of child",
        "parent releases a of parent",
    ]


def test_l7_a_child_that_exits_releases_only_its_own(tmp_path: Path) -> None:
    """As a pre-fork server's worker does: it runs out, with `atexit`."""
    notes = run(
        tmp_path,
        """
thing("a")
child = os.fork()
if child == 0:
    thing("b")
    sys.exit(0)
os.waitpid(child, 0)
note("goes on with", thing("a").made_by)
""",
    )
    assert notes == [
        "parent builds a",
        "child builds b",
        "child releases b of child",
        "parent goes on with parent",
        "parent releases a of parent",
    ]


def test_l7_a_child_that_uses_nothing_releases_nothing(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
thing("a")
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
""",
    )
    assert notes == ["parent builds a", "parent releases a of parent"]


def test_l7_what_the_parent_holds_is_not_even_dropped(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
import gc

class Closes:
    def __del__(self):
        note("drops it")

@tenure.cache_resource
def closing():
    return Closes()

closing()

def child():
    closing.clear()
    tenure.cache_resource.clear()
    globals().pop("closing")
    gc.collect()

in_child(child)
closing.clear()
""",
    )
    assert notes == ["parent drops it"]


def test_l7_generations_of_children(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
def grandchild():
    assert thing.info().builds == 0
    thing("c")
    thing.clear()

def child():
    thing("b")
    in_child(grandchild)
    assert thing.info().builds == 1
    thing.clear()

thing("a")
in_child(child)
""",
    )
    assert [note.split(" of ")[0] for note in notes] == [
        "parent builds a",
        "child builds b",
        "child builds c",
        "child releases c",
        "child releases b",
        "parent releases a",
    ]


def test_l7_with_a_build_under_way_on_another_thread(tmp_path: Path) -> None:
    """The child builds the same key for itself: nobody there will ever end the other build."""
    notes = run(
        tmp_path,
        """
began, go_on = threading.Event(), threading.Event()

@tenure.cache_resource(on_release=release)
def slow():
    if who() == "parent":
        began.set()
        assert go_on.wait(60)
    return Thing("slow")

waiting = [threading.Thread(target=slow) for _ in range(3)]
for thread in waiting:
    thread.start()
assert began.wait(60)
while slow.info().waiting < 2:
    pass

def child():
    assert slow().made_by == "child"
    slow.clear()

in_child(child)
go_on.set()
for thread in waiting:
    thread.join()
assert slow.info().builds == 1
""",
    )
    assert notes == [
        "child builds slow",
        "child releases slow of child",
        "parent builds slow",
        "parent releases slow of parent",
    ]


def test_l7_inside_a_build(tmp_path: Path) -> None:
    """Both processes end the build, and each has its own resource in its own cache."""
    notes = run(
        tmp_path,
        """
children = []

def release(it):
    note("releases", "outer" if isinstance(it, list) else "inner")

@tenure.cache_resource(on_release=release)
def outer():
    return [inner()]

@tenure.cache_resource(on_release=release)
def inner():
    children.append(os.fork())
    return Thing("inner")

first = outer()
assert first[0].made_by == who()
assert outer() is first and inner() is first[0]
assert (outer.info().entries, inner.info().entries) == (1, 1)
# The circle is not closed by what was left of the parent's build.
outer.clear()
again = outer()
assert again is not first and again[0] is first[0]
if children[0] == 0:
    sys.exit(0)
assert os.waitpid(children[0], 0)[1] == 0
""",
    )
    child = [note for note in notes if note.startswith("child")]
    parent = [note for note in notes if note.startswith("parent")]
    assert [note.removeprefix("child ") for note in child] == [note.removeprefix("parent ") for note in parent]
    assert child == ["child builds inner", "child releases outer", "child releases outer", "child releases inner"]


def test_l7_inside_a_build_that_fails_in_the_child(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
@tenure.cache_resource(on_release=release)
def splits():
    if os.fork() == 0:
        raise OSError("only in the child")
    os.wait()
    return Thing("splits")

try:
    splits()
except OSError:
    note("has an error")
    try:
        thing("b")
        thing.clear()
    finally:
        os._exit(0)
""",
    )
    assert notes == [
        "child has an error",
        "child builds b",
        "child releases b of child",
        "parent builds splits",
        "parent releases splits of parent",
    ]


def test_l7_while_resources_drain_expire_and_are_leased(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
@tenure.cache_resource(on_release=release, drain="1h", ttl="1h")
def drains():
    return Thing("drains")

held = drains()
drains.clear()
with thing.lease("leased"):
    thing.clear()

    def child():
        global held
        del held
        assert drains.info().builds == 0
        assert drains() is drains()
        drains.clear()
        with thing.lease("another"):
            pass
        thing.clear()

    in_child(child)
    note("still holds", held.name, drains.info().draining, thing.info().draining)
del held
""",
    )
    assert notes[:2] == ["parent builds drains", "parent builds leased"]
    assert "parent still holds drains 1 1" in notes
    assert [note for note in notes if note.startswith("child rel")] == [
        "child releases drains of child",
        "child releases another of child",
    ]
    assert sorted(note for note in notes if note.startswith("parent rel")) == [
        "parent releases drains of parent",
        "parent releases leased of parent",
    ]


def test_l7_settings_and_host_hold_in_the_child(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
from tenure import _native

class Host:
    name = "test"
    def session(self):
        return "ada"
    def has_ended(self, session):
        return False
    def begin(self, *_):
        return None
    def wait(self, *_):
        return None
    def interrupted(self):
        pass

_native.set_host(Host())
tenure.configure(drain="1h")

@tenure.cache_resource(scope="session")
def mine():
    return []

def child():
    held = mine()
    mine.clear()
    assert mine.info().draining == 1

in_child(child)
""",
    )


def test_l7_inside_a_hand_driven_clock(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
import tenure.testing

with tenure.testing.clock() as clock:
    thing("a")

    def child():
        assert thing.info().builds == 0
        thing("b")
        with tenure.testing.clock() as its_own:
            its_own.advance("1h")
        assert thing.info().builds == 1

    in_child(child)
    clock.advance("1h")
    assert thing.info().builds == 1
assert thing.info().builds == 0
""",
    )


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_l7_multiprocessing_workers_release_their_own(tmp_path: Path, method: str) -> None:
    """Their end is not that of a program: it comes without `atexit` where they were forked."""
    script = tmp_path / "program.py"
    log = tmp_path / "log"
    script.write_text(
        f"""
import multiprocessing, os, sys
import tenure

def note(*what):
    with open({str(log)!r}, "a") as log:
        log.write(" ".join(map(str, what)) + "\\n")

@tenure.cache_resource(on_release=lambda it: note("released", *it))
def connection(name):
    note("built", name, os.getpid())
    return name, os.getpid()

def work(number):
    return connection("worker") is connection("worker")

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    connection("main")
    with context.Pool(2) as pool:
        assert all(pool.map(work, range(20)))
        pool.close()
        pool.join()
    process = context.Process(target=connection, args=("single",))
    process.start()
    process.join()
    assert process.exitcode == 0
    note("end")
"""
    )
    done = subprocess.run([sys.executable, str(script)], timeout=LOST, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    notes = [line.split() for line in log.read_text().splitlines()]
    built = [note[1:] for note in notes if note[0] == "built"]
    released = [note[1:] for note in notes if note[0] == "released"]
    assert sorted(built) == sorted(released)
    assert {name for name, _ in built} >= {"main", "worker", "single"}
    # The main process kept its own to the end.
    assert notes[-1][:2] == ["released", "main"]


def test_l7_many_forks_under_load(tmp_path: Path) -> None:
    """Threads build, wait, expire and drain while the main thread forks: no child ever hangs."""
    run(
        tmp_path,
        """
import logging

logging.getLogger("tenure").disabled = True  # its locks are not made for this
stop = threading.Event()

@tenure.cache_resource(max_entries=2, ttl=0.001, drain=0.01)
def busy(key):
    return [key]

def load(number):
    key = 0
    while not stop.is_set():
        held = busy(key % 3)
        key += 1
        if key % 7 == number:
            busy.clear()

threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()

def child():
    for key in range(10):
        busy(key)
    busy.clear()
    some = [threading.Thread(target=busy, args=(1,)) for _ in range(3)]
    for thread in some:
        thread.start()
    for thread in some:
        thread.join()

try:
    for _ in range(60):
        in_child(child)
finally:
    stop.set()
for thread in threads:
    thread.join()
""",
    )
