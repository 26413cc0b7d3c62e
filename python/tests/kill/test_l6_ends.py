"""L6: however a process ends, what it still holds is released, last built first, within a bound."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from program import Program

posix = pytest.mark.skipif(os.name != "posix", reason="sends signals")

BUILT = """
for name in ("one", "two", "three"):
    thing(name)
"""

LAST_FIRST = ["three", "two", "one"]


def run(folder: Path, text: str, **options: object) -> Program:
    with Program(folder, text, **options) as program:
        program.end()
    return program


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("raise SystemExit('bye')", 1),
        ("raise OSError('nobody catches this')", 1),
        ("threading.Thread(target=sys.exit, args=(5,)).start()", 0),
    ],
)
def test_l6_at_a_programs_own_end(tmp_path: Path, end: str, status: int) -> None:
    program = run(tmp_path, BUILT + end)
    assert program.process.returncode == status
    assert program.released() == LAST_FIRST


@posix
def test_l6_at_an_uncaught_ctrl_c(tmp_path: Path) -> None:
    with Program(tmp_path, BUILT + "ready()\nwait_for_the_end()") as program:
        program.await_ready()
        program.send(signal.SIGINT)
        assert program.end() == -signal.SIGINT
        assert program.released() == LAST_FIRST
        assert "KeyboardInterrupt" in program.errors


def test_l6_nothing_is_promised_at_os_exit_and_nothing_hangs(tmp_path: Path) -> None:
    program = run(tmp_path, BUILT + "os._exit(4)")
    assert program.process.returncode == 4
    assert program.released() == []


def test_l6_the_causes_order_and_figures(tmp_path: Path) -> None:
    """Functions and scopes mixed: the order of building counts, and nothing else."""
    program = run(
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

_native.set_host(Host())

@tenure.cache_resource(scope="session", on_release=release)
def of_session(name):
    return name

@tenure.cache_resource(on_release=release, drain="1h")
def drained(name):
    return [name]

thing("1")
of_session("2")
thing("3")
held = drained("4")
of_session("5")
drained.clear()
thing("6")
import atexit
atexit.register(lambda: note(*(f"{it.info().entries + it.info().draining}" for it in (thing, of_session, drained))))
""",
    )
    assert program.released() == ["6", "5", "['4']", "3", "2", "1"]
    assert "3 2 1" in program.notes()


def test_l6_a_release_may_use_what_was_built_before_it(tmp_path: Path) -> None:
    program = run(
        tmp_path,
        """
@tenure.cache_resource(on_release=lambda it: note("released", it[0]))
def pool():
    return ["pool"]

@tenure.cache_resource(on_release=lambda it: note("released", it, "into", pool()[0]))
def connection():
    pool()
    return "connection"

connection()
""",
    )
    assert program.released() == ["connection into pool", "pool"]


def test_l6_what_a_release_builds_is_released_too(tmp_path: Path) -> None:
    program = run(
        tmp_path,
        """
@tenure.cache_resource(on_release=lambda it: (release(it), thing("built late")))
def first():
    return "first"

first()
""",
    )
    assert program.released() == ["first", "built late"]


def test_l6_a_release_that_raises_stops_no_other(tmp_path: Path) -> None:
    program = run(
        tmp_path,
        BUILT
        + """
@tenure.cache_resource(on_release=lambda it: 1 / 0)
def breaks():
    return "breaks"

breaks()
thing("last")
""",
    )
    assert program.released() == ["last", *LAST_FIRST]
    assert program.process.returncode == 0
    assert "ZeroDivisionError" in program.errors
    assert "on_release of breaks raised (cause: shutdown)" in program.errors


def test_l6_the_time_is_bounded(tmp_path: Path) -> None:
    """The last built never ends; the process does, says so, and keeps its exit status."""
    program = run(
        tmp_path,
        """
tenure.configure(shutdown_timeout="200ms")
thing("unlucky")

@tenure.cache_resource(on_release=lambda it: wait_for_the_end())
def endless():
    return "endless"

endless()
sys.exit(6)
""",
    )
    assert program.process.returncode == 6
    assert program.released() == []
    assert "shutdown_timeout" in program.errors


def test_l6_a_slow_release_within_the_time_is_waited_for(tmp_path: Path) -> None:
    program = run(
        tmp_path,
        """
waits = threading.Event()

@tenure.cache_resource(on_release=lambda it: (waits.wait(0.3), release(it)))
def slow():
    return "slow"

slow()
""",
    )
    assert program.released() == ["slow"]


UNDER_WAY = """
began, go_on = threading.Event(), threading.Event()

def release_slowly(it):
    began.set()
    go_on.wait(60)
    release(it)

@tenure.cache_resource(on_release=release_slowly, ttl=TTL)
def slow(name):
    return name

for name in ("one", "two", "three"):
    slow(name)
"""


