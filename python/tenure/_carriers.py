"""What the carriers of asyncio and of trio share: the homes, the builds under way, and how a loop's releases go.

A build is a task of its own on the loop of the first caller, who waits for it as everyone does. A resource that is left
as well as entered has a keeper: the one task that enters it, waits, and leaves it. What the engine releases is released
on the loop that built it.

A carrier runs the tasks of its kind of loop; what is run there, and in which order, is the same for all of them. So
loops of both kinds, on the threads of one process, wait for each other's builds.

Everything of a home is touched on its own loop's thread, but for `post`, which any thread may call, and the looks at
whether a loop is closed.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import operator
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from tenure import _native
from tenure._tasks import ENTERS, Keeper, keep, make, parents, release

__all__ = [
    "LOOK",
    "PAUSE",
    "Gate",
    "Home",
    "Result",
    "add",
    "carried",
    "homes",
    "is_looked_for",
    "sweep",
]

LOOK = 1.0
"""Seconds between two looks of a foreign waiter at whether a build's loop still runs."""

PAUSE = 0.005
"""Seconds between two looks at what the end of a loop has to wait for: a lease on another loop, say."""

_ROUNDS = 8
"""How often the end of a loop looks for what its releases have built again meanwhile."""


class _Named(Protocol):
    def get_name(self) -> str: ...


Task = TypeVar("Task", bound=_Named)
Result = TypeVar("Result")


