"""asyncio as the carrier of what no caller owns: builds, keepers, releases, and the end of each loop.

A build is a task of its own on the loop of the first caller, who waits for it as everyone does. A resource that is left
as well as entered has a keeper: the one task that enters it, waits, and leaves it. What the engine releases is released
on the loop that built it.

How the end of a loop is learned, without patching: `asyncio.run`, `Runner`, uvloop and anyio cancel all tasks, and then
close the asynchronous generators of the loop. A `Home` has a task that is cancelled with them, waits for the others
that are being cancelled, and then releases what lives on the loop, the last built first; and it holds a generator that
has been started, whose end does the same with what is left. Only a bare `loop.close()` says nothing: it is noticed by
whoever looks next.

What the end of a loop must not cut short, keepers and releases that have begun, is run by tasks that
`asyncio.all_tasks` does not know: the loop waits for them in its home's end.

Everything of a home is touched on its own loop's thread, but for `post`, which any thread may call, and the looks at
whether a loop is closed.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import inspect
import itertools
import operator
import os
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, NamedTuple

from tenure import _native

__all__ = ["Home", "home"]

LOOK = 1.0
"""Seconds between two looks of a foreign waiter at whether a build's loop still runs."""

PAUSE = 0.005
"""Seconds between two looks at whether somebody still leases what lives on a loop that ends."""

_ROUNDS = 8
"""How often the end of a loop looks for what its releases have built again meanwhile."""

_Begin = Callable[[], "asyncio.Task[Any] | None"]
"""Begins a release, and gives the task that carries it, where it takes one."""

_built = itertools.count(1)
"""The numbers of resources: what was built later on any loop has a greater one, and may use what was built before."""


