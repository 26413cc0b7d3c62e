"""F6 to F8: what outdates a version of a function, what lives beside it, and what goes because nothing can call it."""

from __future__ import annotations

import ast
import functools
import gc
import linecache
import logging
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import Job, TestHost, releases

WAITING_MAX = 16
"""So many versions wait for each session, as the guide says."""


class Program:
    """Code that is edited and runs again, each time in a fresh `__main__` as an app's host does it."""

    def __init__(self, name: str, kind: str = "file") -> None:
        self.name = name
        self.kind = kind
        self.now: Callable[[], Any] = lambda: 0
        self.built: list[Any] = []
        self.released: list[Any] = []
        self.runs = 0

    def build(self, what: Any) -> list[Any]:
        self.built.append([what])
        return self.built[-1]

    def release(self, resource: Any) -> None:
        self.released.append(resource)

    def check(self, resource: Any) -> bool:
        return True

    def run(self, source: str, use: Callable[[types.SimpleNamespace], Any] | None = None) -> Any:
        """Runs the source and `use`, and lets go of everything that it has defined."""
        self.runs += 1
        name = self.name.format(self.runs)
        if name.startswith("/"):
            path = Path(name)
            if not path.exists() or path.read_text() != source:
                path.write_text(source)
                # A later time of change, however coarse the file system's clock is.
                tick = 1_700_000_000 + self.runs
                os.utime(path, (tick, tick))
        module = types.ModuleType("__main__")
        for given in ("build", "release", "check"):
            setattr(module, given, getattr(self, given))
        vars(module).update(cache_resource=tenure.cache_resource, NOW=self.now)
        before, sys.modules["__main__"] = sys.modules["__main__"], module
        try:
            exec(compile(source, name, "exec", dont_inherit=True), vars(module))
            result = (use or (lambda names: names.f()))(types.SimpleNamespace(**vars(module)))
        finally:
            sys.modules["__main__"] = before
        # The host of a test takes down which functions were built, and each knows its module.
        if isinstance(host := _native.get_host(), TestHost):
            host.notes.clear()
        del module
        gc.collect()
        return result


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> Iterator[None]:
    """Each run of a program ends with a collection, which need not look at what was there before all tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=["file", "exec", "cell"])
def program(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Program]:
    """In a file, without one, and in the cells of a notebook, where each run has another name."""
    names = {"file": str(tmp_path / "script.py"), "exec": "<string>", "cell": "<ipython-input-{}-0a1b2c>"}
    yield Program(names[request.param], request.param)
    linecache.checkcache()


# --- F6, F7: what an edit is ----------------------------------------------------------------------

PLACES = {
    "top": """
@cache_resource(on_release=release{settings})
def f(n=1): return build({body})
""",
    "variable": """
SETTINGS = dict(on_release=release{settings})
@cache_resource(**SETTINGS)
def f(n=1): return build({body})
""",
    "factory": """
def factory():
    @cache_resource(on_release=release{settings})
    def f(n=1): return build({body})
    return f
f = factory()
""",
    "method": """
class C:
    @cache_resource(on_release=release{settings})
    def m(_self, n=1): return build({body})
f = C().m
""",
    "lambda": """
f = cache_resource(on_release=release{settings})(lambda n=1: build({body}))
""",
    "decorator": """
def cached(**settings):
    def wrap(func): return cache_resource(**settings)(func)
    return wrap
@cached(on_release=release{settings})
def f(n=1): return build({body})
""",
}

EDITS: dict[str, Callable[[str], str]] = {
    "of-nothing": lambda text: text.format(settings="", body="'x'"),
    "above": lambda text: "\n# A comment.\nimport json\n" + text.format(settings="", body="'x'"),
    "below": lambda text: text.format(settings="", body="'x'") + "\ndef g(): return 1\n",
    "of-the-body": lambda text: text.format(settings="", body="'y'"),
    "of-a-default": lambda text: text.format(settings="", body="'x'").replace("n=1", "n=2"),
    "of-ttl": lambda text: text.format(settings=", ttl=60", body="'x'"),
    "of-max_entries": lambda text: text.format(settings=", max_entries=2", body="'x'"),
    "of-validate": lambda text: text.format(settings=", validate=check", body="'x'"),
    "of-scope": lambda text: text.format(settings=", scope='session'", body="'x'"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("place", PLACES)
def test_f7_f6_an_edit_is_new_code_that_decorates(
    program: Program, clock: Clock, host: TestHost, place: str, edit: str
) -> None:
    """F6, F7: an edit of the function or its settings releases what the old one held, once; no other edit does."""
    before, after = (EDITS[it](PLACES[place]) for it in ("of-nothing", edit))
    with host.serving("ada"):
        old = program.run(before)
        assert program.run(before) is old
        new = program.run(after)
        clock.advance(0)
        if edit in ("of-nothing", "above", "below"):
            assert new is old
            assert program.released == []
        else:
            assert new is not old
            assert program.released == [old]
        # An edit that is taken back is one more.
        last = program.run(before)
        clock.advance(0)
        assert program.released == ([] if new is old else [old, new])
        assert (last is old) is (new is old)
    _native.end_session("ada")


SIBLINGS = {
    "ttl": """
