"""Calls of cached async functions, on whichever event loop runs: `tenure._aio` carries them on asyncio, `tenure._trio`
on trio.

A call is taken step by step: the native module says what is to be done next, the carrier does it.
"""

from __future__ import annotations

import ast
import contextvars
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any

from tenure import _aio, _carriers, _native

__all__ = ["coroutines", "has_ended", "home", "present", "scope"]


def home() -> _carriers.Home[Any]:
    """The home of the running loop.

    Raises RuntimeError where none runs.
    """
    # Whoever runs on trio has imported it. A task of trio may run on a loop of asyncio, as its guest.
    lowlevel = sys.modules.get("trio.lowlevel")
    if lowlevel is not None and getattr(lowlevel, "in_trio_task", bool)():
        from tenure import _trio

        return _trio.home()
    return _aio.home()


def scope() -> str | None:
    """The name of the running loop's scope; None where no loop runs."""
    try:
        return home().scope
    except RuntimeError:
        return None


def has_ended(name: str) -> bool:
    """Whether the running loop, whose scope has this name, ends."""
    try:
        here = home()
    except RuntimeError:
        return True
    return here.scope != name or here.is_ending


async def _ready(resource: Any) -> Any:
    return resource


async def _call(cached: Any, given: tuple[Any, ...], named: dict[str, Any] | None, leased: Any) -> Any:
    call = cached._begin(given, named, leased)
    try:
        here = home()
    except RuntimeError:
        raise call.no_loop() from None
    has_waited = False
    while True:
        # A build runs in the context that its host has begun it in, which is a copy of the caller's.
        context = contextvars.copy_context()
        step, it, build = context.run(call.step, here)
        if step == _native.READY:
            return it
        if step == _native.CHECK:
            is_over, resource = await _checked(call, here, it)
        else:
            try:
                if step == _native.BUILD:
                    here.start(build, context, has_waited)
                await here.landing(it)
                if build is not None and (interruption := build.interruption()) is not None:
                    raise interruption
            except BaseException:
                # Now, not with this frame: the traceback holds that for as long as somebody has the error.
                it.give_up()
                raise
            has_waited = True
            is_over, resource = call.landed(it)
        if is_over:
            return resource


async def _checked(call: _native.TaskCall, here: _carriers.Home[Any], resource: Any) -> tuple[bool, Any]:
    """The outcome of a call once `validate`, which may await, has been asked."""
    is_unasked = here.cancellations()
    token = _native.inside.set(call.checking())
    try:
        answer = call.ask(resource)
        if hasattr(type(answer), "__await__"):
            answer = await answer
    except Exception as error:
        return call.check_raised(here, error)
    except BaseException as error:
        # A cancellation that nobody has asked for comes out of the check itself.
        if is_unasked(error):
            return call.check_raised(here, error)
        raise
    else:
        return call.checked(here, answer)
    finally:
        # However it has ended: a caller who keeps the exception keeps this call, but not the entry.
        try:
            call.end_check()
        finally:
            _native.inside.reset(token)


async def _instead(function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any] | None) -> Any:
    """A call of what a test has put in the function's place."""
    answer = function(*given, **(named or {}))
    return await answer if hasattr(type(answer), "__await__") else answer


def coroutines(func: Any) -> tuple[Any, Any, Any]:
    """The functions whose coroutines the calls of a cached async function give: with the resource at hand, without, and
    with something in its place.

    They have the function's name, which is what warnings and tracebacks show.
    """
    name = getattr(func, "__name__", "call")
    qualname = getattr(func, "__qualname__", name)

    def named(template: types.FunctionType) -> types.FunctionType:
        code = template.__code__.replace(co_name=name, co_qualname=qualname)
        return types.FunctionType(code, template.__globals__, name)

    return named(_ready), named(_call), named(_instead)  # type: ignore[arg-type]


def present(cached: Any, func: Any, is_async: bool, is_generator: bool) -> None:
    """Has a cached function answer as what it is to whoever asks: a framework that inspects or unwraps it."""
    if is_generator:
        twin = _twin(func, is_async)
        cached.__wrapped__ = twin
        for name in _ANNOTATIONS:
            setattr(cached, name, getattr(twin, name))
    if is_async:
        if not hasattr(cached, "__name__"):
            cached.__name__ = _function(func).__name__
        _mark(cached)


