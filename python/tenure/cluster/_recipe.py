"""How a resource is made in an actor: the function, its settings and the arguments, on their way there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tenure.cluster import _ray

__all__ = ["Recipe", "pack", "unpack"]


class Recipe(NamedTuple):
    """How a resource is made."""

    name: str
    func: Callable[..., Any]
    settings: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def pack(cached: Any, recipe: Recipe) -> bytes:
    """A recipe as bytes. A function that can be imported goes by its name, any other with its code."""
    place = _place(cached, recipe.func)
    what = place or (recipe.func, dict(recipe.settings))
    packed: bytes = _ray.imported().cloudpickle.dumps((recipe.name, what, recipe.args, recipe.kwargs))
    return packed


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


def unpack(packed: bytes) -> Recipe:
    """The recipe that was packed elsewhere.

    Raises ImportError where its module is not here.
    """
    from importlib import import_module

    name, what, args, kwargs = _ray.imported().cloudpickle.loads(packed)
    func, settings = what
    if isinstance(func, str):
        module, qualname = what
        try:
            cached = _at(import_module(module), qualname)
        except (ImportError, AttributeError) as error:
            text = (
                f"{name} cannot be imported in the actor: the node needs the module {module} as it is here. Give it "
                'with ray.init(runtime_env={"working_dir": "."}), or install it on the nodes'
            )
            raise ImportError(text, name=module) from error
        adapter = cached._cluster
        func, settings = adapter.func, adapter.settings
    return Recipe(name, func, settings, args, kwargs)