def factory(ttl):
    @cache_resource(ttl=ttl, on_release=release)
    def f(): return build(ttl)
    return f
fs = [factory(3600 * 60), factory(3600 * 70)]
""",
    "settings-alone": """
def factory(most):
    @cache_resource(max_entries=most, on_release=release)
    def f(): return build("one")
    return f
fs = [factory(1), factory(2), factory(None)]
""",
    "scope": """
def connection(scope, ttl):
    def make(): return build("connection")
    make.__qualname__ = f"make_{ttl}"
    def close(made): release(made)
    return cache_resource(scope=scope, ttl=ttl, on_release=close)(make)
fs = [connection("global", None), connection("session", None), connection("global", 3600 * 60)]
""",
    "closure": """
def factory(tenant):
    @cache_resource(on_release=release)
    def f(): return build(tenant)
    return f
fs = [factory(it) for it in "abcde"]
""",
    "method": """
def service(size):
    class Service:
        @cache_resource(max_entries=size, on_release=release)
        def connect(_self): return build(size)
    return Service()
fs = [service(1).connect, service(2).connect]
""",
    "lambda": """
def lazily(value, **settings):
    return cache_resource(on_release=release, **settings)(lambda: build(value))
fs = [lazily(1), lazily(2), lazily(1, max_entries=2)]
""",
    "two-callers": """
def load(): return build("model")
def cached(ttl): return cache_resource(ttl=ttl, on_release=release)(load)
def quick(): return cached(3600 * 60)()
def slow(): return cached(3600 * 70)()
fs = [quick, slow]
""",
    "callback": """
def factory(closes):
    def close(made): release(made)
    @cache_resource(on_release=close if closes else release)
    def f(): return build("one")
    return f
fs = [factory(True), factory(False)]
""",
    "one-name": """
fs = []
for value in range(2):
    if value:
        @cache_resource(on_release=release)
        def f(): return build("in one branch")
    else:
        @cache_resource(on_release=release)
        def f(): return build("in the other")
    fs.append(f)
""",
    "one-name-in-a-factory": """
def factory():
    @cache_resource(on_release=release)
    def f(): return build("first")
    first = f
    @cache_resource(on_release=release)
    def f(): return build("second")
    return [first, f]
fs = factory()
""",
    "one-name-with-a-decorator-of-ones-own": """
def cached(**settings):
    def wrap(func): return cache_resource(**settings)(func)
    return wrap
@cached(on_release=release)
def f(): return build("first")
fs = [f]
@cached(on_release=release, ttl=3600 * 60)
def f(): return build("second")
fs.append(f)
""",
    "one-class": """
def both(what):
    class C:
        @cache_resource(on_release=release)
        def f(_self): return build("first")
    first = C().f
    class C:
        @cache_resource(on_release=release)
        def f(_self): return build("second")
    return [first, C().f]
fs = both("it")
""",
    "lambdas": """
fs = [cache_resource(on_release=release)(lambda: build(1)), cache_resource(on_release=release)(lambda: build(2))]
""",
}

#: Two functions of one type parameter, in a syntax that not every supported Python has.
if sys.version_info >= (3, 12):
    SIBLINGS["generic"] = """
@cache_resource(on_release=release)
def f[T](_kind: T = None): return build("first")
fs = [f]
@cache_resource(on_release=release)
def f[T](_kind: T = None): return build("second")
fs.append(f)
"""


@pytest.mark.parametrize("which", SIBLINGS)
def test_f7_what_the_same_code_makes_lives_side_by_side(
    program: Program, clock: Clock, host: TestHost, which: str
) -> None:
    """F7, F1: none outdates another, though none is held while the next one comes; nor does an edit elsewhere."""

    def one_by_one(names: types.SimpleNamespace) -> list[Any]:
        return [function() for function in [*names.fs, *reversed(names.fs)]]

    source = SIBLINGS[which]
    with host.serving("ada"):
        made = program.run(source, one_by_one)
        count = len(made) // 2
        assert made[:count] == made[count:][::-1]
        assert len(program.built) == count
        edited = [source + "\nx = 1\n", "# A comment.\n" + source]
        for text in [source, source, *edited, source]:
            again = program.run(text, one_by_one)
            assert all(one is other for one, other in zip(again, made, strict=True))
        clock.advance(0)
        assert program.released == []
        assert len(program.built) == count
    _native.end_session("ada")


LOCAL_CLASS = """
@cache_resource(on_release=release)
def f():
    class Local:
        size = {size}
    return build(Local.size)