def _function(func: Any) -> Any:
    """The function behind a partial or a callable object, which has a name and globals."""
    while isinstance(func, functools.partial):
        func = func.func
    return func if hasattr(func, "__globals__") else type(func).__call__


def _twin(func: Any, is_async: bool) -> Any:
    """The `__wrapped__` of a function that yields: one that is called as the cached one is.

    A framework that unwraps would take the function itself for a generator.
    """
    behind = _function(func)
    name = behind.__qualname__
    text = f"{name} yields its resource to its cache, which tears it down: call {name} itself, not what it wraps"
    parameters = _signature(func).parameters.values()
    names = inspect.Signature(
        [it.replace(annotation=_NONE, default=_NONE if it.default is _NONE else None) for it in parameters]
    )
    # With parameters of its own, not with those of an attribute, so that annotations are evaluated where that is
    # asked for: with the globals of the function.
    made: dict[str, Any] = {}
    exec(f"{'async ' if is_async else ''}def once{names}: raise TypeError({text!r})", made)
    twin = types.FunctionType(made["once"].__code__, behind.__globals__, behind.__name__)
    functools.update_wrapper(twin, behind)
    del twin.__wrapped__  # type: ignore[attr-defined]
    keywords = {it.name: it.default for it in parameters if it.kind is it.KEYWORD_ONLY and it.default is not _NONE}
    twin.__defaults__ = tuple(it.default for it in parameters if it.name not in keywords and it.default is not _NONE)
    twin.__kwdefaults__ = keywords
    _annotate(twin, func, parameters)
    return twin


_ANNOTATIONS = [name for name in functools.WRAPPER_ASSIGNMENTS if name.startswith("__annot")]

_NONE: Any = inspect.Signature.empty

if sys.version_info >= (3, 14):
    import annotationlib

    # An annotation may name what is defined further down.
    _signature = functools.partial(inspect.signature, annotation_format=annotationlib.Format.FORWARDREF)

    def _annotate(twin: Any, func: Any, _: object) -> None:
        behind = _function(func)

        def annotate(format: annotationlib.Format, /) -> dict[str, Any]:
            return _of_yielded(annotationlib.get_annotations(behind, format=format))

        twin.__annotate__ = annotate
else:
    _signature = inspect.signature

    def _annotate(twin: Any, func: Any, parameters: Iterable[inspect.Parameter]) -> None:
        names = {it.name for it in parameters} | {"return"}
        annotations = _function(func).__annotations__
        twin.__annotations__ = _of_yielded({name: it for name, it in annotations.items() if name in names})


def _of_yielded(annotations: dict[str, Any]) -> dict[str, Any]:
    """The annotations of a function that yields, as of one that returns what it yields."""
    if "return" not in annotations:
        return annotations
    given = _yielded(annotations.pop("return"))
    return annotations if given is _NONE else {**annotations, "return": given}


_GENERATORS = {"AsyncGenerator", "AsyncIterable", "AsyncIterator", "Generator", "Iterable", "Iterator"}


def _yielded(annotation: Any) -> Any:
    """The annotation of what a function yields that is annotated as a generator: a string for a string."""
    if not isinstance(annotation, str):
        of = typing.get_origin(annotation)
        if getattr(of or annotation, "__name__", None) not in _GENERATORS:
            return annotation
        return typing.get_args(annotation)[0] if of and typing.get_args(annotation) else _NONE
    try:
        written = ast.parse(annotation, mode="eval").body
    except SyntaxError:
        return annotation
    within = written.slice if isinstance(written, ast.Subscript) else None
    kind = written.value if isinstance(written, ast.Subscript) else written
    name = kind.attr if isinstance(kind, ast.Attribute) else getattr(kind, "id", None)
    if name not in _GENERATORS:
        return annotation
    if within is None:
        return _NONE
    return ast.unparse(within.elts[0] if isinstance(within, ast.Tuple) else within)


if sys.version_info >= (3, 12):
    _mark: Callable[[Any], Any] = inspect.markcoroutinefunction
else:

    def _mark(func: Any) -> Any:
        """Makes it a coroutine function by the code of one, which is what `inspect` looks at."""
        func.__code__, func.__defaults__, func.__kwdefaults__ = _call.__code__, None, None
        if not hasattr(func, "__name__"):  # A partial, or a callable object: no function to `inspect`, without one.
            func.__name__ = "call"
        return func
