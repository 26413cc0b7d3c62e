"""What a resource has raised, on its way to the caller."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from tenure.cluster import _ray

__all__ = ["carried", "own"]

_ENDS = (KeyboardInterrupt, SystemExit)
"""What ends the process where it is raised, or the loop: it is the caller's, whose resource has raised it."""


class Carried(Exception):
    """The carrier of what does not get through Ray by itself."""

    def __init__(self, error: BaseException, is_taken_apart: bool = False) -> None:
        super().__init__(repr(error))
        self.error = error
        self._is_taken_apart = is_taken_apart

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._is_taken_apart:
            return Carried, (self.error,)
        state = {name: value for name, value in vars(self.error).items() if _travels(value)}
        return _put_together, (type(self.error), self.error.args, state)


def _put_together(cls: type[BaseException], args: tuple[Any, ...], state: Mapping[str, Any]) -> Carried:
    # Not by its `__init__`, which may take others than these.
    error = cls.__new__(cls)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return Carried(error)


def _travels(it: Any) -> bool:
    """Whether it can be pickled, and made again."""
    pickle = _ray.imported().cloudpickle
    try:
        pickle.loads(pickle.dumps(it))
    except Exception:
        return False
    return True


def carried(error: BaseException | None) -> Carried | None:
    """What is to be raised in the place of an error, for its caller to have it; None where that is the error itself."""
    if isinstance(error, _ENDS):
        return Carried(error)
    if not isinstance(error, Exception) or _travels(error):
        return None
    carrier = Carried(error, is_taken_apart=True)
    return carrier if _travels(carrier) else None


def own(error: Any) -> BaseException:
    """The exception that the resource has raised, with where that was; Ray's own where it cannot be had."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, Carried):
        cause = cause.error
    if not isinstance(cause, BaseException):
        return error if isinstance(error, BaseException) else RuntimeError(str(error))
    # The exception is what matters; one may take no notes.
    with contextlib.suppress(Exception):
        cause.add_note(f"Raised in an actor of the cluster:\n{error}")
    return cause
