"""asyncio as the carrier of what no caller owns: builds, keepers, releases, and the end of each loop.

How the end of a loop is learned, without patching: `asyncio.run`, `Runner`, uvloop and anyio cancel all tasks, and then
close the asynchronous generators of the loop. A `Home` has a task that is cancelled with them, waits for the others
that are being cancelled, and then releases what lives on the loop, the last built first; and it holds a generator that
has been started, whose end does the same with what is left. Only a bare `loop.close()` says nothing: it is noticed by
whoever looks next.

1. What the end of a loop must not cut short, keepers and releases that have begun, is run by tasks that
   `asyncio.all_tasks` does not know: the loop waits for them in its home's end.
2. A loop has one home until its generators are closed, and the home's with them. Generators that are closed together
   with it, and ask for something, are waited for.
3. From then on the loop is *past*: until it stops, and wherever its executor is shut down, which is what `asyncio.run`
   does before it closes a loop. A home of a loop that is past keeps nothing, and refuses what only the loop could
   release. One that runs on after that has a new home.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import sys
import threading
import types
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Generator
from typing import Any

from tenure import _carriers, _native, _tasks
from tenure._carriers import PAUSE, Result, homes

__all__ = ["Home", "home"]


class Home(_carriers.Home["asyncio.Task[Any]"]):
    """One event loop of asyncio."""

    meant_for_the_loop = (KeyboardInterrupt, SystemExit)

    def __init__(self, loop: asyncio.AbstractEventLoop, is_past: bool) -> None:
        super().__init__(id(loop))
        self.loop = weakref.ref(loop)
        self.thread = threading.get_ident()
        self._watch: asyncio.Task[None] | None = None
        self._end = self._until_the_end()
        if is_past:
            self.is_ending = True
            self.state.end()
            return
        # The first step of a generator tells the running loop of it, and runs to the yield at once.
        with contextlib.suppress(StopIteration):
            self._end.__anext__().send(None)

    def is_closed(self) -> bool:
        loop = self.loop()
        return self.state.is_over or loop is None or loop.is_closed()

    def stands_still(self) -> bool:
        loop = self.loop()
        return loop is None or not loop.is_running()

    def is_here(self) -> bool:
        return asyncio._get_running_loop() is self.loop() is not None

    def call_soon(self, work: Callable[[], object]) -> None:
        loop = self.loop()
        if loop is None:
            raise RuntimeError("the event loop is gone")
        loop.call_soon_threadsafe(work)

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    async def pause(self) -> None:
        await asyncio.sleep(PAUSE)

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        context = contextvars.copy_context()

        def tell(outcome: Callable[[], object]) -> None:
            if not done.done():
                outcome()

        def run() -> None:
            try:
                result = context.run(work)
            except BaseException as error:
                outcome = functools.partial(done.set_exception, error)
            else:
                outcome = functools.partial(done.set_result, result)
            with contextlib.suppress(RuntimeError):  # The loop has ended, and nobody waits.
                loop.call_soon_threadsafe(tell, outcome)

        threading.Thread(target=run, name="tenure-aside", daemon=True).start()
        return await done

    async def wait(self, tasks: Collection[asyncio.Task[Any]], until: float) -> Collection[asyncio.Task[Any]]:
        return (await asyncio.wait(tasks, timeout=max(0.0, until - self.time())))[1]

    def spawn(
        self,
        work: Coroutine[Any, Any, None],
        name: str,
        ended: Callable[[asyncio.Task[Any]], object],
        is_sheltered: bool,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        # Not by the loop's task factory, which is for the program's tasks, and may begin them at once.
        task = asyncio.Task(work, loop=self.loop(), name=name, context=context or contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(ended)
        task.add_done_callback(_told)
        if is_sheltered:
            # Who ends the loop cancels all tasks that it lists.
            asyncio._unregister_task(task)
        return task

    def is_running(self, task: asyncio.Task[Any]) -> bool:
        return asyncio._get_running_loop() is not None and asyncio.current_task() is task

    def is_handed_on(self, build: _native.TaskBuild) -> bool:
        # Where callers go on to wait it has failed: begun anew, one that cancels itself would be begun for ever.
        task = asyncio.current_task()
        return task is None or (task.cancelling() > 0 and (self.is_ending or not self._awaits(build)))

    def _awaits(self, build: _native.TaskBuild) -> bool:
        """Whether anybody on this loop waits for the build, and is not being cancelled."""
        gate = self.gates.get(build.number)
        return gate is not None and any(not future.done() for future in gate.futures)

    def besides_cancellation(self, error: BaseException) -> BaseException | None:
        return None if isinstance(error, asyncio.CancelledError) else error

    def cancellations(self) -> Callable[[BaseException], bool]:
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        return lambda error: (
            isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() <= before
        )

    def keeper(self, task: asyncio.Task[Any], function: str) -> Keeper:
        task.set_name(f"tenure keeper {function}")
        # Nobody who cancels all tasks means this one: its home is told of that, and ends everything in order.
        asyncio._unregister_task(task)
        if self._watch is None and not self.is_ending:
            self._watch = self.spawn(self._watches(), "tenure loop", self.tasks.discard, False)
        return Keeper(self, function, task)

    def start(self, build: _native.TaskBuild, context: contextvars.Context, has_waited: bool) -> None:
        if self.state.is_over and build.is_bound:
            build.abandon()
            raise build.refused()
        if has_waited and self.is_ending:
            build.abandon()
            raise asyncio.CancelledError(f"the event loop ends, and the build of {build.function} with it")
        self.carry(build, context)

    async def turn(self, build: _native.TaskBuild) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def told() -> None:
            if not turn.done():
                turn.set_result(None)

        if build.await_turn(lambda: self.post(told)):
            await turn

    async def landing(self, caller: _native.TaskWaiter) -> None:
        loop = asyncio.get_running_loop()
        number = caller.build()
        gate = self.gates.get(number)
        if gate is None:
            gate = _Gate(self, number)
            gate.landing = caller.landing(gate.wake)
            if gate.landing is None:
                return
            self.gates[number] = gate
        future: asyncio.Future[None] = loop.create_future()
        gate.futures[future] = asyncio.current_task()
        try:
            await _landed(future, _carriers.Looks(caller, self))
        except BaseException:
            gate.leave(future)
            raise

    def stepwise(self, work: Awaitable[Result]) -> Awaitable[Result]:
        return _unlisted(work)

    def silence(self, task: asyncio.Task[Any]) -> None:
        task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def _watches(self) -> None:
        """The task, which the loop lists, that learns of the end where all tasks are cancelled."""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        self._watch = None
        if self.is_parents or self.is_ending:
            return
        # All tasks are being cancelled, since the loop ends. Those who may use what lives here end first.
        others = [task for task in asyncio.all_tasks() - self.tasks if task.cancelling()]
        with contextlib.suppress(asyncio.CancelledError):
            if others:
                await asyncio.wait(others)
            await self.wind_up(self.until())

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if not self.is_parents:
                await self._others_close()
                if self._watch is not None:
                    self._watch.cancel()
                # Where nobody has cancelled anything: what is not built yet is built elsewhere, or not at all.
                for build in tuple(self.builds.values()):
                    build.cancel()
                try:
                    await self.ends()
                finally:
                    _note_past(asyncio.get_running_loop())

    async def _others_close(self) -> None:
        """Waits for the generators that are closed together with this home's, and use what lives here meanwhile.

        One that hangs leaves time for the releases.
        """
        until = self.until()
        # Tasks that begin where they are made close this home's generator before all are gathered.
        await asyncio.sleep(0)
        others = [it for it in _closed_together() if not it.done()]
        if others:
            await self.wait(others, until - self._timeout * _carriers.RESERVE)
        self._until = until  # What they have had built does not begin it anew.


def home() -> Home:
    """The home of the running loop.

    Raises RuntimeError where none runs.
    """
    loop = asyncio.get_running_loop()
    here = homes.get(id(loop))
    known = here if isinstance(here, Home) and here.loop() is loop else None
    if known is not None and not known.state.is_over:
        return known
    is_past = _is_past(loop)
    if known is None or not is_past:
        _carriers.sweep()
        known = Home(loop, is_past)
        _carriers.add(known)
    return known


def _closed_together() -> set[asyncio.Task[Any]]:
    """The tasks that close the other generators of a loop, where the present one closes its home's."""
    me = asyncio.current_task()
    for task in asyncio.all_tasks():
        # Who closes all generators of a loop gathers their ends.
        together = getattr(getattr(task, "_fut_waiter", None), "_children", ())
        if me in together:
            return {it for it in together if it is not me}
    return set()