@pytest.mark.parametrize(
    "way", ["slow.clear()", "slow.clear('one')", "tenure.cache_resource.clear()", "pass  # expiry"]
)
def test_l6_a_release_that_another_thread_has_begun_is_waited_for(tmp_path: Path, way: str) -> None:
    """Also what it has taken out of the cache and not come to yet."""
    text = UNDER_WAY.replace("TTL", "0.01" if "expiry" in way else "None")
    text += f"""
def other():
    {way}

threading.Thread(target=other, daemon=True).start()
began.wait(60)
import atexit
atexit.register(go_on.set)  # as the last thing before the releases at the end
"""
    program = run(tmp_path, text)
    assert sorted(program.released()) == ["one", "three", "two"], program.errors


def test_l6_two_ends_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """A signal comes while the program's own end releases already, as when a pool ends its workers."""
    text = UNDER_WAY.replace("TTL", "None").replace("began.set()", "ready(); began.set()")
    text = text.replace("go_on.wait(60)", "go_on.wait(0.3)")
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == ["three", "two", "one"]


def test_l6_a_release_that_shuts_down_does_not_wait_for_itself(tmp_path: Path) -> None:
    text = """
ended = threading.Event()

def end(it):
    note("all in time", tenure.shutdown())
    release(it)
    ended.set()

@tenure.cache_resource(on_release=end, ttl=TTL)
def thing_of_it(name):
    return name

thing("first")
thing_of_it("second")
"""
    for ttl, clear in (("None", "thing_of_it.clear()"), ("0.01", "ended.wait()")):
        (tmp_path / "log").unlink(missing_ok=True)
        program = run(tmp_path, text.replace("TTL", ttl) + clear)
        assert program.notes() == ["built first", "released first", "all in time True", "released second"]


@pytest.mark.parametrize(
    "work",
    [
        "thing(number % 7)",
        "thing.clear()",
        "slow()",
        "thing.info()",
        "thing(pathlib.Path('a', 'b'))",
        "thing(Keyed())",
        "thing.peek(Keyed())",
        "thing.clear(Keyed())",
        "with thing.lease(Keyed()): pass",
    ],
)
def test_l6_daemon_threads_in_the_middle_of_everything_do_not_break_the_end(tmp_path: Path, work: str) -> None:
    """Python ends them where they stand: inside a build, a release, a check, a hit."""
    program = run(
        tmp_path,
        f"""
import pathlib, time
began = threading.Event()

class Keyed:
    def __reduce__(self):
        time.sleep(0)                   # gives up the interpreter, and asks for it again
        return Keyed, ()

@tenure.cache_resource
def slow():
    began.set()
    wait_for_the_end()

@tenure.cache_resource(on_release=lambda it: None, validate=lambda it: True, max_entries=2)
def thing(number):
    return [number]

def work():
    number = 0
    while True:
        number += 1
        began.set()
        {work}

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
began.wait(60)
note("end")
""",
    )
    assert program.process.returncode == 0, program.errors
    assert "end" in program.notes()


@pytest.mark.parametrize(("isolation", "order"), [("off", ["two", "one"]), ("test", ["one", "two"])])
def test_l6_in_a_test_runner(tmp_path: Path, isolation: str, order: list[str]) -> None:
    """pytest itself, in a process of its own, its output captured as usual: at its end, or at that of each test."""
    (tmp_path / "test_inner.py").write_text(
        """
import tenure

LOG = open("log", "a", buffering=1)

@tenure.cache_resource(on_release=lambda it: LOG.write(f"released {it}\\n"))
def thing(name):
    return name

def test_one():
    assert thing("one") == "one"

def test_two():
    thing("two")
    assert False
"""
    )
    options = ["-q", f"--tenure-isolation={isolation}", "test_inner.py"]
    text = f"import os, pytest; os.chdir(os.path.dirname(sys.argv[1])); sys.exit(pytest.main({options}))"
    program = run(tmp_path, text, begin="import sys\n")
    assert program.process.returncode == 1
    assert program.released() == order


def test_l6_a_finalizer_at_the_very_end_may_still_call(tmp_path: Path) -> None:
    """Modules are torn down after `atexit`: what calls then neither hangs nor crashes."""
    program = run(
        tmp_path,
        """
class Late:
    def __init__(self, *calls):
        self.calls = calls
    def __del__(self):
        for call in self.calls:
            call()

@tenure.cache_resource
def fresh():
    return []

late = Late(lambda thing=thing: thing("one"), lambda thing=thing: thing.clear(), fresh, fresh, thing.info)
sys.late = late
""",
    )
    assert program.process.returncode == 0, program.errors
    assert "panic" not in program.errors


def test_l6_when_nothing_was_built_nothing_is_started(tmp_path: Path) -> None:
    program = run(tmp_path, "note(*(thread.name for thread in threading.enumerate()))")
    assert program.process.returncode == 0
    assert program.notes() == ["MainThread"]
