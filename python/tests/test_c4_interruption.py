"""C4: a wait can be interrupted, and a build that dies hands on; no entry is poisoned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

import tenure
from tenure.testing import Clock
from world import LOST, Job, Ledger, TestHost, await_waiting, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Died(BaseException):
    """Not an `Exception`: what ends a thread, not what a build reports."""


@pytest.mark.parametrize("death", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), Died()])
def test_c4_a_build_that_dies_hands_on_to_one_who_waits(clock: Clock, ledger: Ledger, death: BaseException) -> None:
    began, runs = threading.Event(), []

    @tenure.cache_resource
    def thing() -> object:
        runs.append(threading.current_thread())
        if len(runs) == 1:
            began.set()
            await_waiting(thing, 3)
            raise death
        return ledger.build()

    first = Job(thing)
    wait(began)
    waiting = [Job(thing) for _ in range(3)]
    assert first.error() is death
    things = [job.result() for job in waiting]
    assert len(runs) == 2
    assert runs[0] is not runs[1]
    assert things == [ledger.built[0]] * 3
    assert thing() is things[0]


def test_c4_a_build_that_dies_alone_leaves_nothing(clock: Clock, ledger: Ledger) -> None:
    runs = []

    @tenure.cache_resource
    def thing() -> object:
        runs.append(None)
        if len(runs) == 1:
            raise SystemExit(3)
        return ledger.build()

    with pytest.raises(SystemExit):
        thing()
    assert thing() is thing()
    assert len(runs) == 2


def test_c4_an_inner_build_that_dies_takes_the_outer_one_along(clock: Clock, ledger: Ledger) -> None:
    dies = [True]

    @tenure.cache_resource
    def inner() -> object:
        if dies:
            raise KeyboardInterrupt
        return ledger.build()

    @tenure.cache_resource
    def outer() -> object:
        return [inner()]

    with pytest.raises(KeyboardInterrupt):
        outer()
    dies.clear()
    assert outer()[0] is inner()


def test_c4_the_host_ends_a_wait(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource
    def thing() -> object:
        began.set()
        wait(go_on)
        return ledger.build()

    builder = Job(thing)
    wait(began)
    stopped = Job(thing)
    await_waiting(thing, 1)
    host.stop = Died()
    assert stopped.error() is host.stop
    host.stop = None
    # The build goes on, and other waits too.
    waiting = Job(thing)
    go_on.set()
    assert waiting.result() is builder.result()
    assert thing.info().waiting == 0
    assert host.noted("end").count(False) >= 1


INTERRUPTED = """
import os, signal, sys, threading
import tenure

# Python sets it by itself, but not where a shell in the background has SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

began, go_on = threading.Event(), threading.Event()

@tenure.cache_resource
def thing():
    began.set()
    go_on.wait(60)
    return "built"

builder = threading.Thread(target=thing)
builder.start()
began.wait(60)

def interrupt():
    while not thing.info().waiting:
        pass
    print("waiting", flush=True)

threading.Thread(target=interrupt).start()
try:
    thing()
except KeyboardInterrupt:
    print("interrupted", flush=True)
go_on.set()
builder.join()
print(thing(), thing.info().builds, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_c4_ctrl_c_ends_a_wait_and_the_build_goes_on() -> None:
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=LOST)
    assert out.splitlines() == ["interrupted", "built 1"]
    assert process.returncode == 0


def test_c4_a_signal_handler_runs_during_a_wait_and_the_wait_goes_on() -> None:
    handler = "signal.signal(signal.SIGINT, lambda *_: (print('handled', flush=True), go_on.set()))"
    code = INTERRUPTED.replace("began, go_on", f"{handler}\nbegan, go_on", 1)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=LOST)
    assert out.splitlines() == ["handled", "built 1"]
