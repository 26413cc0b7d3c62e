"""Calls of cached async functions, on whichever event loop runs; `tenure._aio` is the carrier for asyncio.

A call is taken step by step: the native module says what is to be done next, the carrier does it.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

from tenure import _aio, _native

__all__ = ["coroutines", "has_ended", "present", "scope"]


def scope() -> str | None:
    """The name of the running loop's scope; None where no loop runs."""
    try:
        return _aio.home().scope
    except RuntimeError:
        return None


def has_ended(name: str) -> bool:
    """Whether the running loop, whose scope has this name, ends."""
    try:
        here = _aio.home()
    except RuntimeError:
        return True
    return here.scope != name or here.is_ending


async def _ready(resource: Any) -> Any:
    return resource


async def _call(cached: Any, given: tuple[Any, ...], named: dict[str, Any] | None, leased: Any) -> Any:
    call = cached._begin(given, named, leased)
    try:
        here = _aio.home()
    except RuntimeError:
        raise call.no_loop() from None
    has_waited = False
    while True:
        # A build runs in the context that its host has begun it in, which is a copy of the caller's.
        context = contextvars.copy_context()
        step, it, build = context.run(call.step)
        if step == _native.READY:
            return it
        if step == _native.CHECK:
            is_over, resource = await _checked(call, it)
        else:
            try:
                if step == _native.BUILD:
                    here.start(build, context, has_waited)
                await here.landing(it)
            except BaseException:
                it.give_up()
                raise
            if build is not None and (interruption := build.interruption()) is not None:
                raise interruption
            has_waited = True
            is_over, resource = call.landed(it)
        if is_over:
            return resource


async def _checked(call: _native.TaskCall, resource: Any) -> tuple[bool, Any]:
    """Asks `validate`, which may await."""
    checking = call.checking()
    token = _native.inside.set(checking)
    try:
        answer = call.ask(resource)
        if hasattr(type(answer), "__await__"):
            answer = await answer
    except Exception as error:
        return call.check_raised(error)
    finally:
        checking.end()
        _native.inside.reset(token)
    return call.checked(answer)


def coroutines(func: Any) -> tuple[Any, Any]:
    """The functions whose coroutines the calls of a cached async function give: with the resource at hand, and without.

    They have the function's name, which is what warnings and tracebacks show.
    """
    name = getattr(func, "__name__", "call")
    qualname = getattr(func, "__qualname__", name)

    def named(template: types.FunctionType) -> types.FunctionType:
        code = template.__code__.replace(co_name=name, co_qualname=qualname)
        return types.FunctionType(code, template.__globals__, name)

    return named(_ready), named(_call)  # type: ignore[arg-type]


def present(cached: Any, func: Any, is_async: bool) -> None:
    """Has a cached function answer as what it is to whoever asks: a framework that inspects or unwraps it."""
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        cached.__wrapped__ = _twin(func, is_async)
    if is_async:
        _mark(cached)


def _twin(func: Any, is_async: bool) -> Any:
    """What stands as `__wrapped__` for a function that yields: one that is called as the cached one is.

    A framework that unwraps would take the function itself for a generator.
    """
    name = func.__qualname__
    text = f"{name} yields its resource to its cache, which tears it down: call {name} itself, not what it wraps"
    if is_async:

        async def once(*_: Any, **__: Any) -> Any:
            raise TypeError(text)
    else:

        def once(*_: Any, **__: Any) -> Any:  # type: ignore[misc]
            raise TypeError(text)

    # Frameworks read annotations with the globals of what they have unwrapped.
    twin = types.FunctionType(once.__code__, func.__globals__, func.__name__, None, once.__closure__)
    functools.update_wrapper(twin, func)
    del twin.__wrapped__  # type: ignore[attr-defined]
    twin.__signature__ = inspect.signature(func)  # type: ignore[attr-defined]
    return twin


if sys.version_info >= (3, 12):
    _mark: Callable[[Any], Any] = inspect.markcoroutinefunction
else:

    def _mark(func: Any) -> Any:
        """Makes it a coroutine function by the code of one, which is what `inspect` looks at."""
        func.__code__, func.__defaults__, func.__kwdefaults__ = _call.__code__, None, None
        if not hasattr(func, "__name__"):  # A partial, or a callable object: no function to `inspect`, without one.
            func.__name__ = "call"
        return func
