"""Who holds a resource, as far as the interpreter tells.

1. Nothing of the program's own runs: no property, no `repr`, no comparison. Types, namespaces and frames are read.
2. What is looked for is held by frames of this file and by lists that the look knows. A comprehension or a closure over
   it would be one that holds it too.
3. Nothing is held for longer than the look takes. Before Python 3.13 a look at the local variables of a running
   function leaves them in a dict of its frame, so there running functions are named and not looked into.
"""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
import threading
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from typing import Any, Literal

from tenure import _native

__all__ = ["Held", "holders"]

DEPTH = 4
"""The most steps from a resource to a holder that has a name."""

MOST = 20
"""The most holders of one resource that are named."""

_SHOWS_LOCALS = sys.version_info >= (3, 13)

_LIBRARY = sysconfig.get_path("stdlib") + os.sep
"""The folder of the functions that no program looks for."""


@dataclass(frozen=True)
class Held:
    """A resource of a cached function, and who holds it, as `holders` finds it. Its text has a line for each holder.

    Examples
    --------
    >>> import tenure
    >>> @tenure.cache_resource
    ... def held_pool():
    ...     return []
    >>> pool = held_pool()
    >>> [held] = tenure.holders(held_pool)
    >>> held.state, held.uses
    ('kept', 1)
    """

    resource: str
    """The class of the resource."""
    state: Literal["kept", "draining"]
    """Whether it is kept, or has left its cache and is released when nobody uses it."""
    cause: str | None
    """The cause of its leaving the cache; `None` while it is kept."""
    age: float
    """The time since it was built, in seconds."""
    uses: int | None
    """The number of references that came after its build; `None` where Python does not count them."""
    leases: int
    """The number of its leases that are out: `with f.lease(...)`."""
    by: tuple[str, ...]
    """Its holders, each in words. What its build left somewhere is among them, and is no use that delays a release."""

    def __str__(self) -> str:
        why = f" ({self.cause})" if self.cause else ""
        begins = f"a {self.resource}, built {self.age:.0f} s ago, is {self.state}{why}"
        uses = [] if self.uses is None else [_many(self.uses, "use")]
        leases = [_many(self.leases, "lease")] if self.leases else []
        told = ", ".join([begins, *uses, *leases])
        nobody = ", held by nobody else" if self.leases else ", held by nobody"
        return "\n  ".join([told + (":" if self.by else nobody), *self.by])

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Shows the lines as the result of a cell, where IPython would show the `repr`."""
        printer.text(str(self))


class _All(tuple[Held, ...]):
    """What `holders` has found. Its text has the lines of each."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "nothing is kept, and nothing that was kept is still in use"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))


def holders(function: Any, /) -> tuple[Held, ...]:
    """Tell who holds the resources of a cached function: those that it keeps, and those that do not go.

    For a person who looks for a leak: it goes through all objects of the process, which takes some time. What holds a
    resource is told by its place in the program; a local variable of a running function, from Python 3.13 on. Printed,
    the tuple has a line for each resource and one for each of its holders.

    Parameters
    ----------
    function
        A cached function, or a cached method of a class or an instance.

    Raises
    ------
    TypeError
        It is no cached function.

    Examples
    --------
    >>> import tenure
    >>> class Connection: ...
    >>> @tenure.cache_resource(drain="1m")
    ... def connect():
    ...     return Connection()
    >>> jobs = [connect()]
    >>> connect.clear()
    >>> [held] = tenure.holders(connect)
    >>> held.state, held.cause
    ('draining', 'cleared')
    >>> print(held)  # doctest: +ELLIPSIS
    a ...Connection, built 0 s ago, is draining (cleared), 1 use:
      ... `jobs` ...
    """
    ask = getattr(type(function), "_held", None)
    if ask is None:
        raise TypeError(
            f"tenure.holders takes a cached function, not {_class(function)}. Example: tenure.holders(pool)"
        )
    told = []
    held = ask(function)
    while held:
        resource, references, uses, leases, age, cause = held.pop(0)
        by = tuple(_by(resource, references))
        told.append(Held(_class(resource), "draining" if cause else "kept", cause, age, uses, leases, by))
        del resource
    return _All(told)