"""


@pytest.mark.parametrize("line", [0, 2, 300])
def test_f3_f6_the_line_that_a_local_class_stands_on_is_no_part_of_it(
    program: Program, clock: Clock, line: int
) -> None:
    """F3, F6: an edit further up keeps what is below; an edit of the class does not, whatever its line is."""
    above = "\n" * line
    old = program.run(above + LOCAL_CLASS.format(size=1001))
    assert program.run("\n" + above + LOCAL_CLASS.format(size=1001)) is old
    clock.advance(0)
    assert program.released == []
    # A number in the class that is also that of its line, and then both are the next one.
    size = line + LOCAL_CLASS.split("class")[0].count("\n") + 1
    assert program.run(above + LOCAL_CLASS.format(size=size)) == [size]
    assert program.run("\n" + above + LOCAL_CLASS.format(size=size + 1)) == [size + 1]
    clock.advance(0)
    assert program.released == [old, [size]]


def test_f7_an_edit_of_the_factory_outdates_all_that_it_made(program: Program, clock: Clock) -> None:
    """F7, F6"""
    source = SIBLINGS["closure"]
    made = program.run(source, lambda names: [f() for f in names.fs])
    program.run(source.replace("build(tenant)", "build(tenant * 2)"), lambda names: [f() for f in names.fs])
    clock.advance(0)
    assert program.released == made


@pytest.mark.parametrize(
    "which", ["one-name", "one-name-in-a-factory", "one-name-with-a-decorator-of-ones-own", "lambdas", "one-class"]
)
def test_f7_an_edit_of_one_of_two_functions_of_one_name_is_none_of_the_other(
    program: Program, clock: Clock, which: str
) -> None:
    """F7, F6"""

    def both(names: types.SimpleNamespace) -> list[Any]:
        return [f() for f in names.fs]

    source = SIBLINGS[which]
    first, second = program.run(source, both)
    edited = source.replace("build(", "build(3 * ", 1)
    one, other = program.run(edited, both)
    clock.advance(0)
    assert len(program.built) == 3
    gone, kept = (second, first) if other is not second else (first, second)
    assert kept in (one, other)
    assert program.released == [gone]


class Notebook:
    """Cells whose statements are compiled one by one under a name of the cell's content, as IPython does it."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.released: list[Any] = []
        self.names = {
            "__name__": "__main__",
            "cr": functools.partial(tenure.cache_resource, on_release=self.released.append),
            "build": self.build,
        }

    def build(self, what: str) -> list[str]:
        self.built.append(what)
        return [what]

    def run(self, cell: str) -> None:
        name = f"<cell-{hash(cell)}>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
        for statement in ast.parse(cell).body:
            exec(compile(ast.Module([statement], []), name, "exec"), self.names)
        gc.collect()


@pytest.fixture
def notebook(clock: Clock) -> Iterator[Notebook]:
    yield Notebook()
    for name in [it for it in linecache.cache if it.startswith("<cell-")]:
        del linecache.cache[name]


ONE_CELL = {
    "lambdas": "pool = cr(lambda: build('pool'))()\nmodel = cr(lambda: build('model'))()",
    "functions": """
@cr
def two(): return build('one')
one = two()
@cr
def two(): return build('other')
other = two()
""",
    "settings": """
def same(): return build('same')
one = cr(same, ttl=100)()
other = cr(same, ttl=200)()
""",
}


@pytest.mark.parametrize("cell", ONE_CELL.values(), ids=ONE_CELL)
def test_f7_f3_statements_of_one_cell_are_no_edits_of_each_other(notebook: Notebook, clock: Clock, cell: str) -> None:
    """F7, F3: not at the first run, and not when the cell runs again."""
    for _ in range(3):
        notebook.run(cell)
        clock.advance(0)
        assert len(notebook.built) == 2
        assert notebook.released == []


def test_f7_lambdas_in_two_cells_are_two(notebook: Notebook, clock: Clock) -> None:
    """F7, F8: neither takes the other's name. Where nobody holds them, all but the newest wait."""
    cells = ["pool = cr(lambda: build('pool'))()", "model = cr(lambda: build('model'))()"]
    for cell in cells * 2:
        notebook.run(cell)
    clock.advance(0)
    assert notebook.built == ["pool", "model"]
    notebook.run("pool = cr(lambda: build('pools'))()")
    clock.advance(0)
    assert notebook.released == []
    clock.advance(3601)
    assert notebook.released == [["pool"], ["model"]]


def test_f7_a_lambda_that_somebody_holds_stays(notebook: Notebook, clock: Clock) -> None:
    """F7, F8: what waits is what nobody holds."""
    notebook.run("pool = cr(lambda: build('pool'))")
    notebook.run("pool()")
    notebook.run("model = cr(lambda: build('model'))()")
    clock.advance(3601)
    notebook.run("pool()")
    assert notebook.built == ["pool", "model"]
    assert notebook.released == []


