"""Calls with settings by name: one that there is not is refused with what to write, and signatures stay as they are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tenure import _native

P = ParamSpec("P")
R = TypeVar("R")

NO_SETTINGS = ("self", "func", "app")
"""The parameters that say what the settings are for."""


def of(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The decorator for a function with settings by name, which its user calls `name`."""

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        code = function.__code__
        taken = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for keyword in kwargs:
                if keyword not in taken:
                    raise _native.unknown_setting(name, keyword, [it for it in taken if it not in NO_SETTINGS])
            return function(*args, **kwargs)

        return checked

    return decorated
