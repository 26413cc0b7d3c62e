"""The examples on Celery, Flask and Django, each run as its first lines say: a process ends what it holds.

Each prints a line for each ledger that it closes, with what has been entered there: every request is in one of them,
and each process closes its own once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ports import free_port
from world import LOST

AGAIN = 5.0
"""Seconds after which an edit that no reloader has seen is made again."""

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="servers for POSIX")


class Program:
    """A server in a folder that has the example's file, and all that it prints."""

    def __init__(self, folder: Path, example: str, *command: str, **env: str) -> None:
        self.file = folder / Path(example).name
        if not self.file.exists():
            shutil.copy(EXAMPLES / example, self.file)
        self._said = folder / "said"
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
                stdout=said,
                stderr=subprocess.STDOUT,
                # What a terminal sends to all of them, Ctrl-C.
                start_new_session=True,
            )

    def said(self) -> str:
        return self._said.read_text()

    def await_said(self, text: str, times: int = 1) -> None:
        self.until(lambda: self.said().count(text) >= times)

    def until(self, what: Callable[[], object], *, lives: bool = True) -> None:
        """Waits until something is so, for as long as the process lives, if it has to."""
        end = time.monotonic() + LOST
        while not what():
            assert not lives or self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def closed(self) -> dict[str, int]:
        """The number of entries in each ledger that was closed, by its process."""
        lines = re.findall(r"process (\d+) closes its ledger of (\d+)", self.said())
        assert len(dict(lines)) == len(lines), lines
        return {process: int(entries) for process, entries in lines}

    def end(self, sent: signal.Signals, status: int = 0) -> None:
        """Sends this to the process; a Ctrl-C to all of them, as a terminal does."""
        if sent == signal.SIGINT:
            os.killpg(self.process.pid, sent)
        else:
            self.process.send_signal(sent)
        assert self.process.wait(LOST) == status, self.said()


@contextmanager
def running(folder: Path, example: str, *command: str, **env: str) -> Iterator[Program]:
    program = Program(folder, example, *command, **env)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            os.killpg(program.process.pid, signal.SIGKILL)
            program.process.wait()


@pytest.fixture
def port() -> int:
    return free_port()


def ask(program: Program, port: int, kind: str = "poppy") -> str:
    """Asks for a price, once the server answers; gives the process that has told it."""
    answers: list[dict[str, object]] = []

    def has_answered() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/price/{kind}", timeout=LOST) as response:
                answers.append(json.load(response))
        except OSError:
            return False
        return True

    program.until(has_answered)
    assert (answers[0]["kind"], answers[0]["cents"]) == (kind, 80)
    return str(answers[0]["process"])


# --- Celery ---------------------------------------------------------------------------------------

POOLS = {
    "processes that are replaced": ("--pool=prefork", "--max-tasks-per-child=3"),
    "solo": ("--pool=solo",),
    "threads": ("--pool=threads",),
    "greenlets": ("--pool=gevent",),
}
PLAIN = ("--without-heartbeat", "--without-gossip", "--without-mingle", "--concurrency=2")


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
@pytest.mark.filterwarnings("ignore")
def test_l6_l7_celery_in_every_pool(tmp_path: Path, pool: tuple[str, ...]) -> None:
    """L6, L7: a warm shutdown; nothing is written for it."""
    env = {"QUEUE": str(tmp_path / "queue")}
    command = ("-m", "celery", "-A", "tasks", "worker", *PLAIN, *pool)
    with running(tmp_path, "celery/tasks.py", *command, **env) as program:
        kinds = ["poppy", "clover"] * 4
        done = subprocess.run(
            [sys.executable, "tasks.py", *kinds],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=LOST,
        )
        assert done.stdout.splitlines() == [f"{kind}: from 80 cents" for kind in kinds], done.stderr
        program.end(signal.SIGTERM)
        closed = program.closed()
    assert sum(closed.values()) == 8
    if "prefork" in pool[0]:
        assert max(closed.values()) <= 3
        assert str(program.process.pid) not in closed
    else:
        assert list(closed) == [str(program.process.pid)]


def test_l7_celery_that_is_stopped_at_once(tmp_path: Path) -> None:
    """L7: a cold shutdown terminates the pool's processes."""
    env = {"QUEUE": str(tmp_path / "queue")}
    with running(tmp_path, "celery/tasks.py", "-m", "celery", "-A", "tasks", "worker", *PLAIN, **env) as program:
        command = [sys.executable, "tasks.py", "poppy"]
        assert subprocess.run(command, cwd=tmp_path, env={**os.environ, **env}, capture_output=True).returncode == 0
        program.process.send_signal(signal.SIGQUIT)
        program.process.wait(LOST)
        program.until(program.closed, lives=False)
        assert list(program.closed().values()) == [1]