def test_f7_wrappers_of_one_decorator_in_two_cells_are_two(notebook: Notebook, clock: Clock) -> None:
    """F7, F3: they have one name, and what they go around has not."""
    cells = [
        "def timed(func):\n    def timer(): return func()\n    return timer",
        "@cr\n@timed\ndef pool(): return build('pool')\npool()",
        "@cr\n@timed\ndef model(): return build('model')\nmodel()",
        "cr(timed(lambda: build('one')))()",
        "cr(timed(lambda: build('other')))()",
    ]
    for cell in cells + cells[1:]:
        notebook.run(cell)
    clock.advance(0)
    assert notebook.built == ["pool", "model", "one", "other"]
    assert notebook.released == []
    notebook.run(cells[1].replace("'pool'", "'pools'"))
    clock.advance(0)
    assert notebook.released == [["pool"]]


def test_f6_an_edited_function_that_caches_a_lambda_replaces_it(notebook: Notebook, clock: Clock) -> None:
    """F6: it has the name that the lambda lacks."""
    cell = "def lazily(): return cr(lambda: build('first'))\nlazily()()"
    notebook.run(cell)
    notebook.run(cell.replace("first", "second"))
    clock.advance(0)
    assert notebook.released == [["first"]]


def test_f6_a_cell_that_defines_the_name_anew_replaces_it(notebook: Notebook, clock: Clock) -> None:
    """F6: whichever cell that is, and whatever else stands in it."""
    notebook.run("@cr\ndef dialled(): return build('first')\nmade = dialled()")
    notebook.run("@cr\ndef dialled(): return build('second')\nmade = dialled()")
    clock.advance(0)
    assert notebook.released == [["first"]]
    notebook.run("x = 1\n@cr\ndef dialled(): return build('third')\nmade = dialled()")
    clock.advance(0)
    assert notebook.released == [["first"], ["second"]]


AROUND = {
    "wrapped": """
import functools
def within(func): return func
def around(**settings):
    def decorator(func):
        @functools.wraps(func)
        def wrapper(*args): return func(*args)
        return cache_resource(on_release=release, **settings)(wrapper)
    return decorator
""",
    "captured": """
def within(func): return func
def around(**settings):
    return lambda func: cache_resource(on_release=release, **settings)(lambda *args: func(*args))
""",
    "twice": """
def within(func): return func
def timed(func):
    def timer(*args): return func(*args)
    return timer
def around(**settings):
    return lambda func: cache_resource(on_release=release, **settings)(timed(timed(func)))
""",
    "beneath": """
def within(func):
    def timer(*args): return func(*args)
    return timer
def around(**settings):
    return lambda func: cache_resource(on_release=release, **settings)(func)
""",
}
DECORATED = """
@around(ttl=3600 * 60)
@within
def model(): return build("model")
@around(ttl=3600 * 70)
@within
def pool(): return build("pool")
"""


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_f6_f7_an_edit_under_a_decorator_of_ones_own(program: Program, clock: Clock, around: str) -> None:
    """F6, F7: of the function, and of what the decorator is given; each is one of that function alone."""
    source = around + DECORATED

    def both(names: types.SimpleNamespace) -> list[Any]:
        return [names.model(), names.pool()]

    model, pool = program.run(source, both)
    assert program.run(source + "x = 1\n", both) == [model, pool]
    clock.advance(0)
    assert program.released == []
    source = source.replace('build("model")', 'build("another")')
    another, kept = program.run(source, both)
    clock.advance(0)
    assert kept is pool
    assert program.released == [model]
    source = source.replace("3600 * 70", "3600 * 80")
    assert program.run(source, both)[0] is another
    clock.advance(0)
    assert program.released == [model, pool]


def test_f3_f7_what_one_piece_of_code_makes_outlives_an_edit_elsewhere(program: Program, clock: Clock) -> None:
    """F3, F7: a loop, one function with two settings, two partials, a class that is defined twice."""
    source = """
fs = []
for region in ["north", "south"]:
    @cache_resource(on_release=release)
    def connect(region=region): return build(region)
    fs.append(connect)
def load(): return build("model")
fs += [cache_resource(load, ttl=3600 * 60, on_release=release), cache_resource(load, ttl=3600 * 70, on_release=release)]
import functools
def some(n): return build(n)
fs += [cache_resource(functools.partial(some, n), on_release=release) for n in (1, 2)]
class D:
    @cache_resource(on_release=release)
    def f(_self): return build("first")
fs.append(D().f)
class D:
    @cache_resource(on_release=release)
    def f(_self): return build("second")
fs.append(D().f)
"""

    def one_by_one(names: types.SimpleNamespace) -> list[Any]:
        return [function() for function in names.fs]

    made = program.run(source, one_by_one)
    again = program.run(source + "x = 1\n", one_by_one)
    clock.advance(0)
    assert all(one is other for one, other in zip(again, made, strict=True))
    assert program.released == []