class Home:
    """One event loop, as the place where builds, keepers and releases run."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        self.key = id(loop)
        self.state = _native.LoopState()
        self.scope = f"loop:{self.state.number}"
        self.thread = threading.get_ident()
        self.is_ending = False
        self._watch: asyncio.Task[None] | None = None
        self.is_parents = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self.builds: dict[int, asyncio.Task[Any]] = {}
        self.keepers: set[Keeper] = set()
        self.releases: dict[asyncio.Task[Any], _native.Releasing] = {}
        self.gates: dict[int, _Gate] = {}
        self._posts: deque[Callable[[], object]] = deque()
        self._held_back: list[tuple[int, _Begin]] | None = None
        """The releases that wait for their turn, with the numbers of their resources; None while nothing winds up."""
        self._end = self._until_the_end()
        # The first step of a generator tells the running loop of it, and runs to the yield at once.
        with contextlib.suppress(StopIteration):
            self._end.__anext__().send(None)

    def is_closed(self) -> bool:
        """Whether nothing can run here any more."""
        loop = self.loop()
        return self.state.is_over or loop is None or loop.is_closed()

    def awaits(self, build: _native.TaskBuild) -> bool:
        """Whether anybody on this loop waits for the build, and is not being cancelled."""
        gate = self.gates.get(build.number)
        return gate is not None and any(not future.done() for future in gate.futures)

    def is_here(self) -> bool:
        """Whether the present code runs on this loop."""
        return asyncio._get_running_loop() is self.loop() is not None

    def stands_still(self) -> bool:
        """Whether nobody runs it now, or ever will."""
        loop = self.loop()
        return loop is None or not loop.is_running()

    def spawn(
        self,
        work: Coroutine[Any, Any, Any],
        name: str,
        ended: Callable[[asyncio.Task[Any]], object],
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        """Runs this as a task, which the home holds until `ended` takes it out. To be called on the loop."""
        # Not by the loop's task factory, which is for the program's tasks, and may begin them at once.
        task = asyncio.Task(work, loop=self.loop(), name=name, context=context or contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(ended)
        return task

    def post(self, work: Callable[[], object]) -> bool:
        """Has `work` called on the loop, from any thread. `False`: it is closed, and never will be."""
        loop = self.loop()
        if loop is None or loop.is_closed():
            return False
        self._posts.append(work)
        try:
            loop.call_soon_threadsafe(self._take_posts)
        except RuntimeError:  # It was closed meanwhile.
            self.state.end()
        if not self.state.is_over:
            return True
        # Who ends the home may have taken it out yet.
        try:
            self._posts.remove(work)
        except ValueError:
            return True
        return False

    def _take_posts(self) -> None:
        while self._posts:
            self._posts.popleft()()

    def start(self, build: _native.TaskBuild, context: contextvars.Context, has_waited: bool) -> None:
        """Has a build carried by a task of its own, in the context that it was begun in.

        A caller who waited for one that has been cancelled with its loop ends with it too.
        """
        if has_waited and self.is_ending:
            build.abandon()
            raise asyncio.CancelledError(f"the event loop ends, and the build of {build.function} with it")
        inside = build.inside()
        context.run(_native.inside.set, inside)

        def ended(task: asyncio.Task[Any] | None) -> None:
            if task is not None:
                self.tasks.discard(task)
            self.landed(build)
            build.abandon()  # Unless it has landed: a task may be cancelled before its first step.

        _carried[build.number] = _Carried(build, self, inside)
        try:
            work = _CARRIERS[build.kind](self, build)
            task = self.spawn(work, f"tenure build {build.function}", ended, context)
        except BaseException:
            ended(None)
            raise
        self.builds[build.number] = task

    def landed(self, build: _native.TaskBuild) -> None:
        """A build has ended."""
        self.builds.pop(build.number, None)
        carried = _carried.pop(build.number, None)
        if carried is None:
            return
        carried.inside.end()
        if self.is_ending:
            # What a loop that ends would have released is released at once.
            self.let_go()

    async def landing(self, caller: _native.TaskWaiter) -> None:
        """Waits until the build has ended."""
        loop = asyncio.get_running_loop()
        number = caller.build()
        gate = self.gates.get(number)
        if gate is None:
            gate = _Gate(self.gates, number, loop)
            gate.landing = caller.landing(gate.wake)
            if gate.landing is None:
                return
            self.gates[number] = gate
        future: asyncio.Future[None] = loop.create_future()
        gate.futures[future] = None
        try:
            carried = _carried.get(number)
            if carried is not None and carried.home is self:
                await future
            else:
                await _foreign(future, number)
        except BaseException:
            gate.leave(future)
            raise

    def release(self, keeper: Keeper | None, on_release: Callable[[], Any] | None, ticket: _native.Releasing) -> None:
        """Runs a release on the loop that built the resource. Called on any thread, outside of every lock."""
        if keeper is not None:
            keeper.is_released = True
            has_left, error = keeper.outcome()
            if has_left:
                if error is not None or keeper.has_failed:
                    ticket.failed(error)
                keeper = None
        begin = functools.partial(_begin_release, self, keeper, on_release, ticket)
        if self.is_here():
            if self._held_back is None:
                begin()
            else:
                self._held_back.append((ticket.number, begin))
        elif self.stands_still() and keeper is None and not inspect.iscoroutinefunction(on_release):
            ticket.has_no_loop(on_release, False)  # It needs none.
        elif not self.post(begin):
            ticket.has_no_loop(on_release, keeper is not None)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self._ends()

    async def release_all(self) -> None:
        """Releases what lives on the loop, one after another, the last built first, and waits for it.

        It takes as long as a shutdown may at most: what is late is begun by then, and goes on. So may the loop, which
        can be used again.
        """
        until = asyncio.get_running_loop().time() + _native.shutdown_timeout()
        await self._wind_up(until)
        await self._finished(tuple(self.releases), until)

    def watch(self) -> None:
        """Has a task, which the loop lists, learn of the end where all tasks are cancelled."""
        if self._watch is None and not self.is_ending:
            self._watch = self.spawn(self._watches(), "tenure loop", self.tasks.discard)

    async def _watches(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(asyncio.CancelledError):
            await loop.create_future()
        self._watch = None
        if self.is_parents or self.is_ending:
            return
        # All tasks are being cancelled, since the loop ends. Those who may use what lives here end first.
        others = [task for task in asyncio.all_tasks() - self.tasks if task.cancelling()]
        with contextlib.suppress(asyncio.CancelledError):
            if others:
                await asyncio.wait(others)
            await self._wind_up(loop.time() + _native.shutdown_timeout())

    async def _ends(self) -> None:
        """Releases what lives on the loop, which runs for the last time."""
        if self.is_parents:
            return
        self.is_ending = True
        until = asyncio.get_running_loop().time() + _native.shutdown_timeout()
        try:
            if self._watch is not None:
                self._watch.cancel()
            # Where nobody has cancelled anything: what is not built yet is built elsewhere, or not at all.
            for build in tuple(self.builds.values()):
                build.cancel()
            await self._wind_up(until)
            for keeper in tuple(self.keepers):
                if not keeper.is_released:
                    keeper.leave()  # Somebody on another loop leases it for too long.
            while self.tasks and await self._finished(tuple(self.tasks), until):
                pass
        finally:
            self.state.end()
            self._take_posts()
            _take_out(self)

    async def _wind_up(self, until: float) -> None:
        """Begins the releases of what lives here, each when the one before has ended, or the time is over."""
        # What has begun by itself may use what is released here, and other threads may have posted more of it.
        self._take_posts()
        if self.releases:
            await asyncio.wait(tuple(self.releases), timeout=_left(until))
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
            if (not turns and not self.state.bound) or _left(until) == 0:
                return
            if not turns:
                await asyncio.sleep(PAUSE)  # Somebody on another loop leases it yet.

    async def _take_turns(self, turns: list[tuple[int, _Begin]], until: float) -> None:
        rest = list(turns)
        try:
            while rest:
                task = rest.pop()[1]()
                if task is not None:
                    await asyncio.wait((task,), timeout=_left(until))
        finally:
            # Whoever waited here does so no longer.
            for _, begin in reversed(rest):
                begin()

    def let_go(self) -> None:
        """Has the engine release what lives here, but for what somebody leases."""
        _native.end_scope_named(self.scope)
        _native.end_place(self.state.number)
        self._take_posts()

    async def _finished(self, tasks: tuple[asyncio.Task[Any], ...], until: float) -> bool:
        """Waits for these tasks, and says which have not ended in time."""
        if not tasks:
            return True
        _, late = await asyncio.wait(tasks, timeout=_left(until))
        if late:
            _native.tell_late_tasks([task.get_name() for task in late])
        return not late


_homes: dict[int, Home] = {}
"""The homes by the addresses of their loops. An address is no name: the loop itself is compared."""


_lock = threading.Lock()
"""For whoever adds a home or takes one out. Nothing else is done under it."""


def home() -> Home:
    """The home of the running loop.

    Raises RuntimeError where none runs.
    """
    loop = asyncio.get_running_loop()
    here = _homes.get(id(loop))
    if here is not None and here.loop() is loop:
        return here
    _sweep()
    here = Home(loop)
    with _lock:
        _homes[here.key] = here
    return here


def _sweep() -> None:
    """Gives up the homes whose loops were closed without a word."""
    for it in _homes.copy().values():
        if it.is_closed():
            _take_out(it)
            lose(it)


def _take_out(it: Home) -> None:
    with _lock:
        # Another loop may stand at its address by now.
        if _homes.get(it.key) is it:
            del _homes[it.key]


def lose(it: Home) -> None:
    """The loop was closed, or is gone, without a word: what lives on it is released without it."""
    for carried in _carried.copy().values():
        if carried.home is it:
            it.landed(carried.build)
            carried.build.abandon()
    if not it.state.is_over:
        it.state.end()
        it._take_posts()
        for ticket in tuple(it.releases.values()):
            ticket.has_no_loop(None, True)
        it.let_go()


@atexit.register
def _at_exit() -> None:
    """Ends the loops that stand still, of the main thread and of threads that are over: nobody runs them any more."""
    if asyncio._get_running_loop() is not None:
        return
    others = {thread.ident for thread in threading.enumerate()} - {threading.main_thread().ident}
    for it in _homes.copy().values():
        loop = it.loop()
        if it.thread not in others and loop is not None and not (loop.is_running() or it.is_closed()):
            loop.run_until_complete(it._end.aclose())


def _after_fork() -> None:
    """In a child process: what lives on the loops is the parent's, to be left and released there alone."""
    global _lock
    _lock = threading.Lock()  # Who held it may not be here.
    for it in _homes.values():
        it.is_parents = True
    # Kept for good: what is dropped, a generator say, runs on to its end.
    _parents.extend((*_homes.values(), *_carried.values()))
    _homes.clear()
    _carried.clear()


