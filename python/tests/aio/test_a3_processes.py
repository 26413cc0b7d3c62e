"""A3, L6, L7: however a process ends, what its loops hold is released or said to be lost; a child releases nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from world import LOST

BEGIN = """
import asyncio, logging, os, signal, sys, threading
logging.basicConfig(format="%(message)s")
import tenure

log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note(*what):
    os.write(log, (" ".join(map(str, what)) + "\\n").encode())

@tenure.cache_resource
async def kept():
    note("built", "kept")
    yield [1]
    await asyncio.sleep(0)
    note("released", "kept")

@tenure.cache_resource(scope="loop")
async def looped():
    note("built", "looped")
    yield [2]
    await asyncio.sleep(0)
    note("released", "looped")

async def close(it):
    await asyncio.sleep(0)
    note("released", "closed")

@tenure.cache_resource(on_release=close)
async def closed():
    note("built", "closed")
    return [3]

@tenure.cache_resource(on_release=lambda it: note("released", "plain"))
async def plain():
    note("built", "plain")
    return [4]

ALL = (kept, looped, closed, plain)

async def all_built():
    for function in ALL:
        await function()
"""
ALL = {"released kept", "released looped", "released closed", "released plain"}

ENDS = {
    "run": "asyncio.run(all_built())",
    "exit in main": """
async def main():
    await all_built()
    sys.exit(0)
asyncio.run(main())""",
    "os signal": """
async def main():
    await all_built()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60)
asyncio.run(main())""",
    "signal on a thread's loop": """
def work():
    async def main():
        await all_built()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    asyncio.run(main())
thread = threading.Thread(target=work, daemon=True)
thread.start()
thread.join()""",
    "interrupt": """
async def main():
    await all_built()
    signal.raise_signal(signal.SIGINT)
    await asyncio.sleep(60)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass""",
    "never closed": """
loop = asyncio.new_event_loop()
loop.run_until_complete(all_built())""",
    "never closed, and a task waits": """
loop = asyncio.new_event_loop()
async def main():
    await all_built()
    global task
    task = asyncio.create_task(asyncio.sleep(60))
loop.run_until_complete(main())""",
    "exit with a loop that runs on a daemon thread": """
ready = threading.Event()
async def main():
    await all_built()
    ready.set()
    await asyncio.sleep(60)
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
ready.wait()
sys.exit(0)""",
    "stopped and not closed": """
loop = asyncio.new_event_loop()
async def main():
    await all_built()
    loop.stop()
loop.create_task(main())
loop.run_forever()""",
    "stopped more than once, as a notebook's kernel does it": """
loop = asyncio.new_event_loop()
def stop(times):
    loop.stop()
    if times > 1:
        loop.call_soon(stop, times - 1)
async def main():
    await all_built()
    stop(5)
loop.create_task(main())
loop.run_forever()""",
    "uncaught": """
import contextlib
async def main():
    await all_built()
    raise OSError("the end")
with contextlib.suppress(OSError):
    asyncio.run(main())""",
    "uvloop": """
import uvloop
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(all_built())""",
    "uvloop, never closed": """
import uvloop
loop = uvloop.new_event_loop()
loop.run_until_complete(all_built())""",
}


def run(folder: Path, text: str) -> tuple[list[str], str, int]:
    log = folder / "log"
    log.touch()
    process = subprocess.run(
        [sys.executable, "-c", BEGIN + text, str(log)],
        capture_output=True,
        text=True,
        timeout=LOST,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) if os.name == "posix" else None,
    )
    return log.read_text().splitlines(), process.stderr, process.returncode


@pytest.mark.parametrize("text", ENDS.values(), ids=ENDS)
def test_a3_however_the_process_ends_all_is_released_once(text: str, tmp_path: Path) -> None:
    notes, errors, _ = run(tmp_path, text)
    released = [it for it in notes if it.startswith("released")]
    assert set(released) == ALL, errors
    assert len(released) == len(ALL)
    assert "was not released" not in errors
    assert "never awaited" not in errors


@pytest.mark.parametrize(
    "text",
    [
        "loop = asyncio.new_event_loop(); loop.run_until_complete(all_built()); loop.close()",
        """
def work():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(all_built())
    loop.close()
thread = threading.Thread(target=work)
thread.start()
thread.join()""",
    ],
    ids=["main", "thread"],
)
def test_a3_what_a_closed_loop_takes_with_it_is_said_at_the_end(text: str, tmp_path: Path) -> None:
    notes, errors, _ = run(tmp_path, text)
    # What needs no loop is released all the same.
    assert [it for it in notes if it.startswith("released")] == ["released plain"]
    for name in ("kept", "looped", "closed"):
        assert f"a resource of {name} was not released" in errors, errors


def test_a3_what_stands_on_a_thread_that_has_ended_is_released_at_the_end(tmp_path: Path) -> None:
    notes, errors, _ = run(
        tmp_path,
        """
def work():
    global loop
    loop = asyncio.new_event_loop()
    loop.run_until_complete(all_built())
thread = threading.Thread(target=work)
thread.start()
thread.join()""",
    )
    assert "released plain" in notes
    assert "before everything was released" not in errors


CHILDREN = {
    "while the loop stands still": """
loop = asyncio.new_event_loop()
loop.run_until_complete(all_built())
pid = os.fork()
if pid == 0:
    note("child")
    asyncio.run(kept())
    sys.exit(0)
os.waitpid(pid, 0)
note("parent")
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()""",
    "within a task": """
async def main():
    await all_built()
    pid = os.fork()
    if pid == 0:
        note("child")
        sys.exit(0)
    os.waitpid(pid, 0)
    note("parent")
asyncio.run(main())""",
    "after the loop": """
asyncio.run(all_built())
pid = os.fork()
if pid == 0:
    note("child")
    asyncio.run(kept())
    sys.exit(0)
os.waitpid(pid, 0)
note("parent")
""",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("text", CHILDREN.values(), ids=CHILDREN)
def test_l7_a_child_leaves_and_releases_nothing_of_its_parents_loops(text: str, tmp_path: Path) -> None:
    if "sys.exit" in text and "async def main" in text and sys.version_info >= (3, 14):
        pytest.skip("a child of a running loop cannot leave it by an exception: asyncio itself hangs")
    notes, errors, _ = run(tmp_path, text)
    at = notes.index("child")
    theirs: Any = notes[at + 1 : notes.index("parent")]
    # A loop of its own works, and has its own.
    assert theirs in ([], ["built kept", "released kept"]), (notes, errors)
    everything = [it for it in notes if it.startswith("released")]
    for it in theirs:
        if it in everything:
            everything.remove(it)
    assert sorted(everything) == sorted(ALL), (notes, errors)
