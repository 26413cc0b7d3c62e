"""What the core tests share: resources that keep a log, a host that does as it is told, and threads that report."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tenure import _native

#: What a test waits for at most before it says that something hangs.
LOST = 60.0


class Thing:
    """A resource."""

    def __init__(self, name: object, number: int) -> None:
        self.name = name
        self.number = number
        self.is_open = True

    def __repr__(self) -> str:
        return f"<thing {self.name!r} no. {self.number}>"


class Ledger:
    """What was built and what was released, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.built: list[Thing] = []
        self.released: list[Thing] = []
        self.was_released = threading.Condition(self._lock)

    def build(self, name: object = None) -> Thing:
        with self._lock:
            thing = Thing(name, len(self.built))
            self.built.append(thing)
            return thing

    def release(self, thing: Thing) -> None:
        with self._lock:
            assert thing.is_open, f"{thing} was released twice"
            thing.is_open = False
            self.released.append(thing)
            self.was_released.notify_all()

    def names(self) -> list[object]:
        """The names of what was released, in order."""
        with self._lock:
            return [thing.name for thing in self.released]

    def await_releases(self, count: int) -> None:
        with self._lock:
            done = self.was_released.wait_for(lambda: len(self.released) >= count, LOST)
            assert done, f"{len(self.released)} of {count} were released"


class Recording:
    observed = None

    def __init__(self, what: object) -> None:
        self.what = what


class Build:
    def __init__(self, host: TestHost, func: Any, text: str | None) -> None:
        self.host, self.func, self.text = host, func, text

    def show(self) -> None:
        self.host.note("show", self.text)

    def end(self, ok: bool) -> Recording | None:
        self.host.note("end", ok)
        put = self.host.taken()
        return Recording(put) if put else None


class TestHost:
    """A host whose sessions belong to threads, and which takes down what it is told."""

    __test__ = False
    name = "test"

    def __init__(self) -> None:
        self._here = threading.local()
        self._lock = threading.Lock()
        self.notes: list[tuple[str, Any]] = []
        self.stop: BaseException | None = None

    def note(self, what: str, about: Any = None) -> None:
        with self._lock:
            self.notes.append((what, about))

    def noted(self, what: str) -> list[Any]:
        with self._lock:
            return [about for kind, about in self.notes if kind == what]

    def put(self, element: object) -> None:
        """What a cached function does to put something out."""
        self._here.__dict__.setdefault("put", []).append(element)

    def taken(self) -> list[object]:
        return self._here.__dict__.pop("put", [])

    @contextmanager
    def serving(self, session: str | None) -> Iterator[None]:
        before = self.session()
        self._here.session = session
        try:
            yield
        finally:
            self._here.session = before

    def session(self) -> str | None:
        return getattr(self._here, "session", None)

    def has_ended(self, session: str) -> bool:
        return False

    def begin(self, func: Any, text: str | None, show_time: bool, allow_widgets: bool) -> Build:
        self.note("begin", func)
        return Build(self, func, text)

    def wait(self, func: Any, text: str | None, show_time: bool) -> Build:
        self.note("wait", func)
        return Build(self, func, text)

    def replay(self, recording: Recording, func: Any) -> None:
        self.note("replay", recording.what)

    def observe(self, inputs: Any) -> object:
        raise AssertionError("nothing is observed here")

    def interrupted(self) -> None:
        if self.stop is not None:
            raise self.stop


class Job:
    """Work on a thread of its own, with its result or what it raised."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self._result = work()
        except BaseException as error:
            self._error = error

    def error(self) -> BaseException | None:
        self._thread.join(LOST)
        assert not self._thread.is_alive(), "a thread hangs"
        return self._error

    def result(self) -> Any:
        error = self.error()
        if error is not None:
            raise error
        return self._result


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Runs `work(0)` to `work(count - 1)` at once, each on its thread, and gives what each returned."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait(LOST)
        return work(number)

    jobs = [Job(lambda number=number: run(number)) for number in range(count)]
    return [job.result() for job in jobs]


def wait(event: threading.Event) -> None:
    assert event.wait(LOST), "an event never came"


def until(is_so: Callable[[], bool]) -> None:
    turn = threading.Event()
    for _ in range(int(LOST / 0.001)):
        if is_so():
            return
        turn.wait(0.001)
    raise AssertionError("what was waited for never came")


def await_waiting(function: Any, count: int) -> None:
    """Until so many callers wait for a build."""
    until(lambda: function.info().waiting == count)


def releases(function: Any) -> Counter[str]:
    """The function's releases by cause, without the causes that did not occur."""
    return Counter({cause: count for cause, count in function.info().releases.items() if count})


def settled(function: Any) -> bool:
    """Whether everything that the function built is either live, draining, or released."""
    info = function.info()
    return info.builds == sum(info.releases.values()) + info.entries + info.draining


def is_quiet() -> bool:
    """Whether no release is under way, on whichever thread: one is counted before its callback runs."""
    return _native._inspect()["releasing"] == 0


def give_back_freed_memory() -> None:
    """Has the allocator keep nothing: what is built from what it has got already adds nothing to the process."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