def _by(resource: object, references: int | None) -> list[str]:
    """The holders of a resource, in words. `references` are those beside the cache's own, and beside this look's."""
    look = _Look()
    all_referrers = look.referrers(resource)
    referrers = look.without_parts(all_referrers, resource)
    # One holder may have several: a list, or a namespace with two names for it.
    found = 0
    for it in all_referrers:
        found += _references(it, resource)
    by: list[str] = []
    for it in referrers:
        if len(by) == MOST:
            by.append(f"{_many(len(referrers) - MOST, 'object')} more")
            break
        by.append(look.told(it, resource))
    running = list(_running())
    if _SHOWS_LOCALS:
        for frame in running:
            names = _keys(dict(frame.f_locals), resource)
            by += [f"local variable {name} of {_at(frame)}, which runs" for name in names]
            found += len(names)
    rest = 0 if references is None else references - found
    if rest > 0:
        by.append(_untold(rest, running))
    return by


def _references(holder: object, thing: object) -> int:
    """How many references to a thing one of its holders has."""
    count = 0
    for it in gc.get_referents(holder):
        count += it is thing
    return max(count, 1)


def _running() -> Iterator[types.FrameType]:
    """The frames that run and that no object has: a generator's or a coroutine's is told of with that."""
    innermost = sys._current_frames()
    # Its own frame in a local variable would be a circle, which holds what it looks for until it is collected.
    innermost[threading.get_ident()] = sys._getframe(1)
    for each in innermost.values():
        frame: types.FrameType | None = each
        while frame is not None:
            is_of_object = frame.f_code.co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)
            if not is_of_object and frame.f_code.co_name != "<module>" and not _is_ours(frame):
                yield frame
            frame = frame.f_back


def _untold(references: int, running: list[types.FrameType]) -> str:
    may_be = ["extension code"]
    if gc.get_freeze_count():
        may_be.append("objects that gc.freeze() has set apart")
    own = [_at(it) for it in running if not it.f_code.co_filename.startswith(_LIBRARY)]
    if own and not _SHOWS_LOCALS:
        may_be.append(f"local variables of functions that run: {', '.join(own[:MOST])}")
    return f"{_many(references, 'reference')} by {', or by '.join(may_be)}"


class _Look:
    """A look at the objects of the process: what holds one, and how that is told."""

    def __init__(self) -> None:
        modules = [it for it in list(sys.modules.values()) if type(it) is types.ModuleType]
        self._modules = {id(it.__dict__): it.__name__ for it in modules}
        self._found: list[list[Any]] = []

    def referrers(self, thing: object) -> list[Any]:
        """The holders of a thing, but for this look and the cache itself."""
        found = [it for it in gc.get_referrers(thing) if not self._is_own(it)]
        self._found.append(found)
        return found

    def without_parts(self, referrers: list[Any], resource: object) -> list[Any]:
        """The owners of the referrers, but for what only the resource has: a connection's cache of statements, say."""
        parts = {id(it) for it in gc.get_referents(resource)}
        kept: list[Any] = []
        self._found.append(kept)
        for it in referrers:
            owner = self._owner(it)
            if type(owner) is _native.Lease and not self._is_kept(owner):
                continue
            if id(owner) not in parts or set(map(id, self.referrers(owner))) - {id(resource), id(it)}:
                kept.append(owner)
            del owner
        return kept

    def _is_kept(self, lease: object) -> bool:
        """Whether anything has this lease but a block of a running function, which has no name and is counted."""
        is_kept = False
        for it in self.referrers(lease):
            is_kept = is_kept or not _is_exit(it) or bool(self.referrers(it))
        return is_kept

    def _is_own(self, holder: Any) -> bool:
        return _is_ours(holder) or any(it is holder for it in self._found)

    def told(self, holder: Any, thing: object) -> str:
        """A holder in words, with what holds that, up to something that has a name."""
        words: list[str] = []
        while len(words) < DEPTH:
            holder = self._owner(holder)
            if not _is_exit(holder):
                words.append(self._words(holder, thing))
            above = [] if self._is_named(holder) else self.referrers(holder)
            if not above:
                break
            thing, holder = holder, next(filter(self._is_named, above), above[0])
        return ", in ".join(words)

    def _owner(self, holder: Any) -> Any:
        """The object or the class whose attributes a dict has; what is no such dict is its own."""
        if type(holder) is not dict or id(holder) in self._modules:
            return holder
        for it in self.referrers(holder):
            if _is_class(it) or _attributes(it) is holder:
                return it
        return holder

    def _is_named(self, holder: Any) -> bool:
        return type(holder) in _NAMED or _is_class(holder) or id(holder) in self._modules

    def _words(self, holder: Any, thing: object) -> str:
        module = self._modules.get(id(holder))
        if module is not None:
            return f"variable {_key(holder, thing)} of module {module}"
        words = next((_WORDS[it] for it in _bases(type(holder)) if it in _WORDS), _of_instance)
        return words(holder, thing)


