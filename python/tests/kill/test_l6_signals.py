"""L6: signals that nobody handles release first; handlers of the program, earlier and later ones, are respected."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from program import BEGIN, Program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")

BUILT = """
for name in ("one", "two", "three"):
    thing(name)
"""

WAITS = "ready()\nwait_for_the_end()"

LAST_FIRST = ["three", "two", "one"]

unhandled = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP] if os.name == "posix" else [])
#: Where nobody handles a SIGINT, Python itself does.
handled = pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT] if os.name == "posix" else []
)


@unhandled
def test_l6_an_unhandled_signal_releases_and_then_ends_the_process(tmp_path: Path, number: signal.Signals) -> None:
    with Program(tmp_path, BUILT + WAITS) as program:
        program.await_ready()
        program.send(number)
        # By the signal itself: whoever started the process sees what it always saw.
        assert program.end() == -number
        assert program.released() == LAST_FIRST
        assert program.errors == ""


def test_l6_a_sigint_that_was_set_to_its_default_too(tmp_path: Path) -> None:
    text = "signal.signal(signal.SIGINT, signal.SIG_DFL)\n@tenure.cache_resource\ndef f():...\n"
    with Program(tmp_path, text + BUILT + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGINT)
        assert program.end() == -signal.SIGINT
        assert program.released() == LAST_FIRST


@unhandled
def test_l6_also_when_all_was_decorated_and_built_on_another_thread(tmp_path: Path, number: signal.Signals) -> None:
    """Where Python itself cannot set handlers."""
    text = f"""
import threading, sys
def other():
    exec({BEGIN + BUILT!r}, globals())
    ready()
thread = threading.Thread(target=other)
thread.start()
thread.join()
wait_for_the_end()
"""
    with Program(tmp_path, text, begin="") as program:
        program.await_ready()
        program.send(number)
        assert program.end() == -number
        assert program.released() == LAST_FIRST


def test_l6_also_while_the_main_thread_is_in_c_code(tmp_path: Path) -> None:
    """Where a handler of Python's would have to wait for it."""
    text = BUILT + "import hashlib\nready()\nhashlib.pbkdf2_hmac('sha256', b'', b'', 10**12)"
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == LAST_FIRST


def test_l6_c_code_that_never_gives_up_the_interpreter_does_not_keep_the_process(tmp_path: Path) -> None:
    """The signal comes from that very code, so that there is no moment before it at which releases could run."""
    text = """
import itertools
tenure.configure(shutdown_timeout=0.2)
kill = map(os.kill, [os.getpid()], [signal.SIGTERM])
sum(itertools.chain(filter(None, kill), range(10**13)))
"""
    with Program(tmp_path, BUILT + text) as program:
        assert program.end() == -signal.SIGTERM
        assert program.released() == []


