"""What a fleet costs, with members that are processes and a Redis on this machine.

    python python/bench/fleet.py

measures it alone. A hit is measured in a member beside one in a process without a fleet; while another member clears a
thousand times a second too. The way of a clear is measured from before it begins until the last of the others has let
go of what it kept. The members take turns in rounds, and what is measured has a core to itself where there are two.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rows import Row, at_most, table, within

HIT = "in a fleet: a hit, one str"
BESIDE = "in a fleet: a hit, while another member clears 1,000 times a second"
MEDIAN = "in a fleet: a clear has reached 8 members, median"
LAST = "in a fleet: a clear has reached 8 members, 99th percentile"
ALONE = "without a fleet"
QUIET = "the same without clears"
MEMBERS = 8
CLEARS = 500


class Member:
    """A process that does as it is told."""

    def __init__(self, peer: str, url: str, cores: set[int]) -> None:
        script = Path(__file__).with_name("fleet_member.py")
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, script, peer, url], stdin=pipe, stdout=pipe, text=True)
        if cores:
            os.sched_setaffinity(self.process.pid, cores)
        assert self.answer() == "ready"

    def begin(self, *do: object) -> None:
        assert self.process.stdin is not None
        print(*do, file=self.process.stdin, flush=True)

    def answer(self) -> str:
        while True:
            line = self._line()
            if not line.startswith("lost"):
                return line

    def lost(self, since: int) -> int:
        """When it lost what it kept, at this time or later."""
        while True:
            said, _, when = self._line().partition(" ")
            if said == "lost" and int(when) >= since:
                return int(when)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the member has gone: see above"
        return line.strip()

    def do(self, *do: object) -> str:
        self.begin(*do)
        return self.answer()

    def close(self) -> None:
        self.process.communicate()


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """The rows that are wanted; none where there is no Redis."""
    if not any(map(wanted, (HIT, BESIDE, MEDIAN, LAST))):
        return []
    if not (program := shutil.which("redis-server") or shutil.which("valkey-server")):
        print("no rows for a fleet: there is no redis-server", file=sys.stderr)
        return []
    rows = []
    with ExitStack() as stack:
        url = stack.enter_context(_server(program))
        if wanted(HIT):
            rows.append(Row(HIT, _hits(rounds, seconds, url), goals=[within(1.05, ALONE)]))
        if wanted(BESIDE):
            rows.append(Row(BESIDE, _beside(rounds, seconds, url), goals=[within(1.10, QUIET)]))
        if wanted(MEDIAN) or wanted(LAST):
            reached = {peer: _reached(peer, url) for peer in ("tenure", "cashews")}
            medians = {peer: statistics.median(taken) for peer, taken in reached.items()}
            rows.append(Row(MEDIAN, medians, goals=[at_most(1e-3, "1 ms")]))
            last = {peer: sorted(taken)[len(taken) * 99 // 100] for peer, taken in reached.items()}
            rows.append(Row(LAST, last, goals=[at_most(5e-3, "5 ms")]))
    return rows


def _hits(rounds: int, seconds: float, url: str) -> dict[str, float]:
    members = {
        "tenure": ("tenure", url),
        ALONE: ("tenure", "none"),
        "cashews, client-side cache": ("cashews", url),
        "aiocache on Redis": ("aiocache", url),
    }
    with ExitStack() as stack:
        started = {name: stack.enter_context(_member(*how, {_cores()[0]})) for name, how in members.items()}
        return _medians(rounds, {name: _hit(member, seconds) for name, member in started.items()})


def _beside(rounds: int, seconds: float, url: str) -> dict[str, float]:
    measured, beside = _cores()
    with _member("tenure", url, {measured}) as hits, _member("tenure", url, {beside}) as clears:
        quiet = _hit(hits, seconds)

        def busy() -> float:
            clears.begin("clears", 10 * seconds)
            taken = quiet()
            assert int(clears.answer()) > 0
            return taken

        return _medians(rounds, {"tenure": busy, QUIET: quiet})


def _reached(peer: str, url: str) -> list[float]:
    with ExitStack() as stack:
        clears, *others = [stack.enter_context(_member(peer, url, set())) for _ in range(MEMBERS + 1)]
        taken = []
        for _ in range(CLEARS):
            # Twice: cashews may take what the first has stored for a change, and lose it again.
            for member in (clears, *others, *others):
                assert member.do("keep") == "kept"
            begun = int(clears.do("clear"))
            taken.append(max(member.lost(begun) for member in others) - begun)
        return [nanoseconds / 1e9 for nanoseconds in taken]


def _hit(member: Member, seconds: float) -> Callable[[], float]:
    return lambda: float(member.do("hits", seconds))


def _medians(rounds: int, measures: dict[str, Callable[[], float]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in measures}
    # More of them and shorter ones: what the machine does besides is more than what is measured.
    for _ in range(3 * rounds):
        for name, it in measures.items():
            taken[name].append(it())
    return {name: statistics.median(values) for name, values in taken.items()}


def _cores() -> tuple[int, int]:
    """The core of what is measured, and the one of what goes on besides."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[-1], cores[0]


@contextmanager
def _member(peer: str, url: str, cores: set[int]) -> Iterator[Member]:
    member = Member(peer, url, cores)
    try:
        yield member
    finally:
        member.close()


@contextmanager
def _server(program: str) -> Iterator[str]:
    """Gives the address of a server that keeps nothing on disk and ends with the measurement."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.01)
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    print(table(measure(7, 0.02, lambda name: True)))
