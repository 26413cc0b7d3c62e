"""L18 with the servers that fork: gunicorn with `--preload`, and Celery's pre-fork pool, eight workers each.

The main process builds a large resource before it forks. Each test counts who built and who released it, and reads from
the system what the workers' memory is together (Pss: each page counts once, divided among those who share it).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from world import LOST

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"),
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the system does not tell Pss"),
]

WORKERS = 8
SIZE = 64 << 20

MODEL = f"""
import os
import tenure

def note(*what):
    log = os.open({"log"!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(log, (" ".join(map(str, what)) + "\\n").encode())
    os.close(log)

class Model:
    def __init__(self):
        self.made_by = os.getpid()
        self.weights = bytearray(b"x") * {SIZE}

def release(model):
    note("released", model.made_by, "by", os.getpid())

@tenure.cache_resource(fork=os.environ["FORK"], on_release=release)
def model():
    note("built", os.getpid())
    return Model()

@tenure.cache_resource(on_release=lambda it: note("closed", it[0], "by", os.getpid()))
def connection():
    note("connected", os.getpid())
    return [os.getpid()]

def ask():
    # Reads a byte of each page.
    assert sum(model().weights[::4096]) == {SIZE // 4096} * ord("x")
    assert connection()[0] == os.getpid()
    info = model.info()
    return {{"worker": os.getpid(), "made_by": model().made_by, "builds": info.builds, "inherited": info.inherited}}
"""

GUNICORN = """
import json
from model import ask, model

model()

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(ask()).encode()]
"""

# Each worker asks before it is ready, whichever of them the system gives the requests to.
SETTINGS = """
from model import ask, note

def post_worker_init(worker):
    ask()
    note("ready", worker.pid)
"""

CELERY = """
import os, signal, threading, time
from celery import Celery
from celery.signals import worker_init, worker_process_init
from model import ask, model, note

app = Celery("program", broker="memory://", backend="file://" + os.getcwd())
app.conf.worker_hijack_root_logger = False
task = app.task(ask)

@worker_init.connect
def load(**_):
    model()

@worker_process_init.connect
def begin(**_):
    ask()
    note("ready", os.getpid())

def goes_on():
    try:
        results = [task.delay() for _ in range(40)]
        # This is no task, although it is asked in a worker's process.
        for result in results:
            note("answer", result.get(timeout=60, disable_sync_subtasks=False))
        while not os.path.exists("measured"):
            time.sleep(0.01)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)

if __name__ == "__main__":
    threading.Thread(target=goes_on).start()
    app.worker_main(["worker", "--pool=prefork", "--concurrency=8", "--without-gossip", "--without-mingle"])
"""


class Program:
    """A server that runs in a folder, and what its processes have noted there."""

    def __init__(self, folder: Path, fork: str, *command: str) -> None:
        self.folder = folder
        (folder / "model.py").write_text(MODEL)
        (folder / "out").touch()
        with (folder / "out").open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={**os.environ, "FORK": fork, "PYTHONPATH": str(folder)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return (self.folder / "out").read_text()

    def notes(self, kind: str) -> list[list[str]]:
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(kind + " ")]

    def wait(self, until: Callable[[], object]) -> None:
        end = time.monotonic() + LOST
        while not until():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def workers(self) -> list[str]:
        self.wait(lambda: len(self.notes("ready")) >= WORKERS)
        return [worker for (worker,) in self.notes("ready")]

    def end(self) -> None:
        assert self.process.wait(LOST) == 0, self.said()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def pss(worker: str) -> int:
    """The worker's part of the memory that the resource is in: of what is mapped in pieces as large as it."""
    share, is_large = 0, False
    for line in Path(f"/proc/{worker}/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Size":
            is_large = int(value.split()[0]) << 10 >= SIZE
        elif name == "Pss" and is_large:
            share += int(value.split()[0]) << 10
    return share


def copies(workers: list[str]) -> float:
    """How many resources the workers have in memory together."""
    return sum(map(pss, workers)) / SIZE


def serve(folder: Path, kind: str, fork: str) -> Program:
    (folder / "web.py").write_text(GUNICORN)
    (folder / "settings.py").write_text(SETTINGS)
    command = ["-m", "gunicorn", "-c", "settings.py", "--preload", "-k", kind, "-w", str(WORKERS), "-b", "127.0.0.1:0"]
    threads = ["--threads", "4"] if kind == "gthread" else []
    return Program(folder, fork, *command, *threads, "web:app")


def address(program: Program) -> str:
    program.wait(lambda: "Listening at: " in program.said())
    return program.said().split("Listening at: ")[1].split()[0]


def assert_kept(program: Program, workers: list[str]) -> None:
    """The main process built and released it, each worker a connection of its own and nothing else."""
    main = str(program.process.pid)
    assert program.notes("built") == [[main]]
    assert program.notes("released") == [[main, "by", main]]
    connected = [worker for (worker,) in program.notes("connected")]
    assert sorted(connected) == sorted(workers)
    assert sorted(program.notes("closed")) == sorted([worker, "by", worker] for worker in workers)


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_l18_gunicorn_with_preload(tmp_path: Path, kind: str) -> None:
    program = serve(tmp_path, kind, "keep")
    try:
        workers = program.workers()
        assert len(set(workers)) == WORKERS
        for _ in range(40):
            with urllib.request.urlopen(address(program), timeout=LOST) as response:
                answer = json.load(response)
            assert str(answer["worker"]) in workers
            assert answer["made_by"] == program.process.pid
            assert (answer["builds"], answer["inherited"]) == (0, 1)
        together = copies(workers)
        print(f"gunicorn {kind}: {together:.2f} copies of {SIZE >> 20} MiB in {WORKERS} workers")
        assert together < WORKERS / 3
        program.process.send_signal(signal.SIGTERM)
        program.end()
    finally:
        program.stop()
    assert_kept(program, workers)


def test_l18_gunicorn_with_preload_and_without_keep(tmp_path: Path) -> None:
    """What the figures above are compared with: each worker builds its own."""
    program = serve(tmp_path, "sync", "drop")
    try:
        workers = program.workers()
        together = copies(workers)
        print(f"gunicorn without keep: {together:.2f} copies of {SIZE >> 20} MiB in {WORKERS} workers")
        assert together > WORKERS - 0.5
        program.process.send_signal(signal.SIGTERM)
        program.end()
    finally:
        program.stop()
    builders = [builder for (builder,) in program.notes("built")]
    assert sorted(builders) == sorted([*workers, str(program.process.pid)])
    assert sorted(program.notes("released")) == sorted([builder, "by", builder] for builder in builders)


def test_l18_gunicorn_workers_that_are_replaced(tmp_path: Path) -> None:
    """One that is killed is forked anew from the main process, and has the resource as well."""
    program = serve(tmp_path, "sync", "keep")
    try:
        workers = program.workers()
        os.kill(int(workers[0]), signal.SIGKILL)
        program.wait(lambda: len(program.notes("ready")) > WORKERS)
        program.process.send_signal(signal.SIGTERM)
        program.end()
    finally:
        program.stop()
    main = str(program.process.pid)
    assert program.notes("built") == [[main]]
    assert program.notes("released") == [[main, "by", main]]
    assert len(program.notes("closed")) == WORKERS  # the one that was killed had no moment for it


def test_l18_celery_pre_fork_pool(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CELERY)
    program = Program(tmp_path, "keep", "program.py")
    try:
        workers = program.workers()
        assert len(set(workers)) == WORKERS
        program.wait(lambda: len(program.notes("answer")) == 40)
        for answer in program.notes("answer"):
            text = " ".join(answer)
            assert f"'made_by': {program.process.pid}, 'builds': 0, 'inherited': 1" in text
        together = copies(workers)
        print(f"Celery: {together:.2f} copies of {SIZE >> 20} MiB in {WORKERS} workers")
        assert together < WORKERS / 3
        (tmp_path / "measured").touch()
        program.end()
    finally:
        program.stop()
    assert_kept(program, workers)
