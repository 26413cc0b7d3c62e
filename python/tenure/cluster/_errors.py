"""Exceptions of a resource, on their way to the caller."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Mapping
from typing import Any

from tenure.cluster import _ray

__all__ = ["Carried", "carried", "own"]

_ENDS = (KeyboardInterrupt, SystemExit)
"""The exceptions that end the process where they are raised, or the loop: they are for the caller."""


class Carried(Exception):
    """The carrier of what a resource has raised. What Ray brings without one was raised by Ray."""

    def __init__(self, error: BaseException, where: str, is_taken_apart: bool = False) -> None:
        super().__init__(repr(error))
        self.error = error
        self.where = where
        self._is_taken_apart = is_taken_apart

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._is_taken_apart:
            return Carried, (self.error, self.where)
        state = {name: value for name, value in vars(self.error).items() if _travels(value)}
        return _put_together, (type(self.error), self.error.args, state, self.where)


def _put_together(cls: type[BaseException], args: tuple[Any, ...], state: Mapping[str, Any], where: str) -> Carried:
    # Not by its `__init__`, which may take others than these.
    error = cls.__new__(cls)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return Carried(error, where)


def _travels(it: Any) -> bool:
    """Whether it can be pickled, and made again."""
    pickle = _ray.imported().cloudpickle
    try:
        pickle.loads(pickle.dumps(it))
    except Exception:
        return False
    return True


def carried(error: BaseException | None) -> Carried | None:
    """The carrier to be raised in the place of what a resource has raised; None for what ends a task or a generator."""
    if not isinstance(error, (Exception, *_ENDS)):
        return None
    where = _where(error)
    if isinstance(error, _ENDS) or _travels(error):
        return Carried(error, where)
    carrier = Carried(error, where, is_taken_apart=True)
    return carrier if _travels(carrier) else Carried(RuntimeError(_text(error)), where)


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _where(error: BaseException) -> str:
    raised = "".join(traceback.format_exception(error)).rstrip()
    return f"Raised in an actor of the cluster, in process {os.getpid()}:\n{raised}"


def own(error: Any) -> BaseException:
    """The exception that the resource has raised, with where that was; Ray's own where it cannot be had."""
    carrier = getattr(error, "cause", None)
    if not isinstance(carrier, Carried):
        return error if isinstance(error, BaseException) else RuntimeError(str(error))
    # The exception is what matters; one may take no notes.
    with contextlib.suppress(Exception):
        carrier.error.add_note(carrier.where)
    return carrier.error