def test_f7_texts_that_a_script_runs_are_no_edits_of_each_other(clock: Clock, host: TestHost) -> None:
    """F7, F6: two functions of one name without a file, in each run of one session."""
    program = Program("<string>", "exec")
    source = """
fs = []
for text in TEXTS:
    exec(f"@cache_resource(on_release=release)\\ndef load(): return build({text!r})")
    fs.append(load)
"""

    def one_by_one(names: types.SimpleNamespace) -> list[Any]:
        return [function() for function in names.fs]

    with host.serving("ada"):
        for _ in range(3):
            program.run(source.replace("TEXTS", "'abc'"), one_by_one)
            clock.advance(0)
            assert len(program.built) == 3
            assert program.released == []
    _native.end_session("ada")


def test_f7_cells_that_use_what_an_earlier_one_defined_are_no_edits_of_each_other(clock: Clock) -> None:
    """F7: two lines of input that call one decorator with other settings, neither of which keeps the function."""
    program = Program("unused")
    names: dict[str, Any] = {"__name__": "__main__", "build": program.build, "release": program.release}
    names["cache_resource"] = tenure.cache_resource
    cells = [
        "def load(): return build('model')",
        "def cached(ttl): return cache_resource(ttl=ttl, on_release=release)(load)",
        "one = cached('10h')()",
        "two = cached('20h')()",
    ]
    for number, cell in enumerate([*cells, *cells[2:]]):
        exec(compile(cell, f"<python-input-{number}>", "exec", dont_inherit=True), names)
    clock.advance(0)
    assert len(program.built) == 2
    assert program.released == []


def test_f7_other_ways_to_the_same_decorator_are_no_edits_of_each_other(program: Program, clock: Clock) -> None:
    """F7: from the main program, from a thread, and from two functions that each decorate one function."""
    source = """
def load(): return build("model")
def cached(ttl): return cache_resource(ttl=ttl, on_release=release)(load)
def quick(): return cache_resource(ttl="30h", on_release=release)(load)
def slow(): return cache_resource(ttl="40h", on_release=release)(load)
"""

    def ways(names: types.SimpleNamespace) -> list[Any]:
        def both() -> list[Any]:
            return [names.cached(ttl)() for ttl in ("10h", "20h")] + [names.quick()(), names.slow()()]

        return both() + Job(both).result() + both()

    for _ in range(2):
        made = program.run(source + "f60 = cached('10h')()\n", ways)
        assert all(one is other for one, other in zip(made, made[:4] * 3, strict=True))
    clock.advance(0)
    assert len(program.built) == 4
    assert program.released == []


def test_f7_two_pages_that_decorate_one_function_are_no_edits_of_each_other(clock: Clock, tmp_path: Path) -> None:
    """F7: each in its own file, with its own settings, at every run."""
    released: list[Any] = []
    built: list[Any] = []

    def load() -> list[Any]:
        return ["model"]

    for _ in range(3):
        for page, ttl in (("one", "10h"), ("two", "20h")):
            path = tmp_path / f"{page}.py"
            path.write_text(f"made = cache_resource(ttl={ttl!r}, on_release=released.append)(load)()")
            names = {"cache_resource": tenure.cache_resource, "released": released, "load": load}
            exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), names)
            built.append(names["made"])
            names.clear()
    clock.advance(0)
    assert released == []
    assert all(one is other for one, other in zip(built, built[:2] * 3, strict=True))


def test_f7_two_places_of_one_file_may_decorate_one_function(clock: Clock, tmp_path: Path) -> None:
    """F7: each place is code of its own, and neither is an edit of the other."""
    program = Program(str(tmp_path / "script.py"))
    source = """
def load(): return build("model")
def quick(): return cache_resource(ttl="1h", on_release=release)(load)
def slow(): return cache_resource(ttl="10h", on_release=release)(load)
"""
    for _ in range(3):
        program.run(source, lambda names: (names.quick()(), names.slow()()))
    clock.advance(0)
    assert len(program.built) == 2
    assert program.released == []


def test_f7_what_is_held_goes_on_beside_an_edit_and_goes_with_its_user(program: Program, clock: Clock) -> None:
    """F7, F6, L5: nothing is pulled away from under who holds the function."""
    before, after = (EDITS[it](PLACES["top"]) for it in ("of-nothing", "of-ttl"))
    held: list[Any] = []
    old = program.run(before, lambda names: held.append(names.f) or names.f())
    program.run(after)
    clock.advance(0)
    assert held[0]() is old
    assert program.released == []
    held.clear()
    gc.collect()
    clock.advance(0)
    assert program.released == [old]


# --- F7: callbacks that are bound to something ----------------------------------------------------


class Sink:
    def __init__(self) -> None:
        self.got: list[Any] = []

    def __call__(self, resource: Any) -> None:
        self.got.append(resource)

    def take(self, resource: Any) -> None:
        self.got.append(resource)


def _closing(got: list[Any]) -> Callable[[Any], None]:
    def close(resource: Any) -> None:
        got.append(resource)

    return close


