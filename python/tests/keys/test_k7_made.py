"""K7, K9, K13: classes that are not found under their name count by what they are made of."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import tenure
from tenure._native import _encode

COUNTING = "class A:\n made = 0\n def __init__(self): A.made += 1"


def run(source: str) -> types.ModuleType:
    """A script after a run of it, as hosts run them: in a module that takes the place of the one before."""
    script = types.ModuleType("__main__")
    sys.modules["__main__"] = script
    exec(compile(source, "script", "exec", dont_inherit=True), vars(script))
    return script


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


def test_k9_an_instance_of_a_scripts_class_is_the_same_in_each_run() -> None:
    """K9: whichever module is `__main__` at the moment: sessions run at the same time."""
    source = "import dataclasses\n@dataclasses.dataclass\nclass A:\n x: int = 1\n def f(self): return A"
    one, two = run(source), run(source)
    keys = set()
    for main in (one, two, types.ModuleType("__main__")):
        sys.modules["__main__"] = main
        keys |= {_encode(one.A()), _encode(two.A())}
    assert len(keys) == 1
    assert _encode(one.A) == _encode(two.A)


@pytest.mark.parametrize(
    "other",
    [
        "class A:\n x = 2\n def f(self): return 1",
        "class A:\n x = 1\n def f(self): return 2",
        "class A:\n x: int = 1\n def f(self): return 1",
        "class B: pass\nclass A(B):\n x = 1\n def f(self): return 1",
        "class A:\n x = 1\n def f(self): return 1\n def g(self): return 1",
        "class A:\n x = 1\n @staticmethod\n def f(self): return 1",
    ],
)
def test_k7_scripts_with_other_classes_of_one_name_do_not_share(other: str) -> None:
    """K7: two pages of one app, both of which are `__main__`."""
    own = "class A:\n x = 1\n def f(self): return 1"
    assert _encode(run(own).A()) == _encode(run(own).A())
    assert _encode(run(own).A()) != _encode(run(other).A())
    assert _encode(run(own).A) != _encode(run(other).A)


def test_k9_a_scripts_generic_model_is_the_same_in_each_run() -> None:
    source = (
        "import pydantic, typing\nT = typing.TypeVar('T')\nclass A(pydantic.BaseModel, typing.Generic[T]): x: T\n"
        "made = A[int](x=1), A[float](x=1.0)"
    )
    one, two = run(source), run(source)
    assert [_encode(made) for made in one.made] == [_encode(made) for made in two.made]
    assert len({_encode(made) for made in one.made}) == 2


def test_k9_a_counter_among_a_scripts_class_variables_makes_no_new_key() -> None:
    script = run(COUNTING)
    keys = {_encode(script.A()) for _ in range(5)}
    keys |= {_encode(run(COUNTING).A()) for _ in range(2)}
    assert len(keys) == 1
    assert len({_encode(script.A), (script.A(), _encode(script.A))[1]}) == 1


def test_k9_what_has_no_key_in_a_scripts_class_is_passed_over() -> None:
    source = "import threading\nclass A:\n lock = threading.Lock()\n x = {}"
    assert _encode(run(source.format(1)).A()) == _encode(run(source.format(1)).A())
    assert _encode(run(source.format(1)).A()) != _encode(run(source.format(2)).A())


def loaded(name: str, source: str) -> types.ModuleType:
    module = types.ModuleType(name)
    exec(compile(source, name, "exec", dont_inherit=True), vars(module))
    sys.modules[name] = module
    return module


@pytest.fixture
def reloaded() -> Iterator[str]:
    name = "made_for_this_test"
    yield name
    del sys.modules[name]


def test_k9_a_class_of_a_module_that_was_loaded_again_is_the_same_while_it_says_the_same(reloaded: str) -> None:
    source = "class A:\n def f(self): return {}"
    old = loaded(reloaded, source.format(1)).A
    before = _encode(old())
    new = loaded(reloaded, source.format(1)).A
    assert _encode(old()) == _encode(new()) == before
    edited = loaded(reloaded, source.format(2)).A
    # Where each class is looked at anew.
    old.anew = new.anew = 1
    assert _encode(old()) == _encode(new()) != _encode(edited())


def test_k7_a_class_that_its_module_has_goes_by_its_name(reloaded: str) -> None:
    module = loaded(reloaded, COUNTING + "\n import threading\n lock = threading.Lock()")
    assert len({_encode(module.A()) for _ in range(3)}) == 1
    assert len({_encode(module.A), (setattr(module.A, "x", 1), _encode(module.A))[1]}) == 1


def test_k13_a_class_made_at_run_time_that_is_changed_is_another() -> None:
    made = type("A", (), {"url": "a"})
    first = _encode(made()), _encode(made)
    made.url = "b"  # type: ignore[attr-defined]
    second = _encode(made()), _encode(made)
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_k9_what_a_class_made_at_run_time_keeps_of_its_own_makes_no_new_key_for_its_instances() -> None:
    """K9: as mapped classes do. So it is however many classes are met in between; the class itself is read as it is."""

    class Mapped:
        found: list[int] = []

    before = _encode(Mapped())
    for number in range(2_000):
        Mapped.found.append(number)
        _encode(type(f"Other{number}", (), {})())
    assert _encode(Mapped()) == before
    read = _encode(Mapped)
    Mapped.found.clear()
    assert _encode(Mapped) != read


def test_k9_how_compiled_code_reads_a_field_of_a_local_class_is_no_matter() -> None:
    def local(kind: Any) -> Any:
        class Pair(ctypes.Structure):
            _fields_ = [("a", kind)]

        return Pair(1)

    assert _encode(local(ctypes.c_int)) == _encode(local(ctypes.c_int))
    assert _encode(local(ctypes.c_int)) != _encode(local(ctypes.c_uint))


def test_k7_what_a_class_was_read_in_makes_no_difference() -> None:
    """K7: classes that lead to each other, met in either order, and in what they lead to."""

    def pair() -> tuple[Any, Any]:
        class A:
            def f(self) -> Any:
                return B

        class B:
            kept = [A()]

        A.kept = [B(), A]  # type: ignore[attr-defined]
        return A, B

    (a, b), (c, d) = pair(), pair()
    one = _encode(a()), _encode(b()), _encode([a(), b()])
    two = tuple(reversed((_encode([c(), d()]), _encode(d()), _encode(c()))))
    assert one == two
    assert _encode(a.kept) == _encode(c.kept)
    assert one[0] != one[1]


def test_k10_classes_that_share_what_they_are_made_of_are_walked_once() -> None:
    """K10: else each of these would double the work."""

    def made(last: int) -> type:
        names = {"__qualname__": "f.<locals>.A"}
        inner = type("A", (), {**names, "last": last})
        for _ in range(60):
            inner = type("A", (), {**names, "one": inner, "two": inner()})
        return inner

    assert _encode(made(1)()) == _encode(made(1)()) != _encode(made(2)())


@pytest.mark.parametrize("size", [64 << 10, 512 << 10])
def test_k10_deep_classes_on_a_small_stack(size: int) -> None:
    """K10: there is room for what it takes to read them, or a clear error."""
    inner = type("A", (), {})
    for _ in range(3000):
        inner = type("A", (), {"inner": inner()})
    keys: list[bytes] = []

    def read() -> bytes:
        try:
            return _encode([[[[[inner()]]]]])
        except tenure.NestingError:
            return b"refused"

    before = threading.stack_size(size)
    try:
        thread = threading.Thread(target=lambda: keys.append(read()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert keys in ([b"refused"], [read()])


def test_k13_a_scripts_class_is_not_kept_alive() -> None:
    script = run(COUNTING)
    _encode(script.A())
    gone = weakref.ref(script.A)
    del script, sys.modules["__main__"]
    gc.collect()
    assert gone() is None


def test_k18_a_class_that_holds_something_without_a_key_counts_as_itself() -> None:
    """K18: never as another one of its name, nor as what it was before it was changed."""

    def make() -> Any:
        gate = threading.Lock()

        class Guarded:
            def __reduce__(self) -> tuple[Any, ...]:
                with gate:
                    return (Guarded, ())

        return Guarded

    one, other = make(), make()
    before = _encode(one())
    assert _encode(one()) == before
    assert _encode(other()) != before
    assert _encode([one]) == _encode([one])
    assert _encode([one]) != _encode([other])
    one.region = "north"
    assert _encode(one()) != before
