"""L7: a worker process releases what it built at its own end, whichever library started it and however that ends it.

Each test runs a program of its own, whose resources write down in one file who built and who released them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from world import LOST

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

JOBS = """
import os
import tenure

folder = os.path.dirname(os.path.abspath(__file__))

def note(*what):
    with open(os.path.join(folder, "log"), "a") as log:
        log.write(" ".join(map(str, what)) + "\\n")

@tenure.cache_resource(on_release=lambda it: note("released", *it))
def connection(name):
    note("built", name, os.getpid())
    return name, os.getpid()

def work(number):
    connection(number % 3)
    return number
"""

BEGIN = """
import os, signal, sys, threading
from jobs import connection, folder, note, work
"""


def run(folder: Path, text: str) -> list[list[str]]:
    """Runs the program as a script, beside what its workers import."""
    (folder / "jobs.py").write_text(JOBS)
    script = folder / "program.py"
    script.write_text(BEGIN + text)
    done = subprocess.run([sys.executable, str(script)], timeout=LOST, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def assert_released(notes: list[list[str]], *, workers: int) -> None:
    """Every resource that some worker built was released by the same process, once."""
    built = sorted(note[1:] for note in notes if note[0] == "built")
    assert sorted(note[1:] for note in notes if note[0] == "released") == built
    assert len({pid for _, pid in built}) >= workers


COPIES = ["multiprocessing", "multiprocess", "billiard"]


@pytest.mark.parametrize(
    ("copy", "method"),
    [
        *((copy, method) for copy in COPIES for method in ("fork", "forkserver")),
        ("billiard", "spawn"),
    ],
)
def test_l7_a_process_of_each_copy_of_multiprocessing(tmp_path: Path, copy: str, method: str) -> None:
    notes = run(
        tmp_path,
        f"""
def both(number):
    work(number)
    work(number + 1)

if __name__ == "__main__":
    import {copy} as copy
    context = copy.get_context({method!r})
    processes = [context.Process(target=both, args=(1,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
""",
    )
    assert_released(notes, workers=2)
    assert len(notes) == 8


@pytest.mark.parametrize(
    ("copy", "method", "end"),
    [
        *((copy, "fork", end) for copy in COPIES for end in ("close", "terminate")),
        ("billiard", "spawn", "close"),  # ends by `os._exit` even so
    ],
)
def test_l7_a_pool_of_each_copy(tmp_path: Path, copy: str, method: str, end: str) -> None:
    """Its workers are replaced after a few tasks, as servers have it, and in the end closed or terminated."""
    notes = run(
        tmp_path,
        f"""
if __name__ == "__main__":
    import {copy} as copy
    pool = copy.get_context({method!r}).Pool(2, maxtasksperchild=4)
    assert pool.map(work, range(12), chunksize=1) == list(range(12))
    pool.{end}()
    pool.join()
""",
    )
    assert_released(notes, workers=3)


def test_l7_a_pools_own_callback_comes_first_and_may_use_what_is_held(tmp_path: Path) -> None:
    notes = run(
        tmp_path,
        """
def leave(pid, status):
    note("leaves with", *connection("of the callback"))

if __name__ == "__main__":
    from billiard.pool import Pool
    pool = Pool(1, on_process_exit=leave)
    assert pool.map(work, [1]) == [1]
    pool.close()
    pool.join()
""",
    )
    assert [note[0] for note in notes] == ["built", "built", "leaves", "released", "released"]


def test_l7_a_copy_that_nobody_here_knows(tmp_path: Path) -> None:
    """Found by its shape, not by its name, although it is imported only after the first build."""
    import multiprocess

    source = Path(multiprocess.__file__).parent
    copied = tmp_path / "vendored" / "processes"
    copied.mkdir(parents=True)
    for module in source.glob("*.py"):
        (copied / module.name).write_text(module.read_text())
    notes = run(
        tmp_path,
        """
if __name__ == "__main__":
    work(0)
    sys.path.insert(0, os.path.join(folder, "vendored"))
    import processes
    process = processes.get_context("fork").Process(target=work, args=(1,))
    process.start()
    process.join()
""",
    )
    assert_released(notes, workers=2)


@pytest.mark.parametrize(
    "executor",
    [
        "concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('fork'))",
        "concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('forkserver'))",
        "concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn'))",
        "loky.ProcessPoolExecutor(2)",
        "loky.get_reusable_executor(max_workers=2)",
    ],
)
def test_l7_executors(tmp_path: Path, executor: str) -> None:
    notes = run(
        tmp_path,
        f"""
if __name__ == "__main__":
    import concurrent.futures, multiprocessing
    import loky
    with {executor} as executor:
        assert list(executor.map(work, range(20))) == list(range(20))
""",
    )
    assert_released(notes, workers=1)


def test_l7_a_worker_whose_first_build_was_interrupted_is_asked_again(tmp_path: Path) -> None:
    """L7: its end is seen to at the next build."""
    notes = run(
        tmp_path,
        """
def interrupted():
    from multiprocessing import util
    class Finalize(util.Finalize):
        def __init__(self, *args, **options):
            util.Finalize = Finalize.__base__
            raise KeyboardInterrupt
    util.Finalize = Finalize
    try:
        work(0)
    except KeyboardInterrupt:
        note("interrupted")
    work(1)

if __name__ == "__main__":
    import multiprocessing
    worker = multiprocessing.get_context("fork").Process(target=interrupted)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
""",
    )
    assert ["interrupted"] in notes
    assert_released(notes, workers=1)


def test_l7_joblib(tmp_path: Path) -> None:
    for backend in ("loky", "multiprocessing"):
        notes = run(
            tmp_path,
            f"""
if __name__ == "__main__":
    import joblib
    calls = (joblib.delayed(work)(number) for number in range(20))
    assert joblib.Parallel(n_jobs=2, backend={backend!r})(calls) == list(range(20))
""",
        )
    assert_released(notes, workers=2)


CELERY = """
from celery import Celery

app = Celery("program", broker="memory://", backend="file://" + folder)
app.conf.worker_max_tasks_per_child = 5
app.conf.worker_hijack_root_logger = False
task = app.task(work)

def ask():
    try:
        results = [task.delay(number) for number in range(20)]
        # This is no task, although it is asked in a worker's process.
        got = [result.get(timeout=60, disable_sync_subtasks=False) for result in results]
        assert got == list(range(20))
        note("answered")
    finally:
        END

if __name__ == "__main__":
    threading.Thread(target=ask).start()
    try:
        options = ["--pool=prefork", "--concurrency=2", "--without-gossip", "--without-mingle"]
        status = app.worker_main(["worker", *options])
    except SystemExit as end:
        status = end.code
    # Its workers have been joined. At its exit billiard waits for a lock that one of them may have taken along: for
    # ever, at one of about twenty ends on a busy machine, without Tenure as well.
    os._exit(status or 0)
"""


@pytest.mark.parametrize("end", ["app.control.shutdown()", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_l7_celery(tmp_path: Path, end: str) -> None:
    """Two prefork workers, replaced after five tasks each; the broker is in memory."""
    notes = run(tmp_path, CELERY.replace("END", end))
    assert ["answered"] in notes
    assert_released(notes, workers=3)
