"""What the carriers of asyncio and of trio share: the homes, the builds under way, and how a loop's releases go.

A build is a task of its own on the loop of the first caller, who waits for it as everyone does. A resource that is left
as well as entered has a keeper: the one task that enters it, waits, and leaves it. What the engine releases is released
on the loop that built it.

A carrier runs the tasks of its kind of loop; what is run there, and in which order, is the same for all of them. So
loops of both kinds, on the threads of one process, wait for each other's builds.

1. Everything of a home is touched on its own loop's thread, but for `post`, which any thread may call, and the looks
   at whether a loop is closed.
2. At the end of a loop what lives there leaves its cache one by one, the last built first, each when the release of the
   one before has ended: a teardown finds what its resource was built with.
3. The end has one time for all that belongs to it, counted from its first sign. What has not had its turn shortly
   before that is begun at once, so that one that hangs costs the others nothing. What goes on when the time is over is
   cut off: its ticket is told, so that nobody waits for it.
4. Every release that has begun ends its ticket once: by itself, cut off at the end, or told that its loop was closed,
   by whoever looks at the loops next. A shutdown looks before it waits.
5. Nothing that only its loop can release is kept once the loop has been wound up for the last time.

Lock order: `_lock` is a leaf, and nothing is called under it.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from tenure import _native
from tenure._tasks import ENTERS, Keeper, keep, make, parents, release

__all__ = [
    "LOOK",
    "PAUSE",
    "RESERVE",
    "Gate",
    "Home",
    "Looks",
    "Result",
    "add",
    "carried",
    "homes",
    "sweep",
]

LOOK = 1.0
"""Seconds between two looks of a foreign waiter at whether a build's loop still runs."""

DOUBT = 0.4
"""Seconds between two looks of a task that a build has begun at whether it waits in a circle: one that is seen twice
lasts."""

PAUSE = 0.005
"""Seconds between two looks at what the end of a loop has to wait for: a lease on another loop, say."""

RESERVE = 0.1
"""The part of an end's time that is left to those whose turn has not come by then: they are begun together."""

_ROUNDS = 8
"""How often the end of a loop looks for what its releases have built again meanwhile."""


class _Named(Protocol):
    def get_name(self) -> str: ...


Task = TypeVar("Task", bound=_Named)
Result = TypeVar("Result")