_parents: list[object] = []
"""What was the parent's process when this one was forked."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _left(until: float) -> float:
    return max(0.0, until - asyncio.get_running_loop().time())


class _Gate:
    """Those of one loop who wait for one build, woken together."""

    __slots__ = ("_gates", "_loop", "_number", "futures", "landing")

    def __init__(self, gates: dict[int, _Gate], number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._gates, self._number, self._loop = gates, number, loop
        # In the order in which they came, which is the order of waking.
        self.futures: dict[asyncio.Future[None], None] = {}
        self.landing: object = None

    def wake(self) -> None:
        """The build has ended. On any thread."""
        if asyncio._get_running_loop() is self._loop:
            self.open()
            return
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits there.
            self._loop.call_soon_threadsafe(self.open)

    def open(self) -> None:
        self._gates.pop(self._number, None)
        self.landing = None  # It holds the resource, and whoever keeps an exception may keep this gate.
        for future in self.futures:
            if not future.done():
                future.set_result(None)

    def leave(self, future: asyncio.Future[None]) -> None:
        """One of them waits no more."""
        self.futures.pop(future, None)
        if not self.futures:
            self._gates.pop(self._number, None)
            self.landing = None


class _Carried(NamedTuple):
    build: _native.TaskBuild
    home: Home
    inside: _native.Inside


_carried: dict[int, _Carried] = {}
"""The builds under way on a loop, by their numbers."""


async def _foreign(future: asyncio.Future[None], number: int) -> None:
    """Waits for a build on another loop, and hands it on where nobody carries it any more."""
    stood_still = False
    while not future.done():
        # Its caller may have led it and not had it carried yet.
        carried = _carried.get(number)
        if carried is not None:
            stands_still = carried.home.stands_still()
            if carried.home.is_closed() or (stands_still and stood_still):
                # What it may give yet, if its loop should go on, is released.
                _carried.pop(number, None)
                carried.build.abandon()
            stood_still = stands_still
        await asyncio.wait((future,), timeout=LOOK)


class Keeper:
    """The task that has entered a resource, and leaves it: what a release waits for."""

    __slots__ = ("_left", "_stopped", "has_failed", "home", "is_released", "number", "task")

    def __init__(self, here: Home, number: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self.task = task
        self.home = here
        self.number = number
        self.is_released = False
        self.has_failed = False
        self._stopped: asyncio.Future[None] = loop.create_future()
        self._left: asyncio.Future[None] = loop.create_future()
        here.keepers.add(self)

    def leave(self) -> None:
        """Has the resource left. On the loop."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def left(self) -> None:
        """Waits until it has been left; raises what that raised."""
        self.leave()
        await asyncio.shield(self._left)

    async def keep(self) -> None:
        """Waits until the resource is to be left."""
        # Nobody who cancels all tasks means this one: its home is told of that, and ends everything in order.
        asyncio._unregister_task(self.task)
        self.home.watch()
        try:
            # One that was cancelled while it built will not be again.
            if not self.task.cancelling():
                await asyncio.shield(self._stopped)
        except asyncio.CancelledError:
            pass
        if self.home.is_parents:
            return
        if not self._stopped.done():
            # What was entered is broken, and says so in this way.
            _native.release_of_keeper(self)
        # Its `on_release` comes first; but what somebody still leases is released when it has been left.
        while self.is_released and not self._stopped.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._stopped)

    def outcome(self) -> tuple[bool, BaseException | None]:
        """Whether it has been left already, and what that raised."""
        return self._left.done(), self._left.exception() if self._left.done() else None

    def has_left(self, function: str, error: BaseException | None) -> None:
        self.home.keepers.discard(self)
        if error is not None and not self.is_released:
            # Told at once. Kept, it would hold the resource by its traceback, and pass for a user that the release
            # waits for.
            _native.tell_teardown(function, error)
            self.has_failed, error = True, None
        if error is None:
            self._left.set_result(None)
        else:
            self._left.set_exception(error)
            self._left.exception()  # Where nobody asks, there is nobody to be told.


