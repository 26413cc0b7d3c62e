"""The tasks of a loop of whichever kind: a build, the keeper of what is left as well as entered, a release.

What depends on the kind of loop they ask of the place where they run, which is a home.
"""

from __future__ import annotations

import contextlib
import contextvars
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from tenure import _native

__all__ = ["ENTERS", "Keeper", "keep", "leaving", "make", "parents", "release"]

_Result = TypeVar("_Result")

parents: list[object] = []
"""What was the parent's process when this one was forked."""


leaving = contextvars.ContextVar("tenure_leaving", default=0)
"""In how many releases by the task that has entered the resource the present code is: a second one is that of what the
first has had built.
"""


class Place(Protocol):
    """The part of a home that its tasks ask."""

    is_parents: bool
    keepers: set[Keeper]

    @property
    def meant_for_the_loop(self) -> tuple[type[BaseException], ...]: ...
    @property
    def builds(self) -> Mapping[int, Any]: ...
    def stepwise(self, work: Awaitable[_Result]) -> Awaitable[_Result]: ...
    async def turn(self, build: _native.TaskBuild) -> None: ...
    def contained(self, what: str) -> contextlib.AbstractContextManager[object]: ...
    def keeper(self, task: Any, function: str) -> Keeper: ...
    def landed(self, build: _native.TaskBuild) -> None: ...
    def tell(self, build: _native.TaskBuild, task: Any, error: BaseException) -> bool: ...


class Keeper(ABC):
    """The task that has entered a resource, and leaves it: what a release waits for."""

    __slots__ = ("function", "has_failed", "home", "is_released")

    def __init__(self, here: Place, function: str) -> None:
        self.home: Any = here
        self.function = function
        self.is_released = False
        self.has_failed = False
        here.keepers.add(self)

    @abstractmethod
    def leave(self) -> None:
        """Has the resource left. On the loop."""

    @abstractmethod
    async def keep(self) -> None:
        """Waits until the resource is to be left."""

    @abstractmethod
    async def left(self) -> None:
        """Waits until it has been left; raises what that raised."""

    @abstractmethod
    def outcome(self) -> tuple[bool, BaseException | None]:
        """Whether it has been left already, and what that raised."""

    @abstractmethod
    def set_left(self, error: BaseException | None) -> None:
        """It has been left, for all who wait for that."""

    def breaks(self) -> bool:
        """What was entered is broken, and says so by a cancellation. Whether it is left only when told so.

        Its `on_release` comes first; but what somebody still leases is released when it has been left.
        """
        _native.release_of_keeper(self)
        return self.is_released

    def has_left(self, error: BaseException | None) -> None:
        self.home.keepers.discard(self)
        if error is not None and not self.is_released:
            # Told at once. Kept, it would hold the resource by its traceback, and pass for a user that the release
            # waits for. That one was cut off with its loop has been told already.
            if not (self.home.state.is_over and isinstance(error, GeneratorExit)):
                _native.tell_teardown(self.function, error)
            self.has_failed, error = True, None
        self.set_left(error)


_Enter = Callable[[_native.TaskBuild], Awaitable[tuple[list[Any], Callable[[], Awaitable[Any]]]]]
"""Gives a resource, alone in a list, so that the references to it can be counted; and what leaves it."""


async def _enter_generator(build: _native.TaskBuild) -> tuple[list[Any], Callable[[], Awaitable[Any]]]:
    """An asynchronous generator: up to its yield, and on from there in the end."""
    steps = build.make()
    try:
        resource = [await steps.__anext__()]
    except StopAsyncIteration:
        raise build.yielded_never() from None
    # The build holds the function, which would be there, edited or not, for as long as its resource is.
    function = build.function

    async def leave() -> None:
        try:
            await steps.__anext__()
        except StopAsyncIteration:
            return
        await steps.aclose()
        raise _native.yielded_twice(function)

    return resource, leave


async def _enter_manager(build: _native.TaskBuild) -> tuple[list[Any], Callable[[], Awaitable[Any]]]:
    """A function that gives an asynchronous context manager."""
    manager = build.entered(await build.make())
    kind = type(manager)
    if not hasattr(kind, "__aenter__"):
        resource = [kind.__enter__(manager)]

        async def leave() -> None:
            kind.__exit__(manager, None, None, None)

        return resource, leave
    resource = [await kind.__aenter__(manager)]
    return resource, lambda: kind.__aexit__(manager, None, None, None)


ENTERS: dict[str, _Enter] = {"generator": _enter_generator, "entered": _enter_manager}
"""How what is left as well as entered is entered, by the kinds of builds."""


async def make(here: Place, build: _native.TaskBuild) -> None:
    """The task of a build that awaits."""
    task = here.builds[build.number]
    try:
        await here.turn(build)
        resource = [await build.make()]
    except BaseException as error:
        if here.tell(build, task, error):
            raise
    else:
        build.done(resource, here, None)
    here.landed(build)


async def keep(here: Place, build: _native.TaskBuild) -> None:
    """Enters, waits, and leaves, in one task: a task group or a cancel scope may lie in between."""
    task = here.builds[build.number]
    try:
        await here.turn(build)
        resource, leave = await here.stepwise(ENTERS[build.kind](build))
    except BaseException as error:
        if here.tell(build, task, error):
            raise
        return
    keeper = here.keeper(task, build.function)
    with here.contained("what a build has released"):
        if not build.done(resource, here, keeper):
            keeper.leave()
    here.landed(build)
    # What runs here from now on is no part of the build.
    _native.inside.set(None)
    del resource, build, task
    try:
        await keeper.keep()
        if here.is_parents:
            # It is not left in a child process, and not dropped either: a generator would run on to its end.
            parents.append(leave)
            return
        leaving.set(leaving.get() + 1)
        await here.stepwise(leave())
    except BaseException as error:
        keeper.has_left(error)
        if isinstance(error, (GeneratorExit, *here.meant_for_the_loop)):
            raise
    else:
        keeper.has_left(None)


async def release(keeper: Keeper | None, waits: Any, ticket: _native.Releasing) -> None:
    """Awaits what `on_release` gave, and then that the keeper has left."""
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
