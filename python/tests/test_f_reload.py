"""F6: what is seen of a resource that is made of modules which are loaded anew."""

from __future__ import annotations

import functools
import importlib.util
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import releases


def _class(module: str, base: type = object, **members: Any) -> type:
    return type("Part", (base,), {"__module__": module, **members})


def _function(module: str) -> Any:
    def part() -> None: ...

    part.__module__ = module
    return part


class Slotted:
    __slots__ = ("step",)


class Pipeline:
    def __init__(self, *steps: Any) -> None:
        self.steps = [(f"step {number}", step) for number, step in enumerate(steps)]


def _slotted(step: Any) -> Slotted:
    made = Slotted()
    made.step = step
    return made


def _made(module: str) -> Any:
    return _class(module, act=lambda self: None)()


def _generator(held: Any) -> Iterator[Any]:
    yield held


HOLDERS: dict[str, Callable[[str], Any]] = {
    "instance": _made,
    "derived": lambda module: type("Here", (_class(module),), {"__module__": "here"})(),
    "slots-only": lambda module: _class(module, __slots__=())(),
    "list": lambda module: [1, _made(module)],
    "list-subclass": lambda module: type("List", (list,), {})([_made(module)]),
    "tuple": lambda module: (1, (2, _made(module))),
    "dict-value": lambda module: {"a": {"b": _made(module)}},
    "dict-key": lambda module: {_made(module): 1},
    "set": lambda module: {_made(module)},
    "deque": lambda module: deque([_made(module)]),
    "attribute": lambda module: types.SimpleNamespace(inner=_made(module)),
    "slot": lambda module: _slotted(_made(module)),
    "pipeline": lambda module: Pipeline(Pipeline(1, [_made(module)])),
    "method": lambda module: _made(module).act,
    "partial": lambda module: functools.partial(print, _made(module)),
    "partial-keyword": lambda module: functools.partial(print, end=_made(module)),
    "partial-function": lambda module: functools.partial(_function(module)),
    "closure": lambda module: (lambda held: lambda: held)(_made(module)),
    "default": lambda module: lambda held=_made(module): held,
    "class": lambda module: _class(module),
    "function": _function,
    "module": types.ModuleType,
    "generator": lambda module: _generator(_made(module)),
    "cycle": lambda module: (lambda held: held.append(held) or held)([_made(module)]),
    "late-in-a-long-list": lambda module: [0] * 100_000 + [_made(module)],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_f6_what_a_resource_holds_of_a_module_that_is_loaded_anew_is_seen(clock: Clock, holder: str) -> None:
    """F6: in containers, attributes, methods, partials and closures; and what holds none of it stays."""

    @tenure.cache_resource
    def build(module: str) -> Any:
        return HOLDERS[holder](module)

    one, two = build("shop"), build("bank")
    _native.supersede_modules(frozenset({"shop"}))
    assert releases(build) == {"superseded": 1}
    assert build("bank") is two
    assert build("shop") is not one


def test_f6_a_hot_reload_runs_no_code_of_a_resource_and_looks_no_further_than_is_said(clock: Clock) -> None:
    """F6, L2: neither attributes nor metaclasses are asked; what is far away, or only named, is not seen."""

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise AssertionError(name)

    class Guarded(metaclass=Meta):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    far: Any = _made("shop")
    for _ in range(20_000):
        far = [far]
    resources = {"guarded": object.__new__(Guarded), "far": far, "named": lambda: HOLDERS, "text": "shop"}
    build = tenure.cache_resource(lambda name, _resource: _resource)
    for name, resource in resources.items():
        build(name, resource)
    _native.supersede_modules(frozenset({"shop", "collections"}))
    assert releases(build) == {}
    while far:
        far = far.pop() if isinstance(far, list) else None


def test_f6_a_hot_reload_loads_no_module_that_waits_for_its_first_use(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F6, L2: a module that is loaded when an attribute of it is asked for stays as it is, and its name is seen."""
    (tmp_path / "lazy_parts.py").write_text("LOADED = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.find_spec("lazy_parts")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "lazy_parts", module)
    spec.loader.exec_module(module)

    build = tenure.cache_resource(lambda _held: [_held])
    build(module)
    _native.supersede_modules(frozenset({"shop"}))
    assert "LOADED" not in object.__getattribute__(module, "__dict__")
    assert releases(build) == {}
    _native.supersede_modules(frozenset({"lazy_parts"}))
    assert releases(build) == {"superseded": 1}
    assert "LOADED" not in object.__getattribute__(module, "__dict__")