def test_l6_the_time_is_bounded_after_a_signal_too(tmp_path: Path) -> None:
    text = """
tenure.configure(shutdown_timeout=0.2)

@tenure.cache_resource(on_release=lambda it: wait_for_the_end())
def endless():
    return "endless"

thing("unlucky")
endless()
"""
    with Program(tmp_path, text + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM


def test_l6_a_signal_that_comes_twice_does_not_cut_the_releases_short(tmp_path: Path) -> None:
    """As `timeout` sends it: to the process, and to its group."""
    text = """
second = threading.Event()

@tenure.cache_resource(on_release=lambda it: (print("ready", flush=True), second.wait(0.5), release(it)))
def slow():
    return "slow"

slow()
"""
    with Program(tmp_path, text + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        program.await_ready()  # now inside the release
        program.send(signal.SIGTERM)
        program.send(signal.SIGHUP)
        assert program.end() == -signal.SIGTERM
        assert program.released() == ["slow"]


def test_l6_the_releases_do_not_run_in_signal_context_nor_on_the_main_thread(tmp_path: Path) -> None:
    """The main thread goes on, so that a lock it holds is given up, and a release that needs it gets it."""
    text = """
lock = threading.Lock()

def release_with_lock(it):
    with lock:
        release(f"{it} with the lock, main: {threading.current_thread() is threading.main_thread()}")

@tenure.cache_resource(on_release=release_with_lock)
def guarded():
    return "guarded"

guarded()
wait = handled(signal.SIGUSR1)
with lock:
    ready()
    wait()
wait_for_the_end()
"""
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        program.send(signal.SIGUSR1)
        assert program.end() == -signal.SIGTERM
        assert program.released() == ["guarded with the lock, main: False"]


# --- handlers of the program ---


@pytest.mark.parametrize("when", ["before the import", "before the build", "after the build"])
@handled
def test_l6_a_handler_of_the_programs_runs_and_nothing_of_ours(
    tmp_path: Path, when: str, number: signal.Signals
) -> None:
    """It ends the program in its own way, and that way releases."""
    handler = f"""
def handler(number, frame):
    note("handled", number)
    sys.exit(7)
signal.signal({int(number)}, handler)
"""
    text = BUILT + handler if when == "after the build" else handler + BUILT
    begin = BEGIN
    if when == "before the import":
        begin, text = "import os, signal, sys, threading" + handler + BEGIN, BUILT
    with Program(tmp_path, text + WAITS, begin=begin) as program:
        program.await_ready()
        program.send(number)
        assert program.end() == 7
        notes = program.notes()
        assert notes[-4] == f"handled {int(number)}"
        assert program.released() == LAST_FIRST


@handled
def test_l6_a_handler_that_goes_on_keeps_everything(tmp_path: Path, number: signal.Signals) -> None:
    """SIGHUP as a wish to read the configuration again, say."""
    text = f"""
wait = handled({int(number)})
ready()
wait()
note("still", thing("one"), thing.info().builds)
"""
    with Program(tmp_path, BUILT + text) as program:
        program.await_ready()
        program.send(number)
        assert program.end() == 0
        assert program.notes()[-5:] == ["handled", "still one 3", *(f"released {name}" for name in LAST_FIRST)]


def test_l6_a_handler_in_c_stands(tmp_path: Path) -> None:
    """One that Python knows nothing of."""
    text = f"""
import faulthandler
faulthandler.register(signal.SIGHUP, file=open(sys.argv[1] + ".c", "w"), all_threads=False)
{BUILT}
"""
    with Program(tmp_path, text + "ready()\nwait_for_the_end()") as program:
        program.await_ready()
        # Again and again: the kernel may give one to a thread that is not Python's, of which nothing is shown.
        turn = threading.Event()
        while not (tmp_path / "log.c").stat().st_size:
            assert program.process.poll() is None, program.end()
            program.send(signal.SIGHUP)
            turn.wait(0.01)
        assert program.released() == []
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == LAST_FIRST


def test_l6_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """As under `nohup`."""
    text = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n@tenure.cache_resource\ndef f():...\n" + BUILT
    with Program(tmp_path, text + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGHUP)
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == LAST_FIRST


def test_l6_a_server_that_puts_back_what_it_found_and_raises_again(tmp_path: Path) -> None:
    """As uvicorn ends, run by a program."""
    text = """
def serve():
    before = signal.getsignal(signal.SIGTERM)
    wait = handled(signal.SIGTERM)
    for name in ("one", "two", "three"):
        thing(name)
    ready()
    wait()
    signal.signal(signal.SIGTERM, before)
    signal.raise_signal(signal.SIGTERM)
    wait_for_the_end()

serve()
"""
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.notes()[-4:] == ["handled", *(f"released {name}" for name in LAST_FIRST)]


def test_l6_asyncio_handlers_are_respected(tmp_path: Path) -> None:
    text = """
import asyncio

async def main():
    thing("one")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ready()
    await stop.wait()
    note("stopped")

asyncio.run(main())
"""
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == 0
        assert program.notes()[-2:] == ["stopped", "released one"]


def test_l6_asyncio_without_handlers(tmp_path: Path) -> None:
    text = """
import asyncio

async def main():
    thing("one")
    ready()
    await asyncio.Event().wait()

asyncio.run(main())
"""
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == ["one"]


@pytest.mark.parametrize("when", ["before", "after"])
@unhandled
def test_l6_signals_can_be_left_alone(tmp_path: Path, when: str, number: signal.Signals) -> None:
    off = "tenure.configure(handle_signals=False)\n"
    check = f"assert signal.getsignal({int(number)}) is signal.SIG_DFL\n"
    if when == "before":
        text = off + "@tenure.cache_resource\ndef f():...\n" + BUILT + check
    else:
        text = BUILT + off + check
    with Program(tmp_path, text + WAITS) as program:
        program.await_ready()
        program.send(number)
        assert program.end() == -number
        assert program.released() == []


def test_l6_signals_that_were_left_alone_can_be_taken_over_again(tmp_path: Path) -> None:
    with Program(tmp_path, BUILT + "tenure.configure(handle_signals=False)\ntenure.configure()\n" + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == LAST_FIRST


# --- child processes ---


def test_l6_a_child_that_holds_nothing_dies_at_once_and_the_parent_lives(tmp_path: Path) -> None:
    text = """
child = os.fork()
if child == 0:
    ready()
    wait_for_the_end()
_, status = os.waitpid(child, 0)
note("child", os.waitstatus_to_exitcode(status))
note("still", thing("one"), thing.info().builds)
"""
    with Program(tmp_path, BUILT + text.replace("ready()", "print(os.getpid(), flush=True); ready()")) as program:
        assert program.process.stdout is not None
        child = int(program.process.stdout.readline())
        program.await_ready()
        os.kill(child, signal.SIGTERM)
        assert program.end() == 0
        assert program.notes()[-5:] == [
            f"child {-signal.SIGTERM}",
            "still one 3",
            *(f"released {name}" for name in LAST_FIRST),
        ]


def test_l6_a_child_that_holds_something_releases_it_and_only_it(tmp_path: Path) -> None:
    text = """
child = os.fork()
if child == 0:
    thing("child's")
    print(os.getpid(), flush=True)
    ready()
    wait_for_the_end()
_, status = os.waitpid(child, 0)
note("child", os.waitstatus_to_exitcode(status))
"""
    with Program(tmp_path, BUILT + text) as program:
        assert program.process.stdout is not None
        child = int(program.process.stdout.readline())
        program.await_ready()
        os.kill(child, signal.SIGTERM)
        assert program.end() == 0
        assert program.notes()[-5:] == [
            "released child's",
            f"child {-signal.SIGTERM}",
            *(f"released {name}" for name in LAST_FIRST),
        ]


def test_l6_workers_of_a_pool_that_is_terminated(tmp_path: Path) -> None:
    """`Pool.terminate` sends SIGTERM."""
    script = tmp_path / "program.py"
    log = tmp_path / "log"
    script.write_text(
        f"""
import multiprocessing, os
import tenure

def note(*what):
    with open({str(log)!r}, "a") as log:
        log.write(" ".join(map(str, what)) + "\\n")

@tenure.cache_resource(on_release=lambda it: note("released", it))
def connection():
    note("built", os.getpid())
    return os.getpid()

def work(number):
    connection()

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, range(20))
"""
    )
    done = subprocess.run([sys.executable, str(script)], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    notes = [line.split() for line in log.read_text().splitlines()]
    assert sorted(pid for what, pid in notes if what == "built") == sorted(
        pid for what, pid in notes if what == "released"
    )


def test_l6_a_program_that_is_started_finds_its_signals_as_they_were(tmp_path: Path) -> None:
    text = """
import subprocess
code = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
note(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip())
"""
    with Program(tmp_path, BUILT + text) as program:
        assert program.end() == 0
        assert "True" in program.notes()


# --- what the program is doing meanwhile ---


BUSY = {
    "hits": "got(thing('one'))",
    "clears": "got(thing('one')); thing.clear()",
    "evictions": "got(few(number))",
    "leases": "with few.lease(number) as it: got(it)",
}


@pytest.mark.parametrize("work", BUSY.values(), ids=BUSY.keys())
@pytest.mark.parametrize("where", ["main", "other"])
def test_l6_whatever_the_program_is_doing_no_caller_has_what_is_not_released(
    tmp_path: Path, work: str, where: str
) -> None:
    """Rounds, since a signal may come at any moment; that nothing is lost holds at each."""
    text = f"""
@tenure.cache_resource(on_release=release, max_entries=2)
def few(number):
    return number

@tenure.cache_resource(on_release=release)
def thing(name):
    return name

last = None

def got(it):
    global last
    if it != last:
        note("got", it)
    last = it

def work():
    global last
    number = 0
    while True:
        number += 1
        {work}
        if number == 3:
            ready()
        if {work!r}.endswith("clear()"):
            last = None

if {where!r} == "main":
    work()
threading.Thread(target=work, daemon=True).start()
wait_for_the_end()
"""
    for round in range(5):
        folder = tmp_path / str(round)
        folder.mkdir()
        with Program(folder, text) as program:
            program.await_ready()
            program.send(signal.SIGTERM)
            assert program.end() == -signal.SIGTERM
            assert program.errors == ""
            notes = program.notes()
            got = Counter(note.split()[1] for note in notes if note.startswith("got "))
            released = Counter(program.released())
            assert got, "nothing was built"
            assert got - released == Counter()


HOST = """
from tenure import _native

class Build:
    observed = None
    def show(self): pass
    def end(self, ok):
        END

class Host:
    name = "test"
    def session(self): return None
    def begin(self, *_): return Build()
    def wait(self, *_): return None
    def interrupted(self): pass

other_released = threading.Event()

@tenure.cache_resource(on_release=lambda it: other_released.set())
def other():
    return "other"

other()
_native.set_host(Host())
"""


def test_l6_what_has_been_built_and_is_no_entry_yet_is_released(tmp_path: Path) -> None:
    """The end of the build comes while the releases are under way already."""
    text = HOST.replace("END", "ready(); other_released.wait(60); note('ends')")
    with Program(tmp_path, text + "thing('one')\nwait_for_the_end()") as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.notes()[-2:] == ["ends", "released one"]


def test_l6_what_is_built_during_the_releases_is_released_too(tmp_path: Path) -> None:
    text = """
released = threading.Event()

@tenure.cache_resource(on_release=lambda it: (released.set(), go_on.wait(60)))
def first():
    return "first"

go_on = threading.Event()
first()
ready()
released.wait(60)
thing("late")
note("got late")
go_on.set()
while True:
    note("got", thing("later"))
"""
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        notes = program.notes()
        assert "got late" in notes
        assert "late" in program.released()
        assert ("got later" in notes) <= ("later" in program.released())


SLOW = """
began = threading.Event()

@tenure.cache_resource(on_release=lambda it: (began.set(), print("began", flush=True), wait_a_little(), release(it)))
def slow(name):
    return name

def wait_a_little():
    threading.Event().wait(0.3)

slow("slow")
"""


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP] if os.name == "posix" else [])
def test_l6_a_second_signal_cuts_nothing_short(tmp_path: Path, second: signal.Signals) -> None:
    with Program(tmp_path, BUILT + SLOW + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.process.stdout is not None
        assert program.process.stdout.readline() == "began\n"
        program.send(second)
        assert program.end() == -signal.SIGTERM
        assert program.released() == ["slow", *LAST_FIRST]


def test_l6_a_ctrl_c_and_then_a_signal(tmp_path: Path) -> None:
    with Program(tmp_path, BUILT + SLOW + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGINT)
        assert program.process.stdout is not None
        assert program.process.stdout.readline() == "began\n"
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == ["slow", *LAST_FIRST]


def test_l6_when_the_time_is_over_a_line_says_so(tmp_path: Path) -> None:
    text = """
tenure.configure(shutdown_timeout="200ms")

@tenure.cache_resource(on_release=lambda it: wait_for_the_end())
def endless():
    return "endless"

endless()
"""
    with Program(tmp_path, text + WAITS) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert "shutdown_timeout" in program.errors


def test_l6_a_signal_that_every_thread_blocks_by_then_still_ends_the_process(tmp_path: Path) -> None:
    text = """
began, go_on = threading.Event(), threading.Event()

@tenure.cache_resource(on_release=lambda it: (began.set(), go_on.wait(60), release(it)))
def slow():
    return "slow"

slow()
ready()
began.wait(60)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
go_on.set()
wait_for_the_end()
"""
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.released() == ["slow"]


def test_l6_a_wakeup_descriptor_changes_nothing(tmp_path: Path) -> None:
    """As an event loop sets one, without handlers of its own."""
    text = """
import socket
source, target = socket.socketpair()
target.setblocking(False)
signal.set_wakeup_fd(target.fileno())
"""
    for before, after in ((text + BUILT, ""), (BUILT, text)):
        (tmp_path / "log").unlink(missing_ok=True)
        with Program(tmp_path, before + after + WAITS) as program:
            program.await_ready()
            program.send(signal.SIGTERM)
            assert program.end() == -signal.SIGTERM
            assert program.released() == LAST_FIRST


def test_l6_a_program_that_closes_what_it_did_not_open_ends_as_ever(tmp_path: Path) -> None:
    """As a daemon does. Nothing can be released then; nothing hangs, and nothing lands in its own files."""
    text = f"""
os.closerange(3, 256)
mine = [os.open({str(tmp_path)!r} + f"/mine-{{number}}", os.O_RDWR | os.O_CREAT) for number in range(32)]
print("ready", flush=True)
wait_for_the_end()
"""
    with Program(tmp_path, BUILT + text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
    assert [path.stat().st_size for path in tmp_path.glob("mine-*")] == [0] * 32


def test_l6_a_child_closes_nothing_but_its_copy_of_the_pipe(tmp_path: Path) -> None:
    """A daemon closes all that it has inherited; the numbers are then given to files of its own."""
    text = f"""
child = os.fork()
if child == 0:
    os.closerange(3, 256)
    mine = [os.open({str(tmp_path)!r} + f"/mine-{{number}}", os.O_RDWR | os.O_CREAT) for number in range(32)]
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    thing("child's")
    for number in mine:
        os.fstat(number)
    sys.exit(3)
_, status = os.waitpid(child, 0)
note("child", os.waitstatus_to_exitcode(status))
"""
    with Program(tmp_path, BUILT + text) as program:
        assert program.end() == 0, program.errors
        assert "child 3" in program.notes()
        assert program.released() == ["child's", *LAST_FIRST]


def test_l6_the_first_process_of_a_container(tmp_path: Path) -> None:
    """No default action ends it, so a signal that nobody handles is not its end unless it was taken over."""
    unshare = shutil.which("unshare")
    apart = [unshare or "", "--pid", "--fork", "--kill-child"]
    if unshare is None or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespace of processes can be made here")
    text = "print(os.readlink('/proc/self'), os.getpid(), flush=True)\n" + BUILT + WAITS
    with Program(tmp_path, text, under=tuple(apart)) as program:
        assert program.process.stdout is not None
        outside, inside = program.process.stdout.readline().split()
        assert inside == "1"
        program.await_ready()
        os.kill(int(outside), signal.SIGTERM)
        assert program.end() == 128 + signal.SIGTERM
        assert program.released() == LAST_FIRST