class Home(ABC, Generic[Task]):
    """One event loop, as the place where builds, keepers and releases run."""

    meant_for_the_loop: tuple[type[BaseException], ...]
    """What goes on from a task to whoever runs the loop."""

    def __init__(self, key: object) -> None:
        self.key = key
        self.state = _native.LoopState()
        self.scope = f"loop:{self.state.number}"
        self.is_ending = False
        self.is_parents = False
        self.tasks: set[Task] = set()
        self.builds: dict[int, Task] = {}
        self.alone: set[int] = set()
        """The builds, by number, that no caller has begun to wait for: refreshes, and what is warmed."""
        self.keepers: set[Keeper] = set()
        self.releases: dict[Task, _native.Releasing] = {}
        self.gates: dict[int, Any] = {}
        self._posts: deque[Callable[[], object]] = deque()
        self._timeout = 0.0
        self._until: float | None = None
        """When what is being wound up has to be over; None where nothing was, or the loop has gone on since."""
        self._winds_up = 0
        self._turns: list[_native.PlaceEnds] = []
        """What is being ended one by one. Each holds what is left of it."""
        self._has_ended = False

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
        """Calls this on a thread of its own, while the loop goes on. Who waits here may stop waiting.

        Not on one of the program's: those may all be busy, and what is released there may take its time.
        """

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
    def keeper(self, task: Task, function: str) -> Keeper:
        """The keeper of what this task, which is the present one, has entered just now."""

    @abstractmethod
    def start(self, build: _native.TaskBuild, context: contextvars.Context, has_waited: bool) -> None:
        """Has a build carried by a task of its own, in the context that it was begun in.

        A caller who waited for one that has been cancelled with its loop ends with it too.
        """

    @abstractmethod
    async def turn(self, build: _native.TaskBuild) -> None:
        """Waits until it is the build's turn among the members of a fleet."""

    @abstractmethod
    async def landing(self, caller: _native.TaskWaiter) -> None:
        """Waits until the build has ended."""

    def silence(self, task: Task) -> None:
        """Has Python say nothing of a task that never ends."""

    def stepwise(self, work: Awaitable[Result]) -> Awaitable[Result]:
        """Awaits what enters a resource, or leaves it."""
        return work

    def contained(self, what: str) -> contextlib.AbstractContextManager[object]:
        """Lies around what may raise where nobody hears it but who runs the loop."""
        return contextlib.nullcontext()

    def is_own(self, number: int) -> bool:
        """Whether the present code runs in the very task of this build, and not in one that it has begun."""
        task = self.builds.get(number)
        return task is not None and self.is_running(task)

    def until(self) -> float:
        """When what is being wound up has to be over: one time, from the first sign of the end on."""
        if self._until is None:
            self._timeout = _native.shutdown_timeout()
            self._until = self.time() + self._timeout
        return self._until

    def how_it_ended(self) -> str:
        """What the log says of that, where something was lost."""
        if self._has_ended:
            return (
                f"the end of its event loop has taken {self._timeout:g} s, and may not take longer (see "
                "shutdown_timeout of tenure.configure)"
            )
        if self._until is not None:
            return "its event loop was closed while what lived on it was being released: by a second Ctrl-C, say"
        return _CLOSED

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
        if not (self.is_ending or self._winds_up):
            self._until = None  # The loop goes on.
        inside = context.run(build.inside)
        context.run(_native.inside.set, inside)
        number = build.number

        # By its number: the build holds the function, and its task may go on until what it has entered is left.
        def ended(task: Task | None) -> None:
            if task is not None:
                self.tasks.discard(task)
            if (it := carried.get(number)) is not None:
                # A task may be cancelled before its first step.
                self.landed(it.build)
                it.build.abandon()

        carried[number] = _Carried(build, self, inside)
        work = (keep if build.kind in ENTERS else make)(self, build)
        try:
            # One that is begun by a release at the end of the loop is a part of that end.
            task = self.spawn(work, f"tenure build {build.function}", ended, self.is_ending, context)
        except BaseException:
            work.close()
            ended(None)
            raise
        self.builds[number] = task

    def renew(self, build: _native.TaskBuild, context: contextvars.Context) -> None:
        """Has a build carried that nobody waits for, from any thread. Where the loop ends it is given up."""

        def begin() -> None:
            if self.is_ending:
                build.abandon()
            else:
                self.alone.add(build.number)
                self.carry(build, context)

        if not self.post(begin):
            build.abandon()

    def landed(self, build: _native.TaskBuild) -> None:
        """A build has ended."""
        self.builds.pop(build.number, None)
        self.alone.discard(build.number)
        it = carried.pop(build.number, None)
        if it is None:
            return
        it.inside.end()
        if self.state.is_over:
            # The end of the loop would have released it.
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
        is_anybodys = build.number in self.alone and isinstance(rest, SystemExit)
        if isinstance(rest, self.meant_for_the_loop) and not is_anybodys:
            build.abandon()
            return True
        # No caller is there whom a build that nobody waits for could end.
        if isinstance(rest, Exception) or is_anybodys:
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
        if self.is_here():
            begin()
        elif keeper is None and not inspect.iscoroutinefunction(on_release) and self.stands_still():
            ticket.has_no_loop(on_release, False, self.how_it_ended())  # It needs none.
        elif not self.post(functools.partial(self._begin_later, begin)):
            ticket.has_no_loop(on_release, keeper is not None, self.how_it_ended())

    def _begin_later(self, begin: Callable[[], None]) -> None:
        # Who has asked for it does not hear what it raises.
        with self.contained("the beginning of a release"):
            begin()

    def _begin_release(
        self, keeper: Keeper | None, on_release: Callable[[], Any] | None, ticket: _native.Releasing
    ) -> None:
        waits = None
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
                ticket.has_no_loop(None, True, self.how_it_ended())
            else:
                self.spawn_release(keeper, waits, ticket)

    def spawn_release(self, keeper: Keeper | None, waits: Any, ticket: _native.Releasing) -> None:
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

    async def release_all(self) -> None:
        """Releases what lives on the loop, one after another, the last built first, and waits for it.

        It takes as long as a shutdown may at most: what is late is begun by then, and goes on. So may the loop, which
        can be used again.
        """
        until = self.until()
        await self.wind_up(until)
        await self._finished(tuple(self.releases), until)

    async def ends(self) -> None:
        """Releases what lives on the loop, which runs for the last time."""
        self.is_ending = True
        until = self.until()
        try:
            await self.wind_up(until)
            while (self.builds or self.keepers) and self.time() < until:
                # What has been begun since. Its caller has yet to take it, and to let go of it.
                await self.pause()
                if not self.builds:
                    await self.wind_up(until)
            self.let_go()
            for keeper in tuple(self.keepers):
                if not keeper.is_released:
                    # Somebody on another loop has it for too long.
                    _native.tell_leased(keeper.function, self._timeout)
                    keeper.leave()
            while self.tasks and await self._finished(tuple(self.tasks), until):
                pass
        finally:
            self._has_ended = True
            _take_out(self)
            self.cut_off()

    def cut_off(self) -> None:
        """Nothing goes on here: tells the builds and the releases that have begun."""
        self.state.end()
        for its in carried.copy().values():
            if its.home is self:
                self.landed(its.build)
                its.build.abandon()
        self.take_posts()
        for ends in tuple(self._turns):
            self._end_rest(ends)
        for ticket in tuple(self.releases.values()):
            ticket.cut_off(self.how_it_ended())
        for task in self.tasks:
            self.silence(task)

    async def wind_up(self, until: float) -> None:
        """Releases what lives here, each resource when the one before has been, or the time for turns is over."""
        until -= self._timeout * RESERVE
        self._winds_up += 1
        try:
            # What has begun by itself may use what is released here, and other threads may have posted more of it.
            self.take_posts()
            if self.releases:
                await self.wait(tuple(self.releases), until)
            rounds = 0
            while rounds < _ROUNDS:
                has_ended_any = await self._take_turns(until)
                rounds += has_ended_any
                if (not has_ended_any and not self.state.bound) or self.time() >= until:
                    break
                if not has_ended_any:
                    await self.pause()  # Somebody on another loop leases it yet.
        finally:
            self._winds_up -= 1
            self.let_go()

    async def _take_turns(self, until: float) -> bool:
        """Ends what lives here now, one by one; whether there was anything."""
        ends = _native.hold_place(self.state.number, self.scope)
        self._turns.append(ends)
        has_ended_any = False
        try:
            while self._end_next(ends):
                has_ended_any = True
                if self.releases:
                    await self.wait(tuple(self.releases), until)
        finally:
            self._end_rest(ends)
        return has_ended_any

    def _end_rest(self, ends: _native.PlaceEnds) -> None:
        """Whoever had them take turns does so no longer."""
        if ends in self._turns:
            self._turns.remove(ends)
        while self._end_next(ends):
            pass

    def _end_next(self, ends: _native.PlaceEnds) -> bool:
        is_there = True
        with self.contained("what ends with a loop"):
            is_there = ends.next()
        return is_there

    def let_go(self) -> None:
        """Has the engine release what lives here at once, but for what somebody leases."""
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
            _native.tell_late_tasks([task.get_name() for task in late], self._timeout)
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