async def _build(here: Home, build: _native.TaskBuild) -> None:
    """The task of a build that awaits."""
    task = asyncio.current_task()
    try:
        resource = [await build.make()]
    except BaseException as error:
        if _ended(here, build, task, error):
            raise
    else:
        build.done(resource, here, None, next(_built))
    here.landed(build)


def _ended(here: Home, build: _native.TaskBuild, task: asyncio.Task[Any] | None, error: BaseException) -> bool:
    """Tells a build what has ended it. Whether that is meant for its task, and goes on."""
    if isinstance(error, asyncio.CancelledError):
        _cancelled(here, build, error)
        return True
    if isinstance(error, GeneratorExit):
        return _closed(build, task, error)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        build.abandon()
        return True
    if isinstance(error, Exception):
        build.failed(error)
    else:
        build.interrupted(error)
    return False


def _cancelled(here: Home, build: _native.TaskBuild, error: asyncio.CancelledError) -> None:
    """A build is handed on where its loop ends, with all tasks cancelled; where callers go on to wait it has failed."""
    task = asyncio.current_task()
    if task is None or (task.cancelling() and (here.is_ending or not here.awaits(build))):
        build.abandon()
    else:
        build.cancelled_within(error)


def _closed(build: _native.TaskBuild, task: asyncio.Task[Any] | None, error: GeneratorExit) -> bool:
    """Whether the task of a build was dropped; otherwise the function has raised this by itself."""
    if task is not None and asyncio._get_running_loop() is not None and asyncio.current_task() is task:
        build.interrupted(error)
        return False
    build.abandon()
    return True