def _defaulting(got: list[Any]) -> Callable[[Any], None]:
    def close(resource: Any, got: list[Any] = got) -> None:
        got.append(resource)

    return close


def _sink(take: Callable[[Sink], Any]) -> Callable[[list[Any]], Any]:
    def make(got: list[Any]) -> Any:
        sink = Sink()
        sink.got = got
        return take(sink)

    return make


BOUND: dict[str, Callable[[list[Any]], Any]] = {
    "method": lambda got: got.append,
    "closure": _closing,
    "lambda": lambda got: lambda resource: got.append(resource),
    "default": _defaulting,
    "partial": lambda got: functools.partial(list.append, got),
    "keyword": lambda got: functools.partial(_closing(got)),
    "instance": _sink(lambda sink: sink),
    "its-method": _sink(lambda sink: sink.take),
    "deep": lambda got: (lambda inner: lambda resource: inner["to"].append(resource))({"to": got}),
}


@pytest.mark.parametrize("bound", BOUND)
def test_f7_two_live_functions_with_callbacks_bound_to_different_objects_are_two(clock: Clock, bound: str) -> None:
    """F7, L1: what one built is released into its own list."""

    def factory() -> tuple[Any, list[Any]]:
        got: list[Any] = []

        @tenure.cache_resource(on_release=BOUND[bound](got))
        def connect(k: int) -> list[int]:
            return [k]

        return connect, got

    made = [factory() for _ in range(3)]
    for k, (connect, _) in enumerate(made):
        connect(k)
    for connect, _ in reversed(made):
        connect.clear()
    assert [got for _, got in made] == [[[0]], [[1]], [[2]]]
    assert made[0][0].info().builds == 1


@pytest.mark.parametrize("bound", ["method", "closure", "lambda", "default", "partial", "keyword"])
def test_f7_two_live_functions_with_callbacks_bound_to_one_object_are_one(clock: Clock, bound: str) -> None:
    """F7, F3: however often the callback around it is made."""
    got: list[Any] = []

    def factory() -> Any:
        return tenure.cache_resource(on_release=BOUND[bound](got))(lambda: ["one"])

    one, two = factory(), factory()
    assert one() is two()
    one.clear()
    three = factory()
    assert three() is two()
    assert got == [["one"]]


TWO_LISTS = """
def factory():
    got = []
    @cache_resource(on_release=got.append)
    def connect(): return build(len(all))
    all.append(connect)
    return connect
all = []
fs = [factory(), factory()]
"""


def test_f7_a_run_finds_both_again_and_so_does_a_session_beside_it(program: Program, host: TestHost) -> None:
    """F7, F3, F8: in the order in which they were made, with lists that each run makes anew."""

    def use(names: types.SimpleNamespace) -> list[Any]:
        found = [f() for f in names.fs]
        if names.others:
            with host.serving("bob"):
                found += program.run(TWO_LISTS + "others = []\n", use)
        return found

    source = TWO_LISTS + "others = [1]\n"
    with host.serving("ada"):
        for _ in range(3):
            one, two, his, hers = program.run(source, use)
            assert one is his
            assert two is hers
            assert one is not two
    assert len(program.built) == 2
    assert program.released == []


def test_f3_a_cell_that_runs_again_while_its_function_lives_finds_its_entry(clock: Clock) -> None:
    """F3, F7: its list is new, and so is its code: it is no second function beside the first."""
    names: dict[str, Any] = {"__name__": "__main__", "cache_resource": tenure.cache_resource}
    cell = "got = []\n@cache_resource(on_release=got.append)\ndef connect(): return ['it']\nmade = connect()"
    made = []
    for number in range(3):
        exec(compile(cell, f"<ipython-input-{number}-0a1b2c>", "exec", dont_inherit=True), names)
        made.append(names["made"])
    assert made[0] is made[1] is made[2]


def test_f6_a_cell_that_a_debugger_has_written_to_a_file_is_typed_all_the_same(clock: Clock, tmp_path: Path) -> None:
    """F6, F3: each version of a cell has a file of its own then, whose lines `linecache` was given by hand."""
    released: list[Any] = []
    names: dict[str, Any] = {
        "__name__": "__main__",
        "cache_resource": tenure.cache_resource,
        "release": released.append,
    }
    for number, text in enumerate(["first", "first", "second"]):
        cell = f"@cache_resource(on_release=release)\ndef dialled(): return ['{text}']\nmade = dialled()\n"
        file = tmp_path / f"{text}.py"
        file.write_text(cell)
        linecache.cache[str(file)] = (len(cell), None, cell.splitlines(True), str(file))
        exec(compile(cell, str(file), "exec", dont_inherit=True), names)
        clock.advance(0)
        assert names["made"] == [text]
        assert released == [["first"]] * (number == 2)
    linecache.clearcache()


# --- F8 -------------------------------------------------------------------------------------------


