"""L18: with `fork="keep"` a child has its parent's resources, shares their memory, and never releases them.

Most tests run a program of their own, whose resources write down in one file who built and who released them.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import sqlite3
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import tenure
from world import LOST

BEGIN = """
import gc, os, sys, threading, time
import tenure

log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
names = {os.getpid(): "parent"}

def who():
    return names.setdefault(os.getpid(), "child")

def note(*what):
    os.write(log, (" ".join(map(str, (who(), *what))) + "\\n").encode())

class Thing:
    def __init__(self, name):
        self.name, self.made_by = name, who()
        note("builds", name)

    def __del__(self):
        note("drops", self.name, "of", self.made_by)

def release(thing):
    note("releases", thing.name, "of", thing.made_by)

@tenure.cache_resource(on_release=release, fork="keep")
def thing(name="a"):
    return Thing(name)

def in_child(work, name="child"):
    child = os.fork()
    if child == 0:
        names[os.getpid()] = name
        status = 1
        try:
            work()
            assert tenure.shutdown()
            gc.collect()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the child failed"
"""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


def run(tmp_path: Path, program: str, *, before: str = "") -> list[str]:
    log = tmp_path / "log"
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore:.*fork:DeprecationWarning",
            "-c",
            before + BEGIN + program,
            str(log),
        ],
        timeout=LOST,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return log.read_text().splitlines()


def of(who: str, notes: list[str]) -> list[str]:
    return [note.removeprefix(who + " ") for note in notes if note.startswith(who + " ")]


@forks
def test_l18_a_child_has_the_parents_resource_and_never_releases_it(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
mine = thing()

def child():
    assert thing.peek() is mine
    assert thing() is mine
    info = thing.info()
    assert (info.entries, info.inherited, info.builds, info.misses, info.hits) == (1, 1, 0, 0, 1)
    assert thing.lease().__enter__() is mine

for _ in range(3):
    in_child(child)
assert thing() is mine
assert (thing.info().inherited, thing.info().builds) == (0, 1)
del mine
""",
    )
    assert notes == ["parent builds a", "parent releases a of parent", "parent drops a of parent"]