@types.coroutine
def _unlisted(work: Any) -> Generator[Any, Any, Any]:
    """Awaits this while the loop lists no asynchronous generator that begins in it.

    Those that the loop lists it closes in the end, all at once: they would be thrown into, and not left.
    """
    steps = work.__await__()
    given: Any = None
    thrown: BaseException | None = None
    while True:
        first, last = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(_not_listed, last)
        try:
            asked = steps.send(given) if thrown is None else steps.throw(thrown)
        except StopIteration as end:
            return end.value
        finally:
            sys.set_asyncgen_hooks(first, last)
        try:
            given, thrown = (yield asked), None
        except BaseException as error:
            thrown = error


def _not_listed(_: object) -> None:
    """In the place of the loop's own hook."""


_Entered = tuple[list[Any], Callable[[], Awaitable[Any]]]
"""A resource, alone in a list, so that the references to it can be counted; and what leaves it."""


async def _keep_generator(here: Home, build: _native.TaskBuild) -> None:
    """The task of an asynchronous generator: up to its yield, and on from there in the end."""

    async def enter() -> _Entered:
        steps = build.make()
        try:
            resource = [await steps.__anext__()]
        except StopAsyncIteration:
            raise build.yielded_never() from None

        async def leave() -> None:
            try:
                await steps.__anext__()
            except StopAsyncIteration:
                return
            await steps.aclose()
            raise build.yielded_twice()

        return resource, leave

    await _keep(here, build, enter)


async def _keep_entered(here: Home, build: _native.TaskBuild) -> None:
    """The task of a function that gives an asynchronous context manager."""

    async def enter() -> _Entered:
        manager = build.entered(await build.make())
        kind = type(manager)
        if not hasattr(kind, "__aenter__"):
            resource = [kind.__enter__(manager)]

            async def leave() -> None:
                kind.__exit__(manager, None, None, None)

            return resource, leave
        resource = [await kind.__aenter__(manager)]
        return resource, lambda: kind.__aexit__(manager, None, None, None)

    await _keep(here, build, enter)


async def _keep(here: Home, build: _native.TaskBuild, enter: Callable[[], Awaitable[_Entered]]) -> None:
    """Enters, waits, and leaves, in one task: a task group or a cancel scope may lie in between."""
    task = asyncio.current_task()
    try:
        resource, leave = await _unlisted(enter())
    except BaseException as error:
        if _ended(here, build, task, error):
            raise
        return
    keeper = Keeper(here, next(_built))
    if not build.done(resource, here, keeper, keeper.number):
        keeper.leave()
    here.landed(build)
    # What runs here from now on is no part of the build.
    _native.inside.set(None)
    function = build.function
    del resource, build, enter
    try:
        await keeper.keep()
        if here.is_parents:
            # It is not left in a child process, and not dropped either: a generator would run on to its end.
            _parents.append(leave)
            return
        await _unlisted(leave())
    except BaseException as error:
        keeper.has_left(function, error)
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
    else:
        keeper.has_left(function, None)


_CARRIERS = {"coroutine": _build, "generator": _keep_generator, "entered": _keep_entered}


def _begin_release(
    here: Home, keeper: Keeper | None, on_release: Callable[[], Any] | None, ticket: _native.Releasing
) -> asyncio.Task[Any] | None:
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
        elif here.is_closed():
            if close := getattr(waits, "close", None):
                close()  # It never begins.
            ticket.has_no_loop(None, True)
        else:
            ended = functools.partial(_release_ended, here, keeper, ticket)
            task = here.spawn(_release(keeper, waits, ticket), f"tenure release {ticket.function}", ended)
            # Who ends the loop cancels all tasks that it lists, and a release must come to its end.
            asyncio._unregister_task(task)
            here.releases[task] = ticket
    return task


async def _release(keeper: Keeper | None, waits: Any, ticket: _native.Releasing) -> None:
    try:
        if hasattr(type(waits), "__await__"):
            await waits
    except BaseException as error:
        ticket.failed(error)
        if not isinstance(error, Exception):
            raise
    finally:
        if keeper is not None:
            try:
                await keeper.left()
            except BaseException as error:
                ticket.failed(error)
            else:
                if keeper.has_failed:
                    ticket.failed(None)


def _release_ended(here: Home, keeper: Keeper | None, ticket: _native.Releasing, task: asyncio.Task[None]) -> None:
    """Also where somebody cancelled it before it began."""
    here.tasks.discard(task)
    here.releases.pop(task, None)
    if keeper is not None:
        keeper.leave()
    ticket.done()
    if not task.cancelled():
        task.exception()  # It has been told.