class Home(ABC, Generic[Task]):
    """One event loop, as the place where builds, keepers and releases run."""

    meant_for_the_loop: ClassVar[tuple[type[BaseException], ...]]
    """What goes on from a task to whoever runs the loop."""

    def __init__(self, key: object) -> None:
        self.key = key
        self.state = _native.LoopState()
        self.scope = f"loop:{self.state.number}"
        self.is_ending = False
        self.is_parents = False
        self.tasks: set[Task] = set()
        self.builds: dict[int, Task] = {}
        self.keepers: set[Keeper] = set()
        self.releases: dict[Task, _native.Releasing] = {}
        self.gates: dict[int, Any] = {}
        self._posts: deque[Callable[[], object]] = deque()
        self._held_back: list[tuple[int, Callable[[], Task | None]]] | None = None
        """The releases that wait for their turn, with the numbers of their resources; None while nothing winds up."""

    @abstractmethod
    def is_closed(self) -> bool:
        """Whether nothing can run here any more."""

    @abstractmethod
    def stands_still(self) -> bool:
        """Whether nobody runs it now, or ever will."""

    @abstractmethod
    def is_here(self) -> bool:
        """Whether the present code runs on this loop."""

    @abstractmethod
    def call_soon(self, work: Callable[[], object]) -> None:
        """Has `work` called on the loop, from any thread. Raises RuntimeError where it is closed."""

    @abstractmethod
    def time(self) -> float:
        """The time by the loop's own clock. On the loop."""

    @abstractmethod
    async def pause(self) -> None:
        """Waits for `PAUSE`."""

    @abstractmethod
    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Calls this on a thread, while the loop goes on. Who waits here may stop waiting."""

    @abstractmethod
    async def wait(self, tasks: Collection[Task], until: float) -> Collection[Task]:
        """Waits for tasks, of which there are some, until that time, and gives those that are late."""

    @abstractmethod
    def spawn(
        self,
        work: Coroutine[Any, Any, None],
        name: str,
        ended: Callable[[Task], object],
        is_sheltered: bool,
        context: contextvars.Context | None = None,
    ) -> Task:
        """Runs this as a task, which the home holds until `ended` takes it out. To be called on the loop.

        A sheltered one is not cancelled by the end of the loop.
        """

    @abstractmethod
    def is_running(self, task: Task) -> bool:
        """Whether the present code runs in this task."""

    @abstractmethod
    def is_handed_on(self, build: _native.TaskBuild) -> bool:
        """Whether a build that was cancelled is handed on, since its loop ends; otherwise it has failed."""

    @abstractmethod
    def besides_cancellation(self, error: BaseException) -> BaseException | None:
        """What is left of this without the loop's cancellation."""

    @abstractmethod
    def cancellations(self) -> Callable[[BaseException], bool]:
        """A look at what foreign code raises from now on, in the present task: whether that is a cancellation that
        nobody has asked for.
        """

    @abstractmethod
    def keeper(self, task: Task, number: int) -> Keeper:
        """The keeper of what this task, which is the present one, has entered just now."""

    @abstractmethod
    def start(self, build: _native.TaskBuild, context: contextvars.Context, has_waited: bool) -> None:
        """Has a build carried by a task of its own, in the context that it was begun in.

        A caller who waited for one that has been cancelled with its loop ends with it too.
        """

    @abstractmethod
    async def landing(self, caller: _native.TaskWaiter) -> None:
        """Waits until the build has ended."""

    def stepwise(self, work: Awaitable[Result]) -> Awaitable[Result]:
        """Awaits what enters a resource, or leaves it."""
        return work

    def contained(self, what: str) -> contextlib.AbstractContextManager[object]:
        """Lies around what may raise where nobody hears it but who runs the loop."""
        return contextlib.nullcontext()

    def post(self, work: Callable[[], object]) -> bool:
        """Has `work` called on the loop, from any thread. `False`: it is closed, and never will be."""
        self._posts.append(work)
        is_closed = False
        try:
            self.call_soon(self.take_posts)
        except RuntimeError:
            is_closed = True
        if not (is_closed or self.state.is_over):
            return True
        # Who ends the home may have taken it out yet.
        try:
            self._posts.remove(work)
        except ValueError:
            return True
        return False

    def take_posts(self) -> None:
        while self._posts:
            self._posts.popleft()()

    def carry(self, build: _native.TaskBuild, context: contextvars.Context) -> None:
        """Runs a build as a task, in this context."""
        inside = context.run(build.inside)
        context.run(_native.inside.set, inside)

        def ended(task: Task | None) -> None:
            if task is not None:
                self.tasks.discard(task)
            self.landed(build)
            build.abandon()  # Unless it has landed: a task may be cancelled before its first step.

        carried[build.number] = _Carried(build, self, inside)
        work = (keep if build.kind in ENTERS else make)(self, build)
        try:
            # One that is begun by a release at the end of the loop is a part of that end.
            task = self.spawn(work, f"tenure build {build.function}", ended, self.is_ending, context)
        except BaseException:
            work.close()
            ended(None)
            raise
        self.builds[build.number] = task

    def renew(self, build: _native.TaskBuild, context: contextvars.Context) -> None:
        """Has a build carried that nobody waits for, from any thread. Where the loop ends it is given up."""

        def begin() -> None:
            if self.is_ending:
                build.abandon()
            else:
                self.carry(build, context)

        if not self.post(begin):
            build.abandon()

    def landed(self, build: _native.TaskBuild) -> None:
        """A build has ended."""
        self.builds.pop(build.number, None)
        it = carried.pop(build.number, None)
        if it is None:
            return
        it.inside.end()
        if self.is_ending:
            # What a loop that ends would have released is released at once.
            self.let_go()

    def tell(self, build: _native.TaskBuild, task: Task, error: BaseException) -> bool:
        """Tells a build what has ended it. Whether that is meant for its task, and goes on."""
        if isinstance(error, GeneratorExit):
            if not self.is_running(task):
                build.abandon()  # The task was dropped.
                return True
            build.interrupted(error)  # The function has raised it by itself.
            return False
        rest = self.besides_cancellation(error)
        if rest is None:
            if self.is_handed_on(build):
                build.abandon()
            else:
                build.cancelled_within(error)
            return True
        if isinstance(rest, self.meant_for_the_loop):
            build.abandon()
            return True
        if isinstance(rest, Exception):
            build.failed(rest)
        else:
            build.interrupted(rest)
        return False

    def release(self, keeper: Keeper | None, on_release: Callable[[], Any] | None, ticket: _native.Releasing) -> None:
        """Runs a release on the loop that built the resource. Called on any thread, outside of every lock."""
        if keeper is not None:
            keeper.is_released = True
            has_left, error = keeper.outcome()
            if has_left:
                if error is not None or keeper.has_failed:
                    ticket.failed(error)
                keeper = None
        begin = functools.partial(self._begin_release, keeper, on_release, ticket)
        # Who has asked for it does not hear what it raises.
        later = functools.partial(self._begin_later, begin)
        if self.is_here():
            if self._held_back is None:
                begin()
            else:
                self._held_back.append((ticket.number, later))
        elif keeper is None and not inspect.iscoroutinefunction(on_release) and self.stands_still():
            ticket.has_no_loop(on_release, False)  # It needs none.
        elif not self.post(later):
            ticket.has_no_loop(on_release, keeper is not None)

    def _begin_later(self, begin: Callable[[], Task | None]) -> Task | None:
        task = None
        with self.contained("the beginning of a release"):
            task = begin()
        return task

    def _begin_release(
        self, keeper: Keeper | None, on_release: Callable[[], Any] | None, ticket: _native.Releasing
    ) -> Task | None:
        waits = None
        task = None
        try:
            waits = None if on_release is None else on_release()
        except BaseException as error:
            ticket.failed(error)
            if not isinstance(error, Exception):
                raise  # It is meant for whoever runs here.
        finally:
            if keeper is None and not hasattr(type(waits), "__await__"):
                ticket.done()
            elif self.is_closed():
                if close := getattr(waits, "close", None):
                    close()  # It never begins.
                ticket.has_no_loop(None, True)
            else:
                task = self.spawn_release(keeper, waits, ticket)
        return task

    def spawn_release(self, keeper: Keeper | None, waits: Any, ticket: _native.Releasing) -> Task:
        """Has a release that has begun go on to its end, in a task."""

        def ended(task: Task) -> None:
            # Also where somebody cancelled it before its first step.
            self.tasks.discard(task)
            self.releases.pop(task, None)
            if keeper is not None:
                keeper.leave()
            ticket.done()

        work = release(keeper, waits, ticket)
        task = self.spawn(work, f"tenure release {ticket.function}", ended, True)
        self.releases[task] = ticket
        return task

    async def release_all(self) -> None:
        """Releases what lives on the loop, one after another, the last built first, and waits for it.

        It takes as long as a shutdown may at most: what is late is begun by then, and goes on. So may the loop, which
        can be used again.
        """
        until = self.time() + _native.shutdown_timeout()
        await self.wind_up(until)
        await self._finished(tuple(self.releases), until)

    async def ends(self) -> None:
        """Releases what lives on the loop, which runs for the last time."""
        self.is_ending = True
        until = self.time() + _native.shutdown_timeout()
        try:
            await self.wind_up(until)
            while (self.builds or self.keepers) and self.time() < until:
                # What has been begun since. Its caller has yet to take it, and to let go of it.
                await self.pause()
                if not self.builds:
                    await self.wind_up(until)
            for keeper in tuple(self.keepers):
                if not keeper.is_released:
                    keeper.leave()  # Somebody on another loop leases it for too long.
            while self.tasks and await self._finished(tuple(self.tasks), until):
                pass
        finally:
            self.state.end()
            self.take_posts()
            _take_out(self)

    async def wind_up(self, until: float) -> None:
        """Begins the releases of what lives here, each when the one before has ended, or the time is over."""
        # What has begun by itself may use what is released here, and other threads may have posted more of it.
        self.take_posts()
        if self.releases:
            await self.wait(tuple(self.releases), until)
        rounds = 0
        while rounds < _ROUNDS:
            turns = self._held_back = []
            try:
                self.let_go()
            finally:
                self._held_back = None
                turns.sort(key=operator.itemgetter(0))
            rounds += bool(turns)
            await self._take_turns(turns, until)
            if (not turns and not self.state.bound) or self.time() >= until:
                return
            if not turns:
                await self.pause()  # Somebody on another loop leases it yet.

    async def _take_turns(self, turns: list[tuple[int, Callable[[], Task | None]]], until: float) -> None:
        rest = list(turns)
        try:
            while rest:
                task = rest.pop()[1]()
                if task is not None:
                    await self.wait((task,), until)
        finally:
            # Whoever waited here does so no longer.
            for _, begin in reversed(rest):
                begin()

    def let_go(self) -> None:
        """Has the engine release what lives here, but for what somebody leases."""
        with self.contained("what ends with a loop"):
            _native.end_scope_named(self.scope)
        with self.contained("what ends with a loop"):
            _native.end_place(self.state.number)
        with self.contained("what ends with a loop"):
            self.take_posts()

    async def _finished(self, tasks: Collection[Task], until: float) -> bool:
        """Waits for these tasks, and says which have not ended in time."""
        if not tasks:
            return True
        late = await self.wait(tasks, until)
        if late:
            _native.tell_late_tasks([task.get_name() for task in late])
        return not late