def _take_out(it: Home[Any]) -> bool:
    """Takes out a home; whether nobody else had."""
    with _lock:
        # Another loop may stand at its address by now.
        is_there = homes.get(it.key) is it
        if is_there:
            del homes[it.key]
        return is_there


_CLOSED = (
    "its event loop had been closed without a word. Run loops with asyncio.run or asyncio.Runner, which close "
    "asynchronous generators, or write `await loop.shutdown_asyncgens()` before `loop.close()`"
)


def sweep() -> None:
    """Gives up the homes whose loops were closed: what lives there yet is released without them, or lost."""
    for it in homes.copy().values():
        if it.is_closed() and _take_out(it) and not it.state.is_over:
            it.cut_off()
            it.let_go()


class Looks:
    """What a task looks at while it waits for a build."""

    __slots__ = ("_caller", "_is_foreign", "_stood_still", "_was_in_circle")

    def __init__(self, caller: _native.TaskWaiter, here: Home[Any]) -> None:
        it = carried.get(caller.build())
        self._caller = caller
        self._is_foreign = it is None or it.home is not here
        self._stood_still = False
        self._was_in_circle = False

    @property
    def pause(self) -> float | None:
        """Seconds until the next one; None where there is nothing to look at."""
        if self._caller.is_beside:
            return DOUBT
        return LOOK if self._is_foreign else None

    def take(self) -> None:
        """Looks: hands a build on that nobody carries any more, and raises where the task waits in a circle that lasts.

        Such a circle goes through a task that a build has begun. Only where the build waits for that task it is one,
        which cannot be seen; so the task gives way, and nobody else.
        """
        if self._is_foreign:
            self._stood_still = _is_looked_for(self._caller.build(), self._stood_still)
        if self._caller.is_beside:
            error = self._caller.circle()
            if error is not None and self._was_in_circle:
                raise error
            self._was_in_circle = error is not None


def _is_looked_for(number: int, stood_still: bool) -> bool:
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
