"""L6: signals that nobody handles release first; handlers of the program, earlier and later ones, are respected."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
    text = BUILT + "tenure.configure(shutdown_timeout=0.2)\nready()\nsum(range(10**13))"
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
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
told = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: told.set())
with lock:
    ready()
    while not told.wait(1):
        pass
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
@unhandled
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


@unhandled
def test_l6_a_handler_that_goes_on_keeps_everything(tmp_path: Path, number: signal.Signals) -> None:
    """SIGHUP as a wish to read the configuration again, say."""
    text = f"""
handled = threading.Event()
signal.signal({int(number)}, lambda *_: (note("handled"), handled.set()))
ready()
while not handled.wait(1):
    pass
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
        program.send(signal.SIGHUP)
        while not (tmp_path / "log.c").stat().st_size:
            assert program.process.poll() is None, program.end()
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
serving = threading.Event()

def serve():
    before = signal.signal(signal.SIGTERM, lambda *_: serving.set())
    for name in ("one", "two", "three"):
        thing(name)
    ready()
    while not serving.wait(1):
        pass
    note("served")
    signal.signal(signal.SIGTERM, before)
    signal.raise_signal(signal.SIGTERM)
    wait_for_the_end()

serve()
"""
    with Program(tmp_path, text) as program:
        program.await_ready()
        program.send(signal.SIGTERM)
        assert program.end() == -signal.SIGTERM
        assert program.notes()[-4:] == ["served", *(f"released {name}" for name in LAST_FIRST)]


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