_past: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Callable[[], object]] = weakref.WeakKeyDictionary()
"""The runs in which homes have ended, by their loops."""


def _note_past(loop: asyncio.AbstractEventLoop) -> None:
    _past[loop] = _run()


def _run() -> Callable[[], object]:
    """The present run of the running loop, as something that refers to it while it lasts.

    A loop that begins to run sets a hook of its own for asynchronous generators, anew each time.
    """
    hook = sys.get_asyncgen_hooks().firstiter
    if isinstance(hook, _NotListed):
        hook = hook.instead_of
    return _no_run if hook is None else weakref.ref(hook)


def _no_run() -> None:
    """For a loop that sets no hook."""


def _is_past(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop runs only to be closed."""
    if any(_closes(task.get_coro()) for task in asyncio.all_tasks(loop)):
        return True
    ended_in = _past.get(loop)
    run = None if ended_in is None else ended_in()
    return run is not None and run is _run()()


def _closes(work: Any) -> bool:
    """Whether this coroutine, or what it awaits, closes the generators of a loop or shuts down its executor."""
    while work is not None:
        if getattr(work, "__name__", None) in ("shutdown_asyncgens", "shutdown_default_executor"):
            return True
        # Of one that runs, CPython 3.11 and 3.12 may take whatever lies on its stack for what it awaits.
        if getattr(work, "cr_running", False):
            return False
        work = getattr(work, "cr_await", None)
    return False


@atexit.register
def _at_exit() -> None:
    """Ends the loops that stand still, of the main thread and of threads that are over: nobody runs them any more."""
    if asyncio._get_running_loop() is not None:
        return
    others = {thread.ident for thread in threading.enumerate()} - {threading.main_thread().ident}
    for it in homes.copy().values():
        if not isinstance(it, Home):
            continue
        loop = it.loop()
        if it.thread not in others and loop is not None and not (loop.is_running() or it.is_closed()):
            _run_to_the_end(loop, it._end.aclose())


def _run_to_the_end(loop: asyncio.AbstractEventLoop, work: Awaitable[None]) -> None:
    """Runs a loop until this is done, also where somebody has told it to stop.

    A notebook's kernel tells its loop so more than once, and each of these stops the run that it meets.
    """
    done = asyncio.ensure_future(work, loop=loop)
    while not (done.done() or loop.is_closed()):
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(done)


def _told(task: asyncio.Task[Any]) -> None:
    """What it has raised was told by itself."""
    if not task.cancelled():
        task.exception()


class _Gate(_carriers.Gate):
    """Those of one loop of asyncio who wait for one build."""

    __slots__ = ("futures",)

    def __init__(self, here: Home, number: int) -> None:
        super().__init__(here, number)
        # Each with the task that waits for it, in the order in which they came, which is the order of waking.
        self.futures: dict[asyncio.Future[None], asyncio.Task[Any] | None] = {}

    def let_through(self) -> None:
        for future in self.futures:
            if not future.done():
                future.set_result(None)

    def leave(self, future: asyncio.Future[None]) -> None:
        """One of them waits no more."""
        self.futures.pop(future, None)
        if not self.futures:
            self.take_down()


async def _landed(future: asyncio.Future[None], looks: _carriers.Looks) -> None:
    """Waits for the end of a build, and looks meanwhile."""
    if looks.pause is None:
        await future
        return
    while not future.done():
        looks.take()
        await asyncio.wait((future,), timeout=looks.pause)


class Keeper(_tasks.Keeper):
    """A keeper on a loop of asyncio."""

    __slots__ = ("_error", "_has_left", "_left", "_stopped", "_task")

    def __init__(self, here: Home, function: str, task: asyncio.Task[Any]) -> None:
        super().__init__(here, function)
        self._task = task
        self._has_left = False
        self._error: BaseException | None = None
        self._stopped: asyncio.Future[None] = task.get_loop().create_future()
        self._left: asyncio.Future[None] = task.get_loop().create_future()

    def leave(self) -> None:
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def left(self) -> None:
        self.leave()
        await asyncio.shield(self._left)
        if self._error is not None:
            raise self._error

    async def keep(self) -> None:
        try:
            # One that was cancelled while it built will not be again.
            if not self._task.cancelling():
                await asyncio.shield(self._stopped)
        except asyncio.CancelledError:
            pass
        if self.home.is_parents or self._stopped.done() or not self.breaks():
            return
        while not self._stopped.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._stopped)

    def outcome(self) -> tuple[bool, BaseException | None]:
        return self._has_left, self._error

    def set_left(self, error: BaseException | None) -> None:
        self._has_left, self._error = True, error
        # One that was cut off ends when its loop has been closed, by the collector: nobody waits there.
        if not self._left.get_loop().is_closed():
            self._left.set_result(None)


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
        sys.set_asyncgen_hooks(_NotListed(first), last)
        try:
            asked = steps.send(given) if thrown is None else steps.throw(thrown)
        except StopIteration as end:
            return end.value
        finally:
            sys.set_asyncgen_hooks(first, last)
        try:
            given, thrown = (yield asked), None
        except GeneratorExit:
            # Dropped together with what it awaits, which may have been closed first.
            steps.close()
            raise
        except BaseException as error:
            thrown = error


class _NotListed:
    """What stands in the place of a loop's own hook."""

    __slots__ = ("instead_of",)

    def __init__(self, instead_of: Any) -> None:
        self.instead_of = instead_of

    def __call__(self, _: object) -> None:
        """Lists nothing."""
