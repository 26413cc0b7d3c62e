"""asyncio as the carrier of what no caller owns: builds, keepers, releases, and the end of each loop.

A build is a task of its own on the loop of the first caller, who waits for it as everyone does. A resource that is left
as well as entered has a keeper: the one task that enters it, waits, and leaves it. What the engine releases is released
on the loop that built it.

How the end of a loop is learned, without patching: `asyncio.run`, `Runner`, uvloop and anyio cancel all tasks, and then
close the asynchronous generators of the loop. A `Home` holds one that has been started, whose end releases what lives
on the loop; a keeper that is cancelled before that waits for the others that are being cancelled, and leaves then.
Only a bare `loop.close()` says nothing: it is noticed by whoever looks next.

Everything of a home is touched on its own loop's thread, but for `post`, which any thread may call, and the looks at
whether a loop is closed.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import itertools
import operator
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine
from typing import Any

from tenure import _native

__all__ = ["Home", "home"]

LOOK = 1.0
"""Seconds between two looks of a foreign waiter at whether a build's loop still runs."""


_numbers = itertools.count(1)
_built = itertools.count(1)

_ROUNDS = 8
"""How often the end of a loop looks for what its releases have built again meanwhile."""

_Begin = Callable[[], "asyncio.Task[Any] | None"]
"""Begins a release, and gives the task that carries it, where it takes one."""