def test_f8_a_hundred_edits_leave_the_last(program: Program, clock: Clock) -> None:
    """F8, F6"""
    for number in range(100):
        program.run(PLACES["top"].format(settings="", body=number))
    clock.advance(0)
    assert program.released == program.built[:-1]


def test_f8_closures_over_changing_values_do_not_pile_up(clock: Clock) -> None:
    """F8, L10: few wait, the others go at once, the rest in time; the newest stays for who comes back."""
    released: list[Any] = []

    def connect(now: int) -> tuple[list[int], Any]:
        function = tenure.cache_resource(lambda: [now], max_entries=2, on_release=released.append)
        return function(), function

    for now in range(1000):
        connect(now)
    clock.advance(0)
    assert released == [[now] for now in range(1000 - WAITING_MAX - 1)]
    clock.advance("59m")
    assert len(released) == 1000 - WAITING_MAX - 1
    clock.advance("1m")
    assert sorted(released) == [[now] for now in range(999)]
    clock.advance("1000h")
    assert len(released) == 999
    assert releases(connect(999)[1]) == {}
    tenure.cache_resource.clear()
    assert sorted(released) == [[now] for now in range(1000)]


def test_f8_the_cause_is_superseded_and_the_time_can_be_set(clock: Clock) -> None:
    """F8"""

    def connect(now: int) -> Any:
        function = tenure.cache_resource(lambda: [now])
        function()
        return function.info

    info = connect(1)
    other = connect(2)
    del info, other
    tenure.configure(version_grace="1m")
    try:
        kept = []
        connect_again = tenure.cache_resource(lambda: kept.append(1) or ["x"])
        connect_again()
        clock.advance("2m")
        connect_again()
        assert kept == [1]
        with pytest.raises(TypeError, match="version_grace"):
            tenure.configure(grace=1)
        with pytest.raises(ValueError, match="version_grace=-1 is negative"):
            tenure.configure(version_grace=-1)
    finally:
        tenure.configure()


@pytest.mark.parametrize("grace", ["1m", "2h", None])
def test_f8_what_is_brought_back_in_time_is_found(clock: Clock, grace: str | None) -> None:
    """F8, F3: two tenants whose runs alternate each find their own, however long that goes on."""
    tenure.configure(version_grace=grace)
    try:
        released: list[Any] = []

        def run(tenant: str) -> Any:
            return tenure.cache_resource(lambda: [tenant], on_release=released.append)()

        a, b = run("a"), run("b")
        for _ in range(20):
            clock.advance("59s")
            assert run("a") is a
            assert run("b") is b
        assert released == []
        clock.advance("2h")
        assert released == ([] if grace is None else [a])
        assert run("b") is b
    finally:
        tenure.configure()


def test_f8_each_session_brings_back_its_own(clock: Clock, host: TestHost) -> None:
    """F8, F3: forty tenants, each in a session that runs again while the others do."""
    released: list[Any] = []

    def run(tenant: int) -> Any:
        with host.serving(f"session {tenant}"):
            return tenure.cache_resource(lambda: [tenant], on_release=released.append)()

    made = [run(tenant) for tenant in range(40)]
    for _ in range(3):
        assert all(run(tenant) is made[tenant] for tenant in range(40))
    for tenant in range(40):
        _native.end_session(f"session {tenant}")
    assert released == made[: 40 - WAITING_MAX - 1]


@pytest.mark.parametrize(
    "settings",
    [
        "on_release=close",
        "on_release=lambda made: close(made)",
        "on_release=lambda made, cause: close(made)",
        "on_release=close, validate=lambda made: GREETING != ''",
        "on_release=close, keep_if=lambda made: GREETING != ''",
    ],
)
def test_f8_callbacks_that_know_the_names_of_a_run_keep_nothing_of_it_in_use(
    program: Program, clock: Clock, settings: str
) -> None:
    """F8, L1: each run's function is at the top of its script, where its own callback finds it."""
    source = f"""
def close(made): release((GREETING, made))
GREETING = "bye"
def connector(now):
    @cache_resource({settings})
    def connect(): return build(now)
    return connect
f = connector(NOW())
"""
    for number in range(10):
        program.now = lambda number=number: number % 2
        program.run(source)
    # Two that alternate are found, although each run's function is gone.
    assert len(program.built) == 2
    for number in range(2, 40):
        program.now = lambda number=number: number
        program.run(source)
    clock.advance(0)
    count = 40 - WAITING_MAX - 1
    assert program.released == [("bye", made) for made in program.built[:count]]
    clock.advance("2h")
    assert sorted(program.released) == [("bye", made) for made in program.built[:-1]]


# --- F8: a value of the run -----------------------------------------------------------------------

OF_THE_RUN = """
def {main}(now, tenant, fixed=1):
    @cache_resource(on_release=release{settings})
    def connect(host{default}):
        return build((host, now, tenant, fixed))
    return connect
main = {main}
"""


