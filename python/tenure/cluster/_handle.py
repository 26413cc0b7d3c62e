"""Handles, which stand with callers for a resource that lives in an actor.

A handle stands for the resource of one call of the function, as it is at the time: what has ended there is built again
for the next call. Each call is one by itself; what has to run on one resource without a break belongs in one method.

A handle of a blocking function blocks, and one of an async function is awaited, wherever that is: the same line of code
means the same under a loop, in a thread and in a notebook. Coroutine methods are awaited in both.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from tenure._native import ResourceLost
from tenure.cluster import _ray
from tenure.cluster._answers import Face, Itself, Method, Over
from tenure.cluster._errors import own
from tenure.cluster._link import Link
from tenure.cluster._sending import unsent, untaken
from tenure.cluster._waiting import awaited, each

__all__ = ["Handle", "Line", "handle"]


class Line:
    """The route from a handle to the present actor, and to the next one."""

    def __init__(self, link: Link, face: Face, name: str, is_async: bool, again: Callable[[Line], Any] | None) -> None:
        self.link = link
        self.face = face
        self.name = name
        self.is_async = is_async
        self._again = again

    # --- blocking ---------------------------------------------------------------------------------

    def call(self, handle: Handle, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls a method of the resource."""
        return self._answered(handle, "call", name, args, kwargs)

    def attribute(self, handle: Handle, name: str) -> Any:
        """The value of an attribute, or a method."""
        return self._answered(handle, "attribute", name, (), {})

    def _answered(self, handle: Handle, what: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        while True:
            link = self._present()
            call = self._begun(link, what, name, args, kwargs)
            try:
                answer = _ray.imported().get(call)
            except BaseException as error:
                self._failed(link, call, name, error)
                continue
            if answer.__class__ is not Over:
                return self._settled(handle, name, answer)
            link.is_done = True

    def stream(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
        """The items that a method gives, one by one."""
        has_begun = False
        while True:
            link = self._present()
            items = self._begun(link, "stream", name, args, kwargs)
            try:
                for it in items:
                    item = _ray.imported().get(it)
                    if item.__class__ is Over:
                        link.is_done = True
                        break
                    has_begun = True
                    yield item
                else:
                    return
            except BaseException as error:
                self._failed(link, items, name, error, has_begun)

    def _present(self) -> Link:
        if not self.link.is_present():
            self.link = self._renewed()(self)._tenure.link
        return self.link

    # --- async ------------------------------------------------------------------------------------

    async def call_async(self, handle: Handle, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls a method of the resource."""
        return await self._answered_async(handle, "call", name, args, kwargs)

    async def attribute_async(self, handle: Handle, name: str) -> Any:
        """The value of an attribute, or a method."""
        return await self._answered_async(handle, "attribute", name, (), {})

    async def _answered_async(
        self, handle: Handle, what: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        while True:
            link = await self._present_async()
            call = self._begun(link, what, name, args, kwargs)
            try:
                answer = await _got(call)
            except BaseException as error:
                self._failed(link, call, name, error)
                continue
            if answer.__class__ is not Over:
                return self._settled(handle, name, answer)
            link.is_done = True

    async def stream_async(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """The items that a method gives, one by one."""
        has_begun = False
        while True:
            link = await self._present_async()
            items = self._begun(link, "stream", name, args, kwargs)
            try:
                async for it in each(items):
                    item = await _got(it)
                    if item.__class__ is Over:
                        link.is_done = True
                        break
                    has_begun = True
                    yield item
                else:
                    return
            except BaseException as error:
                self._failed(link, items, name, error, has_begun)

    async def _present_async(self) -> Link:
        if not self.link.is_present():
            given = self._renewed()(self)
            found = await given if self.is_async else given
            self.link = found._tenure.link
        return self.link

    # --- both -------------------------------------------------------------------------------------

    def _renewed(self) -> Callable[[Line], Any]:
        if self._again is None:
            raise ResourceLost(
                f"the resource of {self.name} has ended, and this handle came from another process. Call "
                f"{self.name} in the program that has it, and pass the handle on that it gives"
            )
        return self._again

    def _begun(self, link: Link, what: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return getattr(link, what).remote(name, *args, **kwargs)
        except Exception:
            told = unsent(name, self.name, args, kwargs)
            if told is None:
                raise
        raise told

    def _settled(self, handle: Handle, name: str, answer: Any) -> Any:
        """The answer of an actor as its caller gets it."""
        kind = answer.__class__
        if kind is Method:
            return functools.partial(_method(name, answer.kind, self.is_async), handle)
        return handle if kind is Itself else answer

    def _failed(self, link: Link, call: Any, name: str, error: BaseException, has_begun: bool = False) -> None:
        """Raises what a failed call is for its caller, unless it was not run: then it is to be made again.

        Where it has not failed itself, nobody waits for it any more: it is cancelled there.
        """
        exceptions = _ray.imported().exceptions
        if isinstance(error, exceptions.RayTaskError):
            raise (untaken(error, name, self.name) or own(error)) from None
        # Ray's, for a thread that waits when it goes: what a resource raises comes as an error of a task.
        if isinstance(error, SystemExit) and not link.is_of_now():
            raise ResourceLost(
                f"this program has left the cluster while a call of the resource of {self.name} was under way, so the "
                "call may have run or not"
            ) from None
        if not isinstance(error, exceptions.RayActorError):
            link.cancel(call, self.is_async)
            raise error
        link.is_done = True
        if link.has_ended() and not has_begun:
            return
        if not link.is_watched:
            raise ResourceLost(
                f"the resource of {self.name} has ended, before this call or with its actor while it was under way: "
                "this handle came from another process, and is not told which. So the call may have run or not. Call "
                f"{self.name} in the program that has it, and pass the handle on that it gives"
            ) from error
        raise ResourceLost(
            f"the resource of {self.name} was lost with its actor while this call was under way, so the call may have "
            "run or not. The next one has the resource built anew: make the call again if that does no harm"
        ) from error


class Handle:
    """A resource of a cluster, as callers have it: its methods run in the actor where it lives.

    Made by a cached function with `scope="cluster"`. It has the methods, the item access, the iteration and the
    attributes of the resource; what those give are copies. It can be pickled, and passed to other tasks of the cluster.
    """

    __slots__ = ("__weakref__", "_tenure")

    _tenure: Line

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(
                f"{name} stays with the resource of {self._tenure.name}: names with an underscore do. Write a method "
                "of the resource without one that gives what is needed of it"
            )
        line = self._tenure
        return line.attribute_async(self, name) if line.is_async else line.attribute(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{name} cannot be set on a handle: it would have to be set where the resource of {self._tenure.name} "
            "lives. Write a method of the resource that sets it"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(
            f"{name} cannot be deleted on a handle. Write a method of the resource of {self._tenure.name} that does it"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        line = self._tenure
        return _restored, (line.link.actor, line.face, line.name, line.is_async)

    def __repr__(self) -> str:
        line = self._tenure
        return f"<handle of {line.face.class_name}, the resource of {line.name} in the cluster>"


def handle(line: Line) -> Handle:
    """The handle at the end of a line."""
    made = _class(line.face, line.is_async)()
    object.__setattr__(made, "_tenure", line)
    return made


def _restored(actor: Any, face: Face, name: str, is_async: bool) -> Handle:
    return handle(Line(Link(actor, watches=False), face, name, is_async, None))


async def _got(reference: Any) -> Any:
    return await awaited(reference.future())


# --- the class of a handle ----------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def _class(face: Face, is_async: bool) -> type[Handle]:
    """The class of the handles of resources that look so from outside."""
    body: dict[str, Any] = {"__slots__": (), "__module__": __name__}
    for name, kind in face.names:
        if kind == "data":
            body[name] = _data(name, is_async)
        elif is_async and name in _NOT_AWAITED:
            body[name] = _refusal(name, "it cannot be awaited. Write a method of the resource that gives the same")
        else:
            body[name] = _method(name, kind, is_async)
    for name in ("__delitem__", "__setitem__"):
        if name not in body:
            body[name] = _refusal(
                name, f"{face.class_name} has none. Write it there, or a method of the resource that does what it would"
            )
    for name in face.refused:
        body[name] = _refusal(
            name,
            "the resource is not this caller's alone. Write enter=True on the function, which enters the resource "
            "where it lives, or a method of the resource that enters what it needs",
        )
    return type("Handle", (Handle,), body)


_NOT_AWAITED = ("__bool__", "__contains__", "__delitem__", "__iter__", "__len__", "__next__", "__setitem__")


def _method(name: str, kind: str, is_async: bool) -> Callable[..., Any]:
    if kind == "async stream" or (is_async and kind == "stream"):

        def method(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
            return self._tenure.stream_async(name, args, kwargs)

    elif kind == "stream":

        def method(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
            return self._tenure.stream(name, args, kwargs)

    elif kind == "await" or is_async:

        def method(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
            return self._tenure.call_async(self, name, args, kwargs)

    else:

        def method(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
            return self._tenure.call(self, name, args, kwargs)

    method.__name__ = method.__qualname__ = name
    return method


def _data(name: str, is_async: bool) -> property:
    if is_async:
        return property(lambda self: self._tenure.attribute_async(self, name))
    return property(lambda self: self._tenure.attribute(self, name))


def _refusal(name: str, why: str) -> Callable[..., Any]:
    def refused(self: Handle, *_: Any) -> Any:
        raise TypeError(f"a handle of the resource of {self._tenure.name} has no {name}: {why}")

    return refused
