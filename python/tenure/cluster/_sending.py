"""Objects on their way to an actor and back, and what is said of those that cannot go there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tenure.cluster import _ray
from tenure.cluster._errors import Carried

__all__ = ["unpacked", "unsent", "untaken"]


def unsent(called: str, of: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TypeError | None:
    """The error of a call that could not be sent, which names the argument; None where none is at fault."""
    given = {f"argument {at}": value for at, value in enumerate(args, 1)}
    given.update({f"`{name}`": value for name, value in kwargs.items()})
    found = _at_fault(given)
    if found is None:
        return None
    which, why = found
    return TypeError(
        f"{which} of `{called}` cannot be sent to the resource of {of}: {why}. Pass what can be pickled, and make the "
        "rest where the resource is, in a method of it"
    )


def untaken(error: Any, called: str, of: str) -> TypeError | None:
    """The error of a call whose arguments could not be read, or whose answer could not be sent; otherwise None."""
    exceptions, cause = _ray.imported().exceptions, getattr(error, "cause", None)
    if isinstance(cause, exceptions.RaySystemError):
        why = str(cause).strip().splitlines()[0].removeprefix("System error: ")
        return TypeError(
            f"what `{called}` was given cannot be read where the resource of {of} lives: {why}. The node needs the "
            'modules of its classes: give them with ray.init(runtime_env={"working_dir": "."}), or pass plain data'
        )
    if isinstance(cause, Exception) and not isinstance(cause, (Carried, exceptions.RayError)):
        return TypeError(
            f"what `{called}` gave cannot leave the process of the resource of {of}: {cause}. Write a method of the "
            "resource that gives what can be pickled, such as the rows and not the cursor"
        )
    return None


def unpacked(
    error: Exception, func: Callable[..., Any], of: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> TypeError:
    """The error of a function that could not be sent to an actor, which names the argument at fault."""
    bound = inspect.signature(func).bind(*args, **kwargs)
    found = _at_fault(bound.arguments)
    if found is None:
        return TypeError(
            f"{of} cannot be sent to an actor: {error}. Make what it holds that cannot be pickled inside the function"
        )
    which, why = found
    return TypeError(
        f'{of} has scope="cluster", so its arguments go to an actor, and `{which}` cannot: {why}. Make it inside the '
        "function"
    )


def _at_fault(given: Mapping[str, Any]) -> tuple[str, Exception] | None:
    for which, value in given.items():
        try:
            _ray.imported().cloudpickle.dumps(value)
        except Exception as error:
            return which, error
    return None