def of_the_run(program: Program, test: str, settings: str = "", default: str = "") -> str:
    """It says something once for each function, so each test has one of its own."""
    return OF_THE_RUN.format(main=f"main_of_{test}_in_{program.kind}", settings=settings, default=default)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "tenure")
    return lambda: [record.getMessage() for record in caplog.records if "built anew" in record.getMessage()]


def test_f8_a_function_that_captures_a_value_of_the_run_is_named_once(
    program: Program, clock: Clock, told: Callable[[], list[str]], host: TestHost
) -> None:
    """F8, F1: what it captures, and what to write; nothing else that it captures is named."""
    source = of_the_run(program, "value", settings=", max_entries=2")
    with host.serving("ada"):
        for now in range(3):
            program.run(source, lambda names, now=now: names.main(now, "ada")("db"))
        assert told() == []
        for now in range(3, 30):
            program.run(source, lambda names, now=now: names.main(now, "ada")("db"))
    (text,) = told()
    assert f"`main_of_value_in_{program.kind}.<locals>.connect` was built anew" in text
    assert "`now`" in text
    assert "def connect(_now)" in text
    assert "tenant" not in text
    assert "fixed" not in text
    clock.advance(0)
    assert len(program.built) == 30
    assert program.released == program.built[: 30 - WAITING_MAX - 1]


def test_f8_a_default_of_the_run_is_named_too(program: Program, told: Callable[[], list[str]], host: TestHost) -> None:
    source = of_the_run(program, "default", default=", since=now").replace("(host, now,", "(host,")
    with host.serving("ada"):
        for now in range(5):
            program.run(source, lambda names, now=now: names.main(now, "ada")("db"))
    (text,) = told()
    assert "`since`" in text
    assert "`now`" not in text


@pytest.mark.parametrize("why", ["sessions", "come-back", "one-run", "beside-others", "not-built", "edited"])
def test_f8_nothing_is_said_of_what_is_meant_to_differ(
    program: Program, told: Callable[[], list[str]], host: TestHost, why: str
) -> None:
    """F8, F1: tenants of many sessions, of runs that come back, of one run, and of one beside which others begin; an
    edit; and who only decorates.
    """

    def use_beside_others(names: types.SimpleNamespace) -> None:
        for tenant in range(12):
            names.main(0, tenant)("db")
            sys.modules["__main__"] = types.ModuleType("__main__")

    source = of_the_run(program, why.replace("-", "_"))
    for number in range(12):
        with host.serving(f"session {number if why == 'sessions' else 0}"):
            if why == "one-run":
                if number == 0:
                    program.run(source, lambda names: [names.main(0, tenant)("db") for tenant in range(12)])
            elif why == "beside-others":
                if number == 0:
                    program.run(source, use_beside_others)
            elif why == "come-back":
                program.run(source, lambda names, number=number: names.main(0, number % 3)("db"))
            elif why == "not-built":
                program.run(source, lambda names, number=number: names.main(0, number))
            elif why == "edited":
                edited = source.replace("return build", f"str({number})\n        return build")
                program.run(edited, lambda names, number=number: names.main(0, number)("db"))
            else:
                program.run(source, lambda names, number=number: names.main(0, number)("db"))
    assert told() == []


EACH_SETTING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"ttl": "1h"}),
    ({}, {"max_entries": 8}),
    ({}, {"drain": "1s"}),
    ({}, {"scope": "thread"}),
    ({}, {"validate": bool}),
    ({}, {"keep_if": bool}),
    ({}, {"on_release": len}),
    ({"ttl": "1h"}, {"ttl": "1h", "refresh_mode": "background"}),
    ({"ttl": "1h"}, {"ttl": "1h", "refresh_before": "1m"}),
    ({"ttl": "1h"}, {"ttl": "1h", "max_stale": "1m"}),
    ({}, {"max_idle": "1h"}),
    ({"weight": 1}, {"weight": 2}),
    ({"weight": 1}, {"weight": len}),
    ({"weight": sum}, {"weight": len}),
    ({"weight": 1}, {"weight": tenure.weigh.memory}),
    ({"weight": 1}, {"weight": 1, "max_weight": 5}),
    ({}, {"build_timeout": "1h"}),
    ({}, {"fork": "keep"}),
    ({"tags": ["a"]}, {"tags": ["a", "b"]}),
    ({"tags": lambda: ["a"]}, {"tags": lambda: ["b"]}),
    ({}, {"ttl": lambda resource: 60}),
    ({"ttl": lambda resource: 60}, {"ttl": lambda resource: 61}),
]


@pytest.mark.parametrize(("one", "other"), EACH_SETTING)
def test_f_one_function_with_two_settings_is_two(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Whatever the setting is in which they differ, each keeps to its own."""

    def resource() -> list[int]:
        return [1]

    first, second, again = (tenure.cache_resource(resource, **settings) for settings in (one, other, one))
    assert first() is not second()
    assert first() is again()
    for cached in (first, second):
        cached.clear()