class Gate(ABC):
    """Those of one loop who wait for one build, woken together."""

    __slots__ = ("_home", "_number", "landing")

    def __init__(self, here: Home[Any], number: int) -> None:
        self._home, self._number = here, number
        self.landing: object = None

    def wake(self) -> None:
        """The build has ended. On any thread."""
        if self._home.is_here():
            self.open()
            return
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits there.
            self._home.call_soon(self.open)

    def open(self) -> None:
        self.take_down()
        self.let_through()

    @abstractmethod
    def let_through(self) -> None:
        """Has all who wait go on."""

    def take_down(self) -> None:
        """Nobody waits here any more."""
        self._home.gates.pop(self._number, None)
        self.landing = None  # It holds the resource, and whoever keeps an exception may keep this gate.


class _Carried(NamedTuple):
    build: _native.TaskBuild
    home: Home[Any]
    inside: _native.Inside


carried: dict[int, _Carried] = {}
"""The builds under way on a loop, by their numbers."""

homes: dict[object, Home[Any]] = {}
"""The homes by their keys: the addresses of asyncio's loops, which are no names, and the tokens of trio's runs."""

_lock = threading.Lock()
"""For whoever adds a home or takes one out. Nothing else is done under it."""


def add(it: Home[Any]) -> None:
    with _lock:
        homes[it.key] = it


