"""The guide's reference has every public name, and each of them a docstring with an example that runs.

Read from the sources, the stub of the native module among them, since that is what the reference and editors show.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import tenure
from world import give_back_freed_memory

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "tenure"
REFERENCE = (ROOT / "docs" / "guide" / "reference.md").read_text(encoding="utf-8")
PUBLIC = [path.stem for path in sorted(PACKAGE.glob("[a-z]*.py")) if "\n__all__ = " in path.read_text(encoding="utf-8")]
MODULES = ["tenure", *(f"tenure.{name}" for name in PUBLIC)]
"""The package, and the modules in it that say what of them is public."""
NEEDS = {
    "tenure.gradio": "gradio",
    "tenure.mcp": "mcp",
    "tenure.metrics.Collector": "prometheus_client",
    "tenure.metrics.instrument": "opentelemetry",
    "tenure.metrics.register": "prometheus_client",
    "tenure.streamlit": "streamlit",
}
"""The packages that the examples of a module or a name import: they run where that is."""
FRAMEWORKS = ("tenure.gradio", "tenure.mcp")
NO_DOCSTRING = {"tenure.__version__", *MODULES, "tenure.metrics.CONTENT_TYPE"}
FUNCTION = "tenure._native.CachedFunction"
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def source(module: str) -> tuple[Path, ast.Module]:
    """The file of a module, or the stub that stands for it."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    path = next(
        it for it in (place / "__init__.py", place.with_suffix(".py"), place.with_suffix(".pyi")) if it.exists()
    )
    return path, ast.parse(path.read_text(encoding="utf-8"))


def exported(module: str) -> list[str]:
    """The names that a module has in `__all__`."""
    for it in source(module)[1].body:
        if isinstance(it, ast.Assign) and isinstance(it.targets[0], ast.Name) and it.targets[0].id == "__all__":
            return [f"{module}.{name}" for name in ast.literal_eval(it.value)]
    raise AssertionError(f"{module} has no __all__")


def find(name: str) -> tuple[Path, Documented | str]:
    """The file and the definition of a name, through what its module imports it from; of a value, the text below it."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module, rest = ".".join(parts[:cut]), parts[cut:]
        try:
            path, tree = source(module)
        except StopIteration:
            continue
        here: Documented = tree
        for part in rest:
            for it, after in zip(here.body, [*here.body[1:], None], strict=True):
                if isinstance(it, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and it.name == part:
                    here = it
                elif isinstance(it, ast.ImportFrom) and any((a.asname or a.name) == part for a in it.names):
                    return find(f"{it.module}.{part}")
                elif isinstance(it, ast.Assign) and getattr(it.targets[0], "id", "") == part:
                    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                        return path, inspect.cleandoc(after.value.value)
                    assert isinstance(it.value, ast.Call)
                    assert isinstance(it.value.func, ast.Name)
                    return find(f"{module}.{it.value.func.id}.__call__")
        assert here is not tree, name
        return path, here
    raise AssertionError(f"{name} is not defined in python/tenure")


def methods(name: str) -> list[str]:
    """The public methods of a class."""
    _, found = find(name)
    assert isinstance(found, ast.ClassDef)
    return [f"{name}.{it.name}" for it in found.body if isinstance(it, ast.FunctionDef) and not it.name.startswith("_")]


NAMES = sorted({*(name for module in MODULES for name in exported(module)), FUNCTION} - NO_DOCSTRING)
SHOWN = sorted({*NAMES, *methods(FUNCTION), "tenure._api.CacheResource.clear"})


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_stands_in_the_reference(name: str) -> None:
    shown = re.search(rf"^(::: |      heading: ){re.escape(name)}$", REFERENCE, re.MULTILINE)
    assert shown, f"docs/guide/reference.md lacks {name}"


@pytest.mark.parametrize("name", SHOWN)
def test_every_public_name_has_a_docstring_with_an_example_that_runs(name: str) -> None:
    path, found = find(name)
    text = found if isinstance(found, str) else ast.get_docstring(found)
    assert text, f"{name} in {path} has no docstring"
    example = doctest.DocTestParser().get_doctest(text, {"tenure": tenure}, name, str(path), 0)
    assert example.examples, f"the docstring of {name} in {path} has no example"
    for of, package in NEEDS.items():
        if f"{name}.".startswith(f"{of}."):
            pytest.importorskip(package, reason=f"this example uses {package}")
    module = name.rpartition(".")[0]
    if module in FRAMEWORKS:
        # By itself: what a framework leaves to the collector would be this process's.
        program = f"import doctest, {module}; raise SystemExit(doctest.testmod({module}).failed)"
        env = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    if module == "tenure.weigh":
        give_back_freed_memory()
    said: list[str] = []
    # Many docstrings show the same function, which would be one function to all of them.
    with tenure.testing.isolated():
        ran = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert ran.failed == 0, "".join(said)