def _is_ours(holder: Any) -> bool:
    """Whether it is a part of this look, or the cache's own reference."""
    if type(holder) is types.FrameType:
        return holder.f_code.co_filename == __file__
    return _module(type(holder)) == _native.__name__ or type(holder) is _Look


def _is_exit(holder: Any) -> bool:
    """Whether it is what a block has of its lease."""
    return type(holder) is types.BuiltinMethodType and type(holder.__self__) is _native.Lease


def _keys(holder: dict[Any, Any], thing: object) -> list[str]:
    """The names that it is found under there; what it is found under otherwise has none."""
    return [f"`{key}`" if type(key) is str else "a value" for key, value in list(dict.items(holder)) if value is thing]


def _key(holder: dict[Any, Any], thing: object) -> str:
    return _together(_keys(holder, thing)) or "a value"


def _together(names: list[str]) -> str:
    """A holder's names for one thing: one, as a rule."""
    return " and ".join(names[:MOST])


def _of_cell(holder: types.CellType, _: object) -> str:
    closures = [it for it in gc.get_referrers(holder) if type(it) is tuple]
    functions = [it for closure in closures for it in gc.get_referrers(closure) if type(it) is types.FunctionType]
    return f"a variable of the closure of {functions[0].__qualname__}" if functions else "a variable of a closure"


def _of_function(holder: types.FunctionType, thing: object) -> str:
    part = "the globals" if holder.__globals__ is thing else "a default"
    return f"{part} of function {holder.__qualname__}"


def _of_instance(holder: Any, thing: object) -> str:
    """An object of a class of the program's, or that class: by its attribute, where it is one."""
    is_class = _is_class(holder)
    attributes = dict(_namespace(holder)) if is_class else _attributes(holder)
    names = [] if attributes is None else _keys(attributes, thing)
    for kind in _bases(type(holder)):
        slots = [it for it in _namespace(kind).values() if type(it) is types.MemberDescriptorType]
        names += [f"`{it.__name__}`" for it in slots if _slot(it, holder) is thing]
    what = f"class {_qualname(holder)}" if is_class else f"a {_class(holder)}"
    return f"attribute {_together(names)} of {what}" if names else what


def _attributes(holder: Any) -> dict[str, Any] | None:
    try:
        attributes = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        return None
    return attributes if type(attributes) is dict else None


def _is_class(holder: Any) -> bool:
    return type in _bases(type(holder))


def _slot(descriptor: types.MemberDescriptorType, holder: object) -> object:
    try:
        return descriptor.__get__(holder, type(holder))
    except AttributeError:
        return None


def _suspended(qualname: str, frame: types.FrameType | None) -> str:
    return f"a local variable of {qualname}" if frame is None else f"a local variable of {_at(frame)}"


def _at(frame: types.FrameType) -> str:
    return f"{frame.f_code.co_qualname} at {frame.f_code.co_filename}:{frame.f_lineno}"


def _of_method(holder: types.MethodType, _: object) -> str:
    # Whatever can be called is made a method by hand.
    called = holder.__func__
    name = called.__qualname__ if type(called) in (types.FunctionType, types.BuiltinFunctionType) else _class(called)
    return f"a method of it, {name}"


# A class is asked by `type`: its metaclass may have code of the program's for each of these.
_bases: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_namespace: Callable[[type], types.MappingProxyType[str, Any]] = type.__dict__["__dict__"].__get__
_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_module: Callable[[type], object] = type.__dict__["__module__"].__get__


def _class(it: object) -> str:
    kind = type(it)
    module = _module(kind)
    return f"{module}.{_qualname(kind)}" if type(module) is str and module != "builtins" else _qualname(kind)


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


_NAMED = (
    types.FrameType,
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
    types.CellType,
    types.FunctionType,
)
"""The kinds of holders that are told by their place in the program."""

_WORDS: dict[type, Callable[[Any, object], str]] = {
    dict: lambda it, thing: f"{_key(it, thing)} of a dict",
    **dict.fromkeys((list, tuple, set, frozenset, deque), lambda it, _: f"an item of a {_class(it)}"),
    _native.Lease: lambda _, __: "a lease",
    types.CellType: _of_cell,
    types.FunctionType: _of_function,
    types.MethodType: _of_method,
    types.BuiltinMethodType: lambda it, _: f"a method of it, {it.__name__}",
    types.FrameType: lambda it, _: f"a local variable of {_at(it)}",
    types.CoroutineType: lambda it, _: _suspended(it.__qualname__, it.cr_frame),
    types.GeneratorType: lambda it, _: _suspended(it.__qualname__, it.gi_frame),
    types.AsyncGeneratorType: lambda it, _: _suspended(it.__qualname__, it.ag_frame),
}
"""The words for a holder, by its class."""