def _take_out(it: Home[Any]) -> None:
    with _lock:
        # Another loop may stand at its address by now.
        if homes.get(it.key) is it:
            del homes[it.key]


def sweep() -> None:
    """Gives up the homes whose loops were closed without a word."""
    for it in homes.copy().values():
        if it.is_closed():
            _take_out(it)
            _lose(it)


def _lose(it: Home[Any]) -> None:
    """The loop was closed, or is gone, without a word: what lives on it is released without it."""
    for its in carried.copy().values():
        if its.home is it:
            it.landed(its.build)
            its.build.abandon()
    if not it.state.is_over:
        it.state.end()
        it.take_posts()
        for ticket in tuple(it.releases.values()):
            ticket.has_no_loop(None, True)
        it.let_go()


def is_looked_for(number: int, stood_still: bool) -> bool:
    """A look, by who waits for a build on another loop, at whether anybody carries it still: not, and it is handed on.

    Gives whether its loop stands still, for the next look: only one that does so twice is given up.
    """
    # Its caller may have led it and not had it carried yet.
    it = carried.get(number)
    if it is None:
        return stood_still
    stands_still = it.home.stands_still()
    if it.home.is_closed() or (stands_still and stood_still):
        # What it may give yet, if its loop should go on, is released.
        carried.pop(number, None)
        it.build.abandon()
    return stands_still


def _after_fork() -> None:
    """In a child process: what lives on the loops is the parent's, to be left and released there alone."""
    global _lock
    _lock = threading.Lock()  # Who held it may not be here.
    for it in homes.values():
        it.is_parents = True
    # Kept for good: what is dropped, a generator say, runs on to its end.
    parents.extend((*homes.values(), *carried.values()))
    homes.clear()
    carried.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