@forks
def test_l18_a_child_that_runs_out_releases_only_its_own(tmp_path: Path) -> None:
    """As a worker does that ends with `atexit`: not even the end of its interpreter drops what is the parent's."""
    notes = run(
        tmp_path,
        """
thing()
child = os.fork()
if child == 0:
    assert thing().made_by == "parent"
    thing("b")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    )
    assert of("child", notes) == ["builds b", "releases b of child", "drops b of child"]
    assert of("parent", notes) == ["builds a", "releases a of parent", "drops a of parent"]


@forks
@pytest.mark.parametrize(
    "end",
    [
        "thing.clear()",
        "thing.clear('a')",
        "thing.clear_if(lambda thing, entry: True)",
        "thing.expire()",
        "thing.discard(mine)",
        "tenure.cache_resource.clear()",
        "tenure.shutdown()",
    ],
)
def test_l18_what_ends_an_entry_in_a_child_releases_nothing_and_the_next_is_its_own(tmp_path: Path, end: str) -> None:
    """Whether the child has asked for the entry before or not."""
    notes = run(
        tmp_path,
        f"""
mine = thing()

def child():
    {end}
    assert sum(thing.info().releases.values()) == 0
    own = thing()
    assert own is not mine and own.made_by == "child"
    info = thing.info()
    assert (info.entries, info.inherited, info.builds, info.draining) == (1, 0, 1, 0)

def child_that_asks():
    assert thing() is mine
    child()

in_child(child)
in_child(child_that_asks)
assert thing() is mine
del mine
""",
    )
    assert of("child", notes) == 2 * ["builds a", "releases a of child", "drops a of child"]
    assert of("parent", notes) == ["builds a", "releases a of parent", "drops a of parent"]


@forks
def test_l18_what_has_expired_or_lies_idle_goes_in_a_child_too(tmp_path: Path) -> None:
    """Its age and its idle time go on counting from where they were."""
    notes = run(
        tmp_path,
        """
@tenure.cache_resource(on_release=release, fork="keep", ttl=3)
def old():
    return Thing("old")

@tenure.cache_resource(on_release=release, fork="keep", ttl="1h", max_stale="1h", max_idle="1h")
def has_a_term():
    return Thing("has a term")

@tenure.cache_resource(on_release=release, fork="keep", max_idle=3)
def idle():
    return Thing("idle")

@tenure.cache_resource(on_release=release, fork="keep", ttl=3)
def unused():
    return Thing("unused")

first, begun = (old(), idle(), has_a_term(), unused()), time.monotonic()
del first
time.sleep(0.2)

def child():
    assert old.info().ages[0] > 0.2 and has_a_term.info().ages[0] > 0.2
    assert {old().made_by, has_a_term().made_by} == {"parent"}
    # Nobody has asked for it in the child, and nobody holds it.
    while idle.info().entries or old.info().entries:
        assert time.monotonic() < begun + 60
        time.sleep(0.01)
    assert time.monotonic() >= begun + 3
    assert {old().made_by, idle().made_by, unused().made_by} == {"child"}
    assert has_a_term().made_by == "parent"
    has_a_term.expire()
    assert has_a_term.info().inherited == 1
    assert has_a_term().made_by == "child"

in_child(child)
""",
    )
    assert sorted(note for note in of("child", notes) if note.startswith("rel")) == [
        "releases has a term of child",
        "releases idle of child",
        "releases old of child",
        "releases unused of child",
    ]
    released = [note for note in notes if "releases" in note]
    assert len(released) == len(set(released)) == 8


@forks
def test_l18_a_bound_and_a_weight_hold_in_a_child(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
@tenure.cache_resource(on_release=release, fork="keep", max_entries=2)
def two(name):
    return Thing(name)

@tenure.cache_resource(on_release=release, fork="keep", weight=3, max_weight=7)
def heavy(name):
    return Thing(name)

two("a"), two("b"), heavy("c"), heavy("d")

def child():
    assert heavy.info().weight == 6
    assert two("e").made_by == heavy("f").made_by == "child"
    assert [it.info().entries for it in (two, heavy)] == [2, 2]
    assert [it.info().inherited for it in (two, heavy)] == [1, 1]
    assert [sum(it.info().releases.values()) for it in (two, heavy)] == [0, 0]
    assert two("b").made_by == heavy("d").made_by == "parent"

in_child(child)
""",
    )
    assert sorted(note for note in of("child", notes) if note.startswith("rel")) == [
        "releases e of child",
        "releases f of child",
    ]


@forks
def test_l18_teardowns_run_in_the_parent_alone(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
from contextlib import contextmanager

@tenure.cache_resource(fork="keep")
def yields():
    try:
        yield ["yielded"]
    finally:
        note("tears down")

@tenure.cache_resource(fork="keep", enter=True)
@contextmanager
def entered():
    try:
        yield ["entered"]
    finally:
        note("leaves")

mine = yields(), entered()

def child():
    assert (yields(), entered()) == mine and yields() is mine[0] and entered() is mine[1]
    yields.clear()
    assert yields() is not mine[0]
    gc.collect()

in_child(child)
child = os.fork()
if child == 0:
    names[os.getpid()] = "other"
    assert yields() is mine[0]
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    )
    assert notes == ["child tears down", "parent leaves", "parent tears down"]


