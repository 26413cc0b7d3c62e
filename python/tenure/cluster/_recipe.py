"""How a resource is made in an actor: the function, its settings and the arguments, on their way there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tenure
from tenure._native import ScopeError
from tenure.cluster import _ray
from tenure.cluster._sending import unpacked

__all__ = ["Recipe", "pack", "unpack"]

_log = logging.getLogger("tenure")


class Recipe(NamedTuple):
    """How a resource is made."""

    name: str
    func: Callable[..., Any]
    settings: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def pack(cached: Any, recipe: Recipe) -> bytes:
    """A recipe as bytes. A function that can be imported goes by its name and its mark, any other with its code."""
    place = _place(cached, recipe.func)
    what = (*place, _mark(cached, recipe.args, recipe.kwargs)) if place else (recipe.func, dict(recipe.settings))
    try:
        pickle = _ray.imported().cloudpickle
        packed: bytes = pickle.dumps((recipe.name, pickle.dumps((what, recipe.args, recipe.kwargs))))
    except Exception as error:
        raise unpacked(error, recipe.func, recipe.name, recipe.args, recipe.kwargs) from error
    return packed


def as_code(cached: Any) -> Any:
    """The pickled form of a cached function: its name, or its code and settings where no other process has the name."""
    written = vars(cached).get("_written")
    return cached.__reduce__() if written is None else (_cached_again, (cached.__wrapped__, written))


def _cached_again(func: Callable[..., Any], written: Mapping[str, Any]) -> Any:
    return tenure.cache_resource(func, **written)


def _place(cached: Any, func: Any) -> tuple[str, str] | None:
    module, qualname = getattr(func, "__module__", None), getattr(func, "__qualname__", None)
    if module is None or qualname is None or module == "__main__" or module not in sys.modules:
        return None
    try:
        found = _at(sys.modules[module], qualname)
    except AttributeError:
        return None
    return (module, qualname) if found is cached else None


def _at(module: Any, qualname: str) -> Any:
    found = module
    for name in qualname.split("."):
        # As it stands in its class, not bound to it.
        found = vars(found)[name] if isinstance(found, type) and name in vars(found) else getattr(found, name)
    return getattr(found, "__func__", found) if isinstance(found, (staticmethod, classmethod)) else found


def _mark(cached: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The digest of the function, its code and its settings, which the names of its actors begin with."""
    name: str = cached._actor(*args, **kwargs)
    return name.rpartition("-")[0]


def unpack(packed: bytes) -> Recipe:
    """The recipe that was packed elsewhere.

    Raises ImportError where its module is not here, or is another version of it.
    """
    from importlib import import_module

    pickle = _ray.imported().cloudpickle
    name, rest = pickle.loads(packed)
    try:
        what, args, kwargs = pickle.loads(rest)
    except (ImportError, AttributeError) as error:
        text = (
            f"{name} cannot be built in the actor: {error}. The node needs the modules of what the function holds and "
            'is called with: give them with ray.init(runtime_env={"working_dir": "."}), or install them on the nodes'
        )
        raise ImportError(text, name=getattr(error, "name", None)) from error
    if isinstance(what[0], str):
        module, qualname, mark = what
        try:
            cached = _at(import_module(module), qualname)
        except (ImportError, AttributeError) as error:
            text = (
                f"{name} cannot be imported in the actor: the node needs the module {module} as it is here. Give it "
                'with ray.init(runtime_env={"working_dir": "."}), or install it on the nodes'
            )
            raise ImportError(text, name=module) from error
        _check(name, module, mark, cached, args, kwargs)
        what = (cached._cluster.func, cached._cluster.settings)
    func, settings = what
    return Recipe(name, func, settings, args, kwargs)


def _check(name: str, module: str, mark: str, cached: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuses what has been imported where it is not what the caller has."""
    try:
        is_the_same = _mark(cached, args, kwargs) == mark
    except ScopeError:
        _log.warning(
            "%s was imported in an actor that has no TENURE_FLEET_SECRET, and so cannot tell whether that is the same "
            "version as in the program that calls it",
            name,
        )
        return
    if not is_the_same:
        text = (
            f"{name} is not the same in the actor, which has imported {module} as it is on its node now, as in the "
            "program that calls it: its code, its settings or what it closes over differ, or TENURE_FLEET_SECRET does. "
            'Give the nodes the version that the program runs, as ray.init(runtime_env={"working_dir": "."}) does, '
            "or start the program again where it is the older one"
        )
        raise ImportError(text, name=module)
