"""trio as the carrier of what no caller owns: builds, keepers, releases, and the end of each run.

All of them are system tasks, which belong to no nursery of the program. Trio cancels them when the main task has ended,
and all of the program's tasks with it. A `Home` has one that sleeps until then: it releases what lives on the run, the
last built first, and waits for that. So:

1. A build is cancelled by trio itself, at the end of the run; it is handed on then. One that is begun while the run
   ends already, by a release say, is shielded, and may end.
2. A keeper runs inside of one cancel scope, which is opened before it enters and closed after it has left, and which is
   shielded from the moment when it has entered: a cancellation that comes at that very moment is void. Nothing cancels
   a scope while what was entered in it is kept. Keepers are told to leave.
3. A release is shielded. What is late at the end of a run is cancelled, since trio waits for it.
4. No exception leaves a system task, or a callback of `run_sync_soon`: trio would crash.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import math
import weakref
from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any

import trio

from tenure import _carriers, _native, _tasks
from tenure._carriers import PAUSE, Result

__all__ = ["Home", "home"]


class _Task:
    """A system task, as those who wait for it or cancel it know it."""

    __slots__ = ("_name", "ended", "scope", "system")

    def __init__(self, name: str, is_shielded: bool) -> None:
        self._name = name
        self.scope = trio.CancelScope(shield=is_shielded)
        self.ended = trio.Event()
        self.system: trio.lowlevel.Task | None = None

    def get_name(self) -> str:
        return self._name

    def set_name(self, name: str) -> None:
        self._name = name
        if self.system is not None:
            self.system.name = name


class Home(_carriers.Home[_Task]):
    """One run of trio."""

    meant_for_the_loop = ()  # See 4.

    def __init__(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        super().__init__(self.token)
        self.is_ending = self.token in _ended
        trio.lowlevel.spawn_system_task(self._until_the_end, name="tenure end of the run")

    def is_closed(self) -> bool:
        if self.state.is_over:
            return True
        if self.is_here():
            return False
        try:
            self.call_soon(_nothing)
        except trio.RunFinishedError:
            return True
        return False

    def stands_still(self) -> bool:
        return self.is_closed()

    def is_here(self) -> bool:
        return trio.lowlevel.in_trio_task() and trio.lowlevel.current_trio_token() is self.token

    def call_soon(self, work: Callable[[], object]) -> None:
        try:
            self.token.run_sync_soon(work)
        except OSError:
            # It has crashed, and does not say that it is over.
            raise trio.RunFinishedError("the run has crashed") from None

    def time(self) -> float:
        return trio.current_time()

    async def pause(self) -> None:
        await trio.sleep(PAUSE)

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))

    async def wait(self, tasks: Collection[_Task], until: float) -> Collection[_Task]:
        with trio.move_on_at(until):
            for task in tasks:
                await task.ended.wait()
        return [task for task in tasks if not task.ended.is_set()]

    def spawn(
        self,
        work: Coroutine[Any, Any, None],
        name: str,
        ended: Callable[[_Task], object],
        is_sheltered: bool,
        context: contextvars.Context | None = None,
    ) -> _Task:
        task = _Task(name, is_sheltered)

        async def run() -> None:
            try:
                with self.contained(name), task.scope:
                    await work
            finally:
                with self.contained(name):
                    ended(task)
            task.ended.set()

        self.tasks.add(task)
        try:
            task.system = trio.lowlevel.spawn_system_task(run, name=name, context=context)
        except BaseException:
            self.tasks.discard(task)
            raise
        return task

    def is_running(self, task: _Task) -> bool:
        return self.is_here() and trio.lowlevel.current_task() is task.system

    def is_handed_on(self, build: _native.TaskBuild) -> bool:
        # Nobody but trio cancels it. Who waits for it all the same is shielded, and builds.
        return _is_cancelled()

    def besides_cancellation(self, error: BaseException) -> BaseException | None:
        if isinstance(error, BaseExceptionGroup):  # A nursery gives it so.
            return error.split(trio.Cancelled)[1]
        return None if isinstance(error, trio.Cancelled) else error

    def cancellations(self) -> Callable[[BaseException], bool]:
        return lambda error: self.besides_cancellation(error) is None and not _is_cancelled()

    def keeper(self, task: _Task, function: str) -> Keeper:
        task.scope.shield = True
        task.set_name(f"tenure keeper {function}")
        return Keeper(self, function)

    def start(self, build: _native.TaskBuild, context: contextvars.Context, has_waited: bool) -> None:
        if has_waited and self.is_ending and _is_cancelled():
            build.abandon()
            return  # The wait for it is where the caller's cancellation comes.
        # Who is shielded may go on when this is over: what is built for him has an end of its own.
        here = home() if self.state.is_over else self
        here.carry(build, context)

    async def turn(self, build: _native.TaskBuild) -> None:
        turn = trio.Event()
        if build.await_turn(lambda: self.post(turn.set)):
            await turn.wait()

    async def landing(self, caller: _native.TaskWaiter) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        number = caller.build()
        gate = self.gates.get(number)
        if gate is None:
            gate = _Gate(self, number)
            gate.landing = caller.landing(gate.wake)
            if gate.landing is None:
                await trio.lowlevel.checkpoint()  # So that calls that find nothing but what has ended let others run.
                return
            self.gates[number] = gate
        gate.waiting += 1
        try:
            await _landed(gate.event, _carriers.Looks(caller, self))
        finally:
            gate.leave()

    @contextlib.contextmanager
    def contained(self, what: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not self.is_here():
                raise  # The run has crashed, and what is left of it is being dropped.
            if self.besides_cancellation(error) is not None:
                logging.getLogger("tenure").error("%s raised", what, exc_info=error)

    async def _until_the_end(self) -> None:
        with contextlib.suppress(trio.Cancelled):
            await trio.sleep_forever()
        _ended.add(self.token)
        if self.is_parents:
            for keeper in tuple(self.keepers):
                keeper.leave()  # Which ends, in a child process, and leaves nothing.
            return
        try:
            with self.contained("the end of a run of trio"), trio.CancelScope(shield=True):
                await self.ends()
        finally:
            for task in tuple(self.tasks):
                task.scope.cancel()


_ended: weakref.WeakSet[trio.lowlevel.TrioToken] = weakref.WeakSet()
"""The runs whose main tasks have ended. Tasks that are shielded may go on there."""


def home() -> Home:
    """The home of the present run. To be called in a task of trio.

    Raises RuntimeError where the run is so near its end that it begins nothing more.
    """
    here = _carriers.homes.get(trio.lowlevel.current_trio_token())
    if isinstance(here, Home):
        return here
    _carriers.sweep()
    here = Home()
    _carriers.add(here)
    return here


def _nothing() -> None:
    """For whoever asks whether a run still takes callbacks."""


def _is_cancelled() -> bool:
    """Whether the present task would be cancelled at a checkpoint."""
    return trio.current_effective_deadline() == -math.inf


class _Gate(_carriers.Gate):
    """Those of one run who wait for one build."""

    __slots__ = ("event", "waiting")

    def __init__(self, here: Home, number: int) -> None:
        super().__init__(here, number)
        self.event = trio.Event()
        self.waiting = 0

    def let_through(self) -> None:
        self.event.set()

    def leave(self) -> None:
        """One of them waits no more."""
        self.waiting -= 1
        if self.waiting == 0:
            self.take_down()


async def _landed(event: trio.Event, looks: _carriers.Looks) -> None:
    """Waits for the end of a build, and looks meanwhile."""
    if looks.pause is None:
        await event.wait()
        return
    while not event.is_set():
        looks.take()
        with trio.move_on_after(looks.pause):
            await event.wait()


class Keeper(_tasks.Keeper):
    """A keeper on a run of trio."""

    __slots__ = ("_error", "_left", "_stopped")

    def __init__(self, here: Home, function: str) -> None:
        super().__init__(here, function)
        self._stopped = trio.Event()
        self._left = trio.Event()
        self._error: BaseException | None = None

    def leave(self) -> None:
        self._stopped.set()

    async def left(self) -> None:
        self.leave()
        await self._left.wait()
        if self._error is not None:
            raise self._error

    async def keep(self) -> None:
        try:
            await self._stopped.wait()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                # Nobody tells one that is late for the end of the run.
                if self.breaks() and not self.home.state.is_over:
                    await self._stopped.wait()

    def outcome(self) -> tuple[bool, BaseException | None]:
        return self._left.is_set(), self._error

    def set_left(self, error: BaseException | None) -> None:
        self._error = error
        self._left.set()