@forks
def test_l18_children_of_children_inherit_what_their_parent_asked_for_and_what_not(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
mine = thing("a"), thing("b")

@tenure.cache_resource(on_release=release, fork="keep")
def never_asked():
    return Thing("never asked")

asked_last = never_asked()

def grandchild():
    assert thing("a") is mine[0]
    assert thing("b").made_by == "child"
    assert thing("c").made_by == "child"
    assert never_asked() is asked_last
    assert (thing.info().inherited, thing.info().builds) == (3, 0)

def child():
    assert thing("a") is mine[0]
    thing.clear("b")
    thing("b"), thing("c")
    in_child(grandchild, "grandchild")
    assert thing.info().inherited == 1

in_child(child)
""",
    )
    assert of("grandchild", notes) == []
    assert sorted(note for note in of("child", notes) if note.startswith("rel")) == [
        "releases b of child",
        "releases c of child",
    ]
    assert len([note for note in of("parent", notes) if note.startswith("rel")]) == 3


@forks
def test_l18_closures_and_versions_each_have_their_own(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
def make(number, **settings):
    @tenure.cache_resource(fork="keep", **settings)
    def closes_over():
        return [number, who()]
    return closes_over

one, two, alike, kept_short = make(1), make(2), make(1), make(1, ttl="1h")
dropped = tenure.cache_resource(thing.__wrapped__)
mine = one(), two(), kept_short(), dropped()
assert mine[0] is not mine[2]

def child():
    assert alike() is mine[0]  # it was not asked before, and shares the entry all the same
    assert (one(), two(), kept_short()) == mine[:3]
    assert dropped() is not mine[3]
    assert make(1)() is mine[0]  # decorated in the child

in_child(child)
""",
    )