# --- Flask, Django and gunicorn -------------------------------------------------------------------


def restarted(program: Program, port: int, sent: signal.Signals, status: int) -> None:
    """Asks, edits the file, asks the process that has taken the first one's place, and stops both."""
    first = ask(program, port)
    text = program.file.read_text()
    edits: list[float] = []

    def has_ended() -> bool:
        # A reloader that had not looked yet takes an edit for how things were, so there is another one now and then.
        if not edits or time.monotonic() - edits[-1] > AGAIN:
            edits.append(time.monotonic())
            later = time.time() + 2 * len(edits)
            program.file.write_text(f"{text}\n# Edit {len(edits)}.\n")
            os.utime(program.file, (later, later))
        return f"process {first} closes its ledger of 1" in program.said()

    program.until(has_ended)
    second = ask(program, port, "clover")
    assert second != first
    program.end(sent, status)
    program.until(lambda: second in program.closed(), lives=False)
    assert program.closed() == {first: 1, second: 1}


def test_l6_flask_restarts_after_an_edit(tmp_path: Path, port: int) -> None:
    """L6: `flask --debug` ends the old process first."""
    command = ("-m", "flask", "--app", "app", "--debug", "run", "--port", str(port))
    with running(tmp_path, "flask/app.py", *command) as program:
        restarted(program, port, signal.SIGINT, 0)


def test_l6_django_restarts_after_an_edit(tmp_path: Path, port: int) -> None:
    """L6: `runserver`."""
    with running(tmp_path, "django/shop.py", "shop.py", "runserver", str(port)) as program:
        restarted(program, port, signal.SIGINT, 0)


@pytest.mark.parametrize(("example", "app"), [("flask/app.py", "app:app"), ("django/shop.py", "shop:application")])
def test_l7_l18_gunicorn_replaces_workers(tmp_path: Path, port: int, example: str, app: str) -> None:
    """L7, L18: `max_requests` ends a worker, HUP all of them, SIGTERM the server."""
    command = ("-m", "gunicorn", "--preload", "-w", "2", "--max-requests", "3", "-b", f"127.0.0.1:{port}", app)
    with running(tmp_path, example, *command) as program:
        asked = Counter(ask(program, port) for _ in range(8))
        program.process.send_signal(signal.SIGHUP)
        program.await_said("Booting worker", len(asked) + 2)
        asked.update(ask(program, port) for _ in range(2))
        program.end(signal.SIGTERM)
        assert program.closed() == asked
        assert len(asked) >= 3


def test_l6_gunicorn_reload(tmp_path: Path, port: int) -> None:
    """L6: `gunicorn --reload` has the worker end."""
    command = ("-m", "gunicorn", "--reload", "-w", "1", "--threads", "4", "-b", f"127.0.0.1:{port}", "app:app")
    with running(tmp_path, "flask/app.py", *command) as program:
        restarted(program, port, signal.SIGTERM, 0)


ASGI = """
import asyncio, sys, threading
sys.path.insert(0, sys.argv[1])
import tenure, shop
from django.http import HttpResponse
from django.urls import path
from served import Client, serving

closed = []

@tenure.cache_resource(scope="session", on_release=closed.append)
def own():
    return []

def blocking(request):
    own().append(threading.current_thread() is threading.main_thread())
    return HttpResponse(str(own()))

async def awaiting(request):
    own().append("async")
    return HttpResponse(str(own()))

shop.urlpatterns += [path("blocking", blocking), path("awaiting", awaiting)]

async def main():
    async with serving(shop.served):
        client = Client(shop.served)
        assert await client.get("/blocking") == "[False]"
        assert await client.get("/awaiting") == "['async']"
        assert (await client.get("/price/poppy")).startswith('{"kind": "poppy", "cents": 80')

asyncio.run(main())
assert closed == [[False], ["async"]], closed
"""


def test_a9_a_request_to_django_is_a_session_on_an_asgi_server(tmp_path: Path) -> None:
    """A9: also for blocking views, which Django runs on a thread."""
    shutil.copy(EXAMPLES / "django" / "shop.py", tmp_path)
    command = [sys.executable, "-c", ASGI, str(Path(__file__).parent)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LOST)
    assert done.returncode == 0, done.stderr
    assert "closes its ledger of 1" in done.stdout