class Home:
    """One event loop, as the place where builds, keepers and releases run."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        self.scope = f"loop:{next(_numbers)}"
        self.state = _native.LoopState()
        self.thread = threading.get_ident()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.releasing: set[asyncio.Task[Any]] = set()
        self.keepers: set[Keeper] = set()
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

    def is_here(self) -> bool:
        """Whether the present code runs on this loop."""
        return asyncio._get_running_loop() is self.loop() is not None

    def spawn(
        self, work: Coroutine[Any, Any, Any], name: str, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        """Runs this as a task, which the home holds. To be called on the loop."""
        # Not by the loop's task factory, which is for the program's tasks, and may begin them at once.
        task = asyncio.Task(work, loop=self.loop(), name=name, context=context or contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
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

    def start(self, build: _native.TaskBuild, context: contextvars.Context) -> None:
        """Has a build carried by a task of its own, in the context that it was begun in."""
        context.run(_native.inside.set, build.inside())

        def ended(_: object) -> None:
            _carried.pop(build.number, None)
            build.abandon()  # Unless it has landed: a task may be cancelled before its first step.

        _carried[build.number] = (build, self)
        try:
            work = _CARRIERS[build.kind](self, build)
            self.spawn(work, f"tenure build {build.function}", context).add_done_callback(ended)
        except BaseException:
            ended(None)
            raise

    async def landing(self, caller: _native.TaskWaiter) -> None:
        """Waits until the build has ended."""
        loop = asyncio.get_running_loop()
        number = caller.build()
        gate = self.gates.get(number)
        if gate is None:
            gate = _Gate(loop)
            gate.landing = caller.landing(gate.wake)
            if gate.landing is None:
                return
            self.gates[number] = gate
        future: asyncio.Future[None] = loop.create_future()
        gate.futures.add(future)
        try:
            carried = _carried.get(number)
            if carried is None or carried[1] is self:
                await future
            else:
                await _foreign(future, *carried)
        finally:
            gate.futures.discard(future)
            if not gate.futures and self.gates.get(number) is gate:
                del self.gates[number]

    def release(self, keeper: Keeper | None, on_release: Callable[[], Any] | None, ticket: _native.Releasing) -> None:
        """Runs a release on the loop that built the resource. Called on any thread, outside of every lock."""
        if keeper is not None:
            keeper.is_released = True
            has_left, error = keeper.outcome()
            if has_left:
                keeper = None
                if error is not None:
                    ticket.failed(error)
        begin = functools.partial(_begin_release, self, keeper, on_release, ticket)
        if self.is_here():
            if self._held_back is None:
                begin()
            else:
                self._held_back.append((ticket.number, begin))
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
        until = self._bound()
        await _finished(await self._release_all(until), until)

    def _bound(self) -> float:
        return asyncio.get_running_loop().time() + _native.shutdown_timeout()

    async def _release_all(self, until: float) -> set[asyncio.Task[Any]]:
        """Begins the releases. Gives those that are late."""
        # What has begun by itself may use what is released here.
        self._take_posts()
        begun = set(self.releasing)
        if begun:
            await asyncio.wait(begun, timeout=_left(until))
        for _ in range(_ROUNDS):
            turns = self._held_back = []
            try:
                try:
                    _native.end_scope_named(self.scope)
                    _native.release_of_home(self)
                    self._take_posts()
                finally:
                    self._held_back = None
                    turns += [(keeper.number, keeper.leave) for keeper in self.keepers if not keeper.is_released]
                    turns.sort(key=operator.itemgetter(0))
                if not turns:
                    break
                while turns:
                    task = turns.pop()[1]()
                    if task is not None:
                        begun.add(task)
                        await asyncio.wait((task,), timeout=_left(until))
            finally:
                # Whoever waited here does so no longer.
                for _, begin in reversed(turns):
                    begin()
        return {task for task in begun if not task.done()}

    async def _ends(self) -> None:
        """Releases what lives on the loop, which runs for the last time."""
        try:
            until = self._bound()
            await self._release_all(until)
            while self.tasks and await _finished(self.tasks, until):
                pass
        finally:
            self.state.end()
            self._take_posts()
            _homes.pop(self._key(), None)

    def _key(self) -> int:
        return next((key for key, it in _homes.items() if it is self), 0)


_homes: dict[int, Home] = {}
"""The homes by the addresses of their loops. An address is no name: the loop itself is compared."""


def home() -> Home:
    """The home of the running loop.

    Raises RuntimeError where none runs.
    """
    loop = asyncio.get_running_loop()
    here = _homes.get(id(loop))
    if here is not None and here.loop() is loop:
        return here
    _sweep()
    here = _homes[id(loop)] = Home(loop)
    return here


def _sweep() -> None:
    """Gives up the homes whose loops were closed without a word."""
    for key, it in tuple(_homes.items()):
        if it.is_closed():
            _homes.pop(key, None)
            lose(it)


def lose(it: Home) -> None:
    """The loop was closed, or is gone, without a word: what lives on it is released without it."""
    if not it.state.is_over:
        it.state.end()
        it._take_posts()
        _native.end_scope_named(it.scope)
        _native.release_of_home(it)


@atexit.register
def _at_exit() -> None:
    """Ends the loops that stand still in the main thread: nobody runs them any more."""
    if asyncio._get_running_loop() is not None:
        return
    main = threading.main_thread().ident
    for it in tuple(_homes.values()):
        loop = it.loop()
        if it.thread == main and loop is not None and not (loop.is_running() or it.is_closed()):
            loop.run_until_complete(it._end.aclose())


def _left(until: float) -> float:
    return max(0.0, until - asyncio.get_running_loop().time())


async def _finished(tasks: Collection[asyncio.Task[Any]], until: float) -> bool:
    """Waits for these tasks, and says which have not ended in time."""
    if not tasks:
        return True
    _, late = await asyncio.wait(tuple(tasks), timeout=_left(until))
    if late:
        _native.tell_late_tasks([task.get_name() for task in late])
    return not late


class _Gate:
    """Those of one loop who wait for one build, woken together."""

    __slots__ = ("futures", "landing", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.futures: set[asyncio.Future[None]] = set()
        self.landing: object = None

    def wake(self) -> None:
        """The build has ended. On any thread."""
        if asyncio._get_running_loop() is self.loop:
            self.open()
            return
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits there.
            self.loop.call_soon_threadsafe(self.open)

    def open(self) -> None:
        for future in self.futures:
            if not future.done():
                future.set_result(None)


_carried: dict[int, tuple[_native.TaskBuild, Home]] = {}
"""The builds under way on a loop, by their numbers, with their homes."""


async def _foreign(future: asyncio.Future[None], build: _native.TaskBuild, carrier: Home) -> None:
    """Waits for a build on another loop, and hands it on where nobody carries it any more."""
    stood_still = False
    while not future.done():
        loop = carrier.loop()
        stands_still = loop is None or not loop.is_running()
        if carrier.is_closed() or (stands_still and stood_still):
            # What it may give yet, if its loop should go on, is released.
            build.abandon()
        stood_still = stands_still
        await asyncio.wait((future,), timeout=LOOK)


class Keeper:
    """The task that has entered a resource, and leaves it: what a release waits for."""

    __slots__ = ("_left", "_stopped", "home", "is_released", "number", "task")

    def __init__(self, here: Home, loop: asyncio.AbstractEventLoop, number: int, task: asyncio.Task[Any]) -> None:
        self.home = here
        self.number = number
        self.task = task
        self.is_released = False
        self._stopped: asyncio.Future[None] = loop.create_future()
        self._left: asyncio.Future[None] = loop.create_future()
        here.keepers.add(self)

    def leave(self) -> asyncio.Task[Any]:
        """Has the resource left, by the task that this gives. On the loop."""
        if not self._stopped.done():
            self._stopped.set_result(None)
        return self.task

    async def left(self) -> None:
        """Waits until it has been left; raises what that raised."""
        self.leave()
        await asyncio.shield(self._left)

    async def keep(self) -> None:
        """Waits until the resource is to be left."""
        try:
            await asyncio.shield(self._stopped)
        except asyncio.CancelledError:
            # All tasks are being cancelled, since the loop ends; or what was entered is broken, and says so in this
            # way. Those who may use the resource run their own ends first, and so does what was built on it.
            with contextlib.suppress(asyncio.CancelledError):
                await _others_end()
                await self._younger_leave()
            _native.release_of_keeper(self)
            # Its `on_release` comes first; but what somebody still leases is released when it has been left.
            while self.is_released and not self._stopped.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(self._stopped)

    async def _younger_leave(self) -> None:
        younger = [it.task for it in self.home.keepers if it.number > self.number and it.task.cancelling()]
        if younger:
            await asyncio.wait(younger)

    def outcome(self) -> tuple[bool, BaseException | None]:
        """Whether it has been left already, and what that raised."""
        return self._left.done(), self._left.exception() if self._left.done() else None

    def has_left(self, error: BaseException | None) -> None:
        self.home.keepers.discard(self)
        if error is None:
            self._left.set_result(None)
        else:
            self._left.set_exception(error)
            self._left.exception()  # Where nobody asks, there is nobody to be told.


async def _others_end() -> None:
    """Waits for the tasks that are being cancelled and are none of ours."""
    ours = {task for it in _homes.values() for task in it.tasks}
    others = [task for task in asyncio.all_tasks() - ours if task.cancelling()]
    if others:
        await asyncio.wait(others)


async def _build(here: Home, build: _native.TaskBuild) -> None:
    """The task of a build that awaits."""
    try:
        resource = [await build.make()]
    except asyncio.CancelledError as error:
        _cancelled(build, error)
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        build.abandon()
        raise
    except Exception as error:
        build.failed(error)
    except BaseException as error:
        build.interrupted(error)
    else:
        build.done(resource, here, None, next(_built))
    _carried.pop(build.number, None)


def _cancelled(build: _native.TaskBuild, error: asyncio.CancelledError) -> None:
    task = asyncio.current_task()
    if task is None or task.cancelling():
        build.abandon()
    else:
        build.cancelled_within(error)


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
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    try:
        resource, leave = await enter()
    except asyncio.CancelledError as error:
        _cancelled(build, error)
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        build.abandon()
        raise
    except Exception as error:
        build.failed(error)
        return
    except BaseException as error:
        build.interrupted(error)
        return
    keeper = Keeper(here, loop, next(_built), task)
    if not build.done(resource, here, keeper, keeper.number):
        keeper.leave()
    _carried.pop(build.number, None)
    # What runs here from now on is no part of the build.
    _native.inside.set(None)
    del resource, build, enter
    await keeper.keep()
    try:
        await leave()
    except BaseException as error:
        keeper.has_left(error)
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
    else:
        keeper.has_left(None)


_CARRIERS = {"coroutine": _build, "generator": _keep_generator, "entered": _keep_entered}


def _begin_release(
    here: Home, keeper: Keeper | None, on_release: Callable[[], Any] | None, ticket: _native.Releasing
) -> asyncio.Task[Any] | None:
    try:
        waits = None if on_release is None else on_release()
    except BaseException as error:
        waits = None
        ticket.failed(error)
    if keeper is None and not hasattr(type(waits), "__await__"):
        ticket.done()
    elif here.is_closed():
        ticket.has_no_loop(None, True)
    else:
        task = here.spawn(_release(keeper, waits, ticket), f"tenure release {ticket.function}")
        here.releasing.add(task)
        task.add_done_callback(here.releasing.discard)
        return task
    return None


async def _release(keeper: Keeper | None, waits: Any, ticket: _native.Releasing) -> None:
    if hasattr(type(waits), "__await__"):
        try:
            await waits
        except BaseException as error:
            ticket.failed(error)
            if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
                raise
    if keeper is not None:
        try:
            await keeper.left()
        except BaseException as error:
            ticket.failed(error)
    ticket.done()