@forks
def test_l18_validate_is_asked_in_the_child(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
@tenure.cache_resource(fork="keep", validate=lambda it: it[0] == who())
def checked():
    return [who()]

@tenure.cache_resource(fork="keep", validate=lambda it: it[0] == "parent")
def good():
    return ["parent"]

mine = checked(), good()

def child():
    assert checked() == ["child"] and checked() is checked()
    assert checked.info().releases["invalid"] == 0
    assert good() is mine[1]

in_child(child)
""",
    )


@forks
def test_l18_with_a_build_under_way_on_another_thread(tmp_path: Path) -> None:
    """The child has no such build, and builds for itself."""
    run(
        tmp_path,
        """
began, go_on = threading.Event(), threading.Event()

@tenure.cache_resource(fork="keep")
def slow():
    if who() == "parent":
        began.set()
        assert go_on.wait(60)
    return [who()]

waiting = threading.Thread(target=slow)
waiting.start()
assert began.wait(60)

def child():
    assert slow() == ["child"]
    assert slow.info().inherited == 0

in_child(child)
go_on.set()
waiting.join()
assert slow() == ["parent"]
""",
    )


@forks
def test_l18_inside_a_build_and_on_another_thread(tmp_path: Path) -> None:
    """What stands as the process forks is kept, whoever forks; what is being built there is each process's own."""
    notes = run(
        tmp_path,
        """
children = []

@tenure.cache_resource(on_release=release, fork="keep")
def outer():
    inner = thing("inner")
    children.append(os.fork())
    assert thing("inner") is inner
    return Thing("outer")

mine = thing()

def forks():
    own = outer()
    assert own.made_by == who() and outer() is own
    assert thing() is mine
    if children[0] == 0:
        assert (thing.info().inherited, outer.info().inherited, outer.info().builds) == (2, 0, 1)
        del own
        assert tenure.shutdown()
        os._exit(0)

thread = threading.Thread(target=forks)
thread.start()
thread.join()
assert os.waitpid(children[0], 0)[1] == 0
""",
    )
    assert of("child", notes)[:2] == ["builds outer", "releases outer of child"]
    assert sorted(note for note in of("parent", notes) if note.startswith("rel")) == [
        "releases a of parent",
        "releases inner of parent",
        "releases outer of parent",
    ]


@forks
def test_l18_what_is_cleared_as_the_process_forks_is_no_childs(tmp_path: Path) -> None:
    """It is released in the parent, after the fork: no child has what has been released."""
    notes = run(
        tmp_path,
        """
mine = thing()
armed.append(thing.clear)

def child():
    own = thing()
    assert own is not mine and own.made_by == "child"

in_child(child)
armed.clear()
assert thing.info().releases["cleared"] == 1
del mine
""",
        # What is registered before Tenure's hook runs after it.
        before="""
import os
armed = []
os.register_at_fork(before=lambda: [act() for act in armed])
""",
    )
    assert of("child", notes) == ["builds a", "releases a of child", "drops a of child"]
    assert of("parent", notes) == ["builds a", "releases a of parent", "drops a of parent"]


@forks
def test_l18_a_hand_driven_clock_keeps_nothing(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
import tenure.testing

mine = thing()
with tenure.testing.clock():
    other = thing()
    assert other is not mine

    def child():
        assert thing() is mine  # that of the program itself, outside of the clock
        with tenure.testing.clock():
            assert thing() is not mine
        assert thing() is mine

    def child_that_asks_first_under_a_clock():
        with tenure.testing.clock():
            assert thing() is not mine
        assert thing() is mine

    in_child(child)
    in_child(child_that_asks_first_under_a_clock)
""",
    )


@forks
def test_l18_a_fork_that_fails_leaves_nothing_leased(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
import resource

thing()
soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
if os.getuid() != 0:
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    try:
        os.fork()
    except OSError:
        pass
    else:
        raise AssertionError
thing.clear()
assert thing.info().releases["cleared"] == 1 and thing.info().draining == 0
""",
    )
    assert notes == ["parent builds a", "parent releases a of parent", "parent drops a of parent"]


@forks
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_l18_multiprocessing_workers(tmp_path: Path, method: str) -> None:
    """Forked ones share what the main process has built; the others have none, and build their own."""
    script = tmp_path / "program.py"
    log = tmp_path / "log"
    script.write_text(
        f"""
import multiprocessing, os, sys
import tenure

def note(*what):
    with open({str(log)!r}, "a") as log:
        log.write(" ".join(map(str, what)) + "\\n")

@tenure.cache_resource(on_release=lambda it: note("released", os.getpid(), *it), fork="keep")
def model(name):
    note("built", name, os.getpid())
    return name, os.getpid()

def work(number):
    return model("main")[1]

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    model("main")
    with context.Pool(8) as pool:
        makers = set(pool.map(work, range(80), chunksize=1))
        pool.close()
        pool.join()
    process = context.Process(target=work, args=(1,))
    process.start()
    process.join()
    assert process.exitcode == 0
    note("end", os.getpid(), *makers)
"""
    )
    done = subprocess.run([sys.executable, str(script)], timeout=LOST, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    notes = [line.split() for line in log.read_text().splitlines()]
    main = next(note[1] for note in notes if note[0] == "end")
    built = [note[2] for note in notes if note[0] == "built"]
    # Each is released by the process that built it, once.
    assert sorted(note[3] for note in notes if note[0] == "released") == sorted(built)
    assert all(note[1] == note[3] for note in notes if note[0] == "released")
    assert (set(built) == {main}) is (method == "fork")
    assert len(built) == 1 or method != "fork"
    assert notes[-1][:2] == ["released", main]


def test_l18_memory_is_shared_by_eight_workers(tmp_path: Path) -> None:
    """Their proportional part of all pages (Pss) together is far below what eight copies would be."""
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("the system does not tell Pss")
    for setting, low, high in (("keep", 0, 2), ("drop", 8, 12)):
        script = f"""
import multiprocessing
import tenure

SIZE = 64 << 20

@tenure.cache_resource(fork={setting!r})
def table():
    return bytearray(b"x") * SIZE

def pss():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) << 10 for line in rollup if line.startswith("Pss:"))

def work(before, after, told):
    mine = table()
    assert sum(mine[::4096]) == SIZE // 4096 * ord("x")
    before.wait()
    told.put(pss())
    after.wait()

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    barriers, told = [context.Barrier(8) for _ in range(2)], context.SimpleQueue()
    table()
    workers = [context.Process(target=work, args=(*barriers, told)) for _ in range(8)]
    for worker in workers:
        worker.start()
    print(sum(told.get() for _ in workers) / SIZE)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
"""
        done = subprocess.run([sys.executable, "-c", script], timeout=LOST, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert low < float(done.stdout) < high, f"fork={setting!r}: {done.stdout}"


@forks
def test_l18_many_forks_while_threads_call_clear_and_expire(tmp_path: Path) -> None:
    """No child hangs or finds what its parent has released, and none releases what its parent has built."""
    run(
        tmp_path,
        """
import logging

logging.getLogger("tenure").disabled = True  # its locks are not made for this
stop = threading.Event()
parent = os.getpid()

class Model:
    def __init__(self, key):
        self.key, self.pid, self.released = key, os.getpid(), False

def release_model(model):
    assert model.pid == os.getpid() and not model.released
    model.released = True

@tenure.cache_resource(max_entries=3, ttl=0.05, fork="keep", on_release=release_model, max_stale="1h")
def busy(key):
    return Model(key)

@tenure.cache_resource(fork="keep", on_release=release_model)
def calm(key):
    return Model(key)

def load(number):
    key = 0
    while not stop.is_set():
        assert busy(key % 5).key == key % 5
        calm(key % 5)
        key += 1
        if key % 7 == number:
            busy.clear()
        elif key % 11 == number:
            busy.expire()
        elif key % 101 == number:
            calm.clear(key % 5)

failures = []

def guarded(number):
    try:
        load(number)
    except BaseException as error:
        failures.append(error)

threads = [threading.Thread(target=guarded, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()

def child():
    for it in (calm, busy):
        had = it.info()
        assert had.builds == 0 and had.inherited == had.entries
        for key in range(10):
            assert not it(key).released and it(key).key == key
        it.expire()
        it.clear()
        assert it.info().builds == sum(it.info().releases.values())
    calm(1)
    in_grandchild()
    some = [threading.Thread(target=busy, args=(1,)) for _ in range(3)]
    for thread in some:
        thread.start()
    for thread in some:
        thread.join()

def in_grandchild():
    grandchild = os.fork()
    if grandchild == 0:
        status = 1
        try:
            assert calm(1).pid == os.getppid()
            calm.clear()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(grandchild, 0)[1] == 0

try:
    for _ in range(25):
        in_child(child)
finally:
    stop.set()
for thread in threads:
    thread.join()
assert failures == []
assert tenure.shutdown()
for it in (busy, calm):
    info = it.info()
    assert info.builds == sum(info.releases.values()) and info.release_failures == 0
""",
    )


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"fork": "share"}, ValueError, 'fork must be "drop" or "keep", not "share"'),
    ({"fork": True}, ValueError, 'fork must be "drop" or "keep", not "True"'),
    *(
        ({"fork": "keep", "scope": scope}, ValueError, 'fork="keep" is for what all share')
        for scope in ("session", "loop", "thread", lambda: "tenant")
    ),
]


@pytest.mark.parametrize(("settings", "error", "text"), REFUSED)
def test_l18_what_cannot_be_kept_is_refused_where_it_stands(
    settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as refused:
        tenure.cache_resource(**settings)
    assert text in str(refused.value)
    assert 'Example: fork="keep"' in str(refused.value)
    assert tenure.cache_resource(scope="thread", fork="drop")


def test_l18_async_functions_are_refused() -> None:
    async def pool() -> list[int]:
        return []

    async def yields() -> Any:
        yield []

    for function in (pool, yields):
        with pytest.raises(TypeError, match="event loop.*Leave fork out"):
            tenure.cache_resource(fork="keep")(function)


class Wrapper:
    def __init__(self, part: object) -> None:
        self.name, self.part = "wrapper", part


class Slotted:
    __slots__ = ("never", "part")

    def __init__(self, part: object) -> None:
        self.part = part


class Odd:
    """Whoever looks at it must run no code of it."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)


def connection() -> sqlite3.Connection:
    return sqlite3.connect(":memory:")


UNFIT: list[tuple[Callable[[], object], str]] = [
    (socket.socket, "socket.socket"),
    (connection, "sqlite3.Connection"),
    (lambda: Path(os.devnull).open("w"), "_io.TextIOWrapper"),
    (lambda: Path(os.devnull).open("wb"), "_io.BufferedWriter"),
    (threading.Lock, "_thread.lock"),
    (threading.RLock, "_thread.RLock"),
    (threading.Event, "threading.Event"),
    (queue.Queue, "queue.Queue"),
    (threading.Thread, "threading.Thread"),
    (ThreadPoolExecutor, "concurrent.futures.thread.ThreadPoolExecutor"),
    (lambda: Wrapper(connection()), "sqlite3.Connection (the attribute part of a test_l18_fork_keep.Wrapper)"),
    (lambda: Slotted(connection()), "sqlite3.Connection (the attribute part of a test_l18_fork_keep.Slotted)"),
    (lambda: {"db": connection()}, "sqlite3.Connection (the value under 'db' of a dict)"),
    (lambda: ["model", connection()], "sqlite3.Connection (an element of a list)"),
]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING, "tenure"):
        yield lambda: [record.getMessage() for record in caplog.records if record.name == "tenure"]


def close(resource: Any) -> None:
    parts = [resource, getattr(resource, "part", None), *(resource if isinstance(resource, list) else [])]
    for part in [*parts, *(resource.values() if isinstance(resource, dict) else [])]:
        if hasattr(part, "close"):
            part.close()


@pytest.mark.parametrize(("make", "kind"), UNFIT)
def test_l18_what_must_not_be_kept_is_warned_of_once(
    make: Callable[[], object], kind: str, told: Callable[[], list[str]]
) -> None:
    def unfit() -> object:
        return make()

    unfit.__qualname__ = f"unfit {kind}"  # the warning comes once for each function, whoever decorates it again
    unfit = tenure.cache_resource(fork="keep", on_release=close)(unfit)

    @tenure.cache_resource(on_release=close)
    def dropped() -> object:
        return make()

    unfit()
    dropped()
    [text] = told()
    assert f"unfit {kind} has fork" in text
    assert kind in text.split("and gave")[1]
    assert 'Write fork="drop"' in text
    unfit.clear()
    unfit()
    assert len(told()) == 1
    unfit.clear()
    dropped.clear()


@pytest.mark.parametrize(
    "make",
    [
        list,
        dict,
        lambda: bytearray(8),
        object,
        Odd,
        lambda: Wrapper([connection]),
        lambda: Slotted("text"),
        lambda: dict.fromkeys(range(10_000)),
        lambda: types.ModuleType("model"),
        lambda: Wrapper,
    ],
)
def test_l18_what_may_be_kept_is_not_warned_of(make: Callable[[], object], told: Callable[[], list[str]]) -> None:
    @tenure.cache_resource(fork="keep")
    def fit() -> object:
        return make()

    fit()
    assert told() == []
    fit.clear()


def test_l18_a_closed_file_is_no_fault(told: Callable[[], list[str]]) -> None:
    @tenure.cache_resource(fork="keep")
    def read() -> object:
        with Path(__file__).open() as file:
            return Wrapper(file)

    read()
    assert told() == []
    read.clear()


def test_l18_tensors_on_a_device_are_warned_of(monkeypatch: pytest.MonkeyPatch, told: Callable[[], list[str]]) -> None:
    """By what torch says of them; the package itself need not be there, and is not imported for this."""

    class Tensor:
        def __init__(self, is_cuda: bool) -> None:
            self.is_cuda = is_cuda

    class Module:
        def __init__(self, is_cuda: bool) -> None:
            self._parameters = {"weight": Tensor(is_cuda)}

        def parameters(self) -> Iterator[Tensor]:
            return iter(self._parameters.values())

    torch: Any = types.ModuleType("torch")
    torch.Tensor, torch.nn = Tensor, types.SimpleNamespace(Module=Module)
    monkeypatch.setitem(sys.modules, "torch", torch)

    @tenure.cache_resource(fork="keep")
    def on_device(kind: str, is_cuda: bool) -> object:
        made: Any = {"tensor": Tensor, "model": Module}[kind](is_cuda)
        return Wrapper(made) if is_cuda else made

    on_device("tensor", False), on_device("model", False)
    assert told() == []
    on_device("model", True)
    [text] = told()
    assert "CUDA" in text
    on_device.clear()
