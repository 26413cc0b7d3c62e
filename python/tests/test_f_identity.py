"""F1 to F6: which function it is, by what a call finds."""

from __future__ import annotations

import functools
import gc
import itertools
import linecache
import os
import queue
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import LOST, TestHost, releases, until


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., types.SimpleNamespace]]:
    """Runs the source of a script as its host does: the same file each time, in a fresh namespace."""
    path = tmp_path / "script.py"
    ticks = itertools.count(1_700_000_000)

    def run(source: str, **given: Any) -> types.SimpleNamespace:
        if not path.exists() or path.read_text() != source:
            path.write_text(source)
            # A later time of change, however coarse the file system's clock is.
            tick = next(ticks)
            os.utime(path, (tick, tick))
        names: dict[str, Any] = {"__name__": "__main__", "cache_resource": tenure.cache_resource, **given}
        exec(compile(source, str(path), "exec", dont_inherit=True), names)
        return types.SimpleNamespace(**names)

    yield run
    linecache.checkcache()


def execute(source: str, file: str = "<string>", **given: Any) -> types.SimpleNamespace:
    names: dict[str, Any] = {
        "__name__": "somewhere",
        "cache_resource": tenure.cache_resource,
        "functools": functools,
        **given,
    }
    exec(compile(source, file, "exec", dont_inherit=True), names)
    return types.SimpleNamespace(**names)


RELEASED: queue.SimpleQueue[Any] = queue.SimpleQueue()


def release(resource: Any) -> None:
    RELEASED.put(resource)


def connector(tenant: Any) -> Callable[[], Any]:
    @tenure.cache_resource
    def connect() -> list[Any]:
        return [tenant]

    return connect


# --- F1 -------------------------------------------------------------------------------------------


def test_f1_closures_of_one_factory_are_separate() -> None:
    """F1: tenant B never gets tenant A's connection."""
    a, b, again = connector("a"), connector("b"), connector("a")
    assert a() == ["a"]
    assert b() == ["b"]
    assert again() is a()


@pytest.mark.parametrize(("one", "two"), [(1, True), (1, 1.0), ("1", 1), ([1], (1,)), ({"a": 1}, {"a": 2}), (len, max)])
def test_f1_captured_values_are_told_apart_as_arguments_are(one: Any, two: Any) -> None:
    """F1, K2"""
    assert connector(one)() is not connector(two)()
    assert connector(one)() is connector(one)()


def bound_below(tenant: Any) -> Any:
    @tenure.cache_resource
    def connect() -> list[Any]:
        return dial()

    def dial() -> list[Any]:
        return [tenant]

    return connect


def bound_twice(tenant: Any) -> Any:
    who = None

    @tenure.cache_resource
    def connect() -> list[Any]:
        return [who]

    who = tenant
    return connect


def bound_in_a_class(tenant: Any) -> Any:
    class Base:
        def open(self) -> list[Any]:
            return [tenant]

    class Desk(Base):
        @tenure.cache_resource
        def open(_self) -> list[Any]:
            return super().open()

    return Desk().open


def bound_in_a_callback(tenant: Any) -> Any:
    @tenure.cache_resource(keep_if=lambda it: it == [owner])
    def connect() -> list[Any]:
        return [tenant]

    owner = tenant
    return connect


def cached_below(tenant: Any) -> Any:
    @tenure.cache_resource
    def connect() -> list[Any]:
        return dial()

    @tenure.cache_resource
    def dial() -> list[Any]:
        return [tenant]

    return connect


def calls_itself(tenant: Any) -> Any:
    @tenure.cache_resource
    def connect(left: int = 2) -> list[Any]:
        return connect(left - 1) + [tenant] if left else []

    return connect


@pytest.mark.parametrize(
    "factory", [bound_below, bound_twice, bound_in_a_class, bound_in_a_callback, cached_below, calls_itself]
)
def test_f1_what_is_captured_may_get_its_value_below(factory: Callable[[Any], Any]) -> None:
    """F1: it is read when the function is first used, and again found by whoever makes an equal one."""
    a, b, again = factory("a"), factory("b"), factory("a")
    assert (a()[-1], b()[-1]) == ("a", "b")
    assert again() is a()


def test_f1_what_has_no_value_at_the_first_use_is_told_apart_by_itself() -> None:
    """F1: two functions share nothing as long as nobody can tell what they will hold."""

    def factory(tenant: Any) -> Any:
        @tenure.cache_resource
        def connect() -> list[Any]:
            nonlocal found
            found = tenant
            return [found]

        if tenant is None:
            found = None
        return connect

    a, b = factory("a"), factory("b")
    assert (a(), b()) == (["a"], ["b"])
    assert (a(), b()) == (["a"], ["b"])


def test_f1_captured_functions_count_by_what_they_are() -> None:
    """F1, K8"""
    doubled, tripled = connector(lambda x: 2 * x), connector(lambda x: 3 * x)
    assert doubled() is not tripled()
    assert doubled()[0](1) == 2


def test_f1_what_has_no_key_is_told_apart_by_identity_with_one_warning() -> None:
    """F1: each object its own entry; the warning names the variable, once."""
    one, two = threading.Lock(), threading.Lock()

    def make(lock: Any) -> Callable[[], Any]:
        return tenure.cache_resource(lambda: [lock])

    with pytest.warns(UserWarning, match="`lock`.*_thread.lock") as caught:
        first = make(one)
    assert [(said.filename, said.lineno) for said in caught] == [(__file__, make.__code__.co_firstlineno + 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second, third = make(two), make(one)
    assert first()[0] is one
    assert second()[0] is two
    assert third()[0] is one
    assert first() is not second()


# --- F2 -------------------------------------------------------------------------------------------


def test_f2_lambdas_on_one_line_are_separate() -> None:
    """F2"""
    one, two = tenure.cache_resource(lambda: ["one"]), tenure.cache_resource(lambda: ["two"])
    assert one() == ["one"]
    assert two() == ["two"]
    assert one() == ["one"]


def test_f2_executed_functions_are_separate_where_they_differ() -> None:
    """F2: one name, one file name, other code, constants or defaults; and one where they do not."""
    bodies = ["return ['a']", "return ['b']", "return ['a', None]", "return list('a')", "return [x]"]
    heads = ["x=1", "x=2", "x=1.0", "*, x=1", "*, x=2"]
    sources = [f"@cache_resource\ndef f({head}): {body}" for head in heads for body in bodies]
    made = [execute(source).f for source in sources]
    results = [f() for f in made]
    assert len({id(result) for result in results}) == len(sources)
    assert [execute(source).f() for source in sources] == results
    assert all(execute(source).f() is result for source, result in zip(sources, results, strict=True))


def test_f2_functions_of_one_name_in_two_files_are_separate(tmp_path: Path) -> None:
    """F2: two pages of an app have a function of one name, even with the same code."""
    source = "@cache_resource\ndef load(): return ['model']"
    pages = []
    for name in ("one.py", "two.py"):
        path = tmp_path / name
        path.write_text(source)
        pages.append(execute(source, str(path)))
    assert pages[0].load() is not pages[1].load()


def test_f2_wrappers_around_one_function_are_separate() -> None:
    """F2: `functools.wraps` gives both the name of what they wrap."""
    made = execute(
        """
def plain():
    return ["result"]

def once(func):
    @functools.wraps(func)
    def wrapper(): return func()
    return wrapper

def twice(func):
    @functools.wraps(func)
    def wrapper(): return func() * 2
    return wrapper

one, two, three = (cache_resource(f) for f in (plain, once(plain), twice(plain)))
again = cache_resource(twice(plain))
"""
    )
    results = [made.one(), made.two(), made.three()]
    assert results == [["result"], ["result"], ["result", "result"]]
    assert len({id(result) for result in results}) == 3
    assert made.again() is made.three()


def test_f2_wrappers_around_two_functions_are_separate() -> None:
    """F2, F1: one wrapper's code around functions that differ."""

    def wrap(func: Callable[[], Any]) -> Callable[[], Any]:
        @functools.wraps(func)
        def wrapper() -> Any:
            return func()

        return wrapper

    one, two = (tenure.cache_resource(wrap(func)) for func in (lambda: ["one"], lambda: ["two"]))
    assert [one(), two(), one()] == [["one"], ["two"], ["one"]]


CELL = """
@cache_resource(on_release=released)
def cell():
    return ["{text}"]
"""


def test_f2_a_cell_of_a_notebook_that_runs_again_finds_its_entry_and_an_edited_one_does_not() -> None:
    """F2, F3, F6: each run of a cell has a name of its own in the place of a file."""
    first = execute(CELL.format(text="old"), "<ipython-input-1-0a1b2c>", released=release)
    old = first.cell()
    again = execute(CELL.format(text="old"), "<ipython-input-2-3d4e5f>", released=release)
    assert again.cell() is old
    assert again.cell.info().builds == 1
    edited = execute(CELL.format(text="new"), "<ipython-input-3-6a7b8c>", released=release)
    new = edited.cell()
    assert (old, new) == (["old"], ["new"])
    # A notebook keeps what earlier cells have defined until it is defined anew.
    assert again.cell() is old
    assert RELEASED.empty()
    del first, again
    gc.collect()
    assert RELEASED.get(timeout=LOST) is old
    assert edited.cell() is new
    edited.cell.clear()
    assert RELEASED.get(timeout=LOST) is new
    assert RELEASED.empty()


# --- F3 -------------------------------------------------------------------------------------------

SCRIPT = """
import dataclasses

@dataclasses.dataclass
class Settings:
    url: str

settings = Settings("db")

def factory(settings):
    @cache_resource
    def connect(table, limit=10):
        return [settings.url, table, limit]
    return connect

connect = factory(settings)

@cache_resource
def model(name):
    return {"name": name}
"""


def test_f3_a_script_that_runs_again_finds_its_entries(script: Callable[..., types.SimpleNamespace]) -> None:
    """F3: with a user class in a closure, which the second run defines anew."""
    first = script(SCRIPT)
    connection, model = first.connect("t"), first.model("m")
    del first
    second = script(SCRIPT)
    assert second.connect("t") is connection
    assert second.model("m") is model
    assert second.model.info().builds == 1


def test_f3_an_edit_elsewhere_in_the_file_keeps_the_entries(script: Callable[..., types.SimpleNamespace]) -> None:
    """F3, F6: only what was edited begins anew, wherever it stands in the file now."""
    model = script(SCRIPT).model("m")
    assert script("\n# A comment.\n\n" + SCRIPT + "\nx = 1\n").model("m") is model


# --- F4 -------------------------------------------------------------------------------------------


class Service:
    def __init__(self, url: str) -> None:
        self.url = url

    @tenure.cache_resource
    def connect(self, table: str) -> list[str]:
        return [self.url, table]

    @tenure.cache_resource
    def shared(_self, table: str) -> list[str]:  # noqa: N805
        return [table]

    @classmethod
    @tenure.cache_resource
    def of_class(cls) -> list[str]:
        return [cls.__name__]

    @staticmethod
    @tenure.cache_resource
    def of_none() -> list[str]:
        return ["none"]

    @property
    @tenure.cache_resource
    def pool(self) -> list[str]:
        return [self.url]


class Mail(Service):
    pass


class Chat(Service):
    pass


def test_f4_self_is_an_argument_and_underscored_self_is_not() -> None:
    """F4"""
    one, two, equal = Service("one"), Service("two"), Service("one")
    assert one.connect("t") == ["one", "t"]
    assert two.connect("t") == ["two", "t"]
    assert equal.connect("t") is one.connect("t")
    assert one.shared("t") is two.shared("t")


def test_f4_what_two_classes_inherit_is_told_apart() -> None:
    """F4: class methods by class, methods by the class of `self`, properties by `self`."""
    assert [Mail.of_class(), Chat.of_class(), Service.of_class()] == [["Mail"], ["Chat"], ["Service"]]
    assert Mail.of_class() is Mail("x").of_class()
    assert Mail("one").connect("t") is not Chat("one").connect("t")
    assert Mail.of_none() is Chat.of_none()
    assert Service("one").pool is Service("one").pool
    assert Service("one").pool is not Service("two").pool


# --- F5 -------------------------------------------------------------------------------------------


class Loader:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, part: str = "all") -> list[str]:
        return [self.name, part]


def test_f5_callable_instances_can_be_decorated() -> None:
    """F5: by their class's code and by their state."""
    one, two = tenure.cache_resource(Loader("one")), tenure.cache_resource(Loader("two"))
    assert one() == ["one", "all"]
    assert two() == ["two", "all"]
    assert tenure.cache_resource(Loader("one"))() is one()
    assert one("all") is one()


def test_f5_what_is_decorated_hides_no_method_of_the_cache() -> None:
    """F5: classes and instances that have a `clear`, an `info` or a `lease` of their own."""

    class Busy:
        def __call__(self) -> list[str]:
            return ["busy"]

        def clear(self) -> None:
            raise AssertionError("not the cache's")

        info = lease = clear

    busy = Busy()
    vars(busy).update(info="told", clear=None)
    for cached in (tenure.cache_resource(busy), tenure.cache_resource(Busy), tenure.cache_resource(dict)):
        first = cached()
        with cached.lease() as leased:
            assert leased is first
        cached.clear()
        assert cached() is not first
        assert cached.info().entries == 1


def test_f5_partials_can_be_decorated() -> None:
    """F5: by their function and by what they bind."""

    def load(name: str, part: str = "all") -> list[str]:
        return [name, part]

    one, two, three = (
        tenure.cache_resource(functools.partial(load, *args, **kwargs))
        for args, kwargs in ((("one",), {}), (("two",), {}), (("one",), {"part": "all"}))
    )
    assert [one(), two(), three()] == [["one", "all"], ["two", "all"], ["one", "all"]]
    assert one() is not two()
    assert tenure.cache_resource(functools.partial(load, "one"))() is one()


def test_f5_bound_methods_can_be_decorated() -> None:
    """F5, K8"""
    one, two = (tenure.cache_resource(Loader(name).__call__) for name in ("one", "two"))
    assert [one(), two(), one()] == [["one", "all"], ["two", "all"], ["one", "all"]]


# --- F6 -------------------------------------------------------------------------------------------

RELEASING = """
@cache_resource(on_release=released)
def connect(n=1):
    return ["{text}"]

def default(n={default}):
    return [n]

default = cache_resource(on_release=released)(default)
"""


def test_f6_an_edit_begins_anew_and_releases_the_old(script: Callable[..., types.SimpleNamespace]) -> None:
    """F6: of the code and of a default; what the old ones held is released without anyone asking, once."""
    first = script(RELEASING.format(text="old", default=1), released=release)
    assert [first.connect(), first.default()] == [["old"], [1]]
    del first
    gc.collect()
    second = script(RELEASING.format(text="new", default=2), released=release)
    assert [second.connect(), second.default()] == [["new"], [2]]
    old = [RELEASED.get(timeout=LOST) for _ in range(2)]
    assert sorted(old, key=str) == [["old"], [1]]
    assert RELEASED.empty()


SETTINGS = """
@cache_resource({settings})
def connect(n=1):
    return [n]
"""

CALLBACKS = {
    "check": lambda resource: True,
    "other_check": lambda resource: resource is not None,
    "give_back": release,
    "other_give_back": lambda resource: release(resource),
}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("on_release=give_back", "on_release=give_back, max_entries=2"),
        ("on_release=give_back, max_entries=2", "on_release=give_back, max_entries=3"),
        ("on_release=give_back", "on_release=give_back, validate=check"),
        ("on_release=give_back, validate=check", "on_release=give_back, validate=other_check"),
        ("on_release=give_back", "on_release=give_back, keep_if=check"),
        ("on_release=give_back, keep_if=check", "on_release=give_back, keep_if=other_check"),
        ("on_release=give_back, validate=check", "on_release=give_back, keep_if=check"),
        ("on_release=give_back", "on_release=other_give_back"),
        ("on_release=give_back", "on_release=give_back, scope='session'"),
        ("on_release=give_back, ttl=60", "on_release=give_back, ttl=61"),
    ],
)
def test_f6_an_edit_of_a_setting_begins_anew_and_releases_the_old(
    script: Callable[..., types.SimpleNamespace], host: TestHost, before: str, after: str
) -> None:
    """F6, L1: the code stays as it is; what the old one held is released without anyone asking, once."""
    with host.serving("ada"):
        first = script(SETTINGS.format(settings=before), **CALLBACKS)
        old = first.connect()
        assert script(SETTINGS.format(settings=before), **CALLBACKS).connect() is old
        del first
        host.notes.clear()
        gc.collect()
        second = script(SETTINGS.format(settings=after), **CALLBACKS)
        new = second.connect()
        assert new is not old
        assert RELEASED.get(timeout=LOST) is old
        assert script(SETTINGS.format(settings=after), **CALLBACKS).connect() is new
        second.connect.clear()
        assert RELEASED.get(timeout=LOST) is new
    assert RELEASED.empty()
    _native.end_session("ada")


def test_f6_versions_that_are_both_held_stand_side_by_side(script: Callable[..., types.SimpleNamespace]) -> None:
    """F6: a session that has not run again since the edit goes on with the old one, and nothing thrashes."""
    old, new = (SETTINGS.format(settings=f"on_release=give_back, ttl={ttl}") for ttl in (60, 61))
    first = script(old, **CALLBACKS)
    second = script(new, **CALLBACKS)
    found = {(id(first.connect()), id(second.connect())) for _ in range(10)}
    assert len(found) == 1
    assert first.connect() is not second.connect()
    assert script(new, **CALLBACKS).connect() is second.connect()
    for held in (first, second):
        assert held.connect.info().builds == 1
        assert not releases(held.connect)
    assert RELEASED.empty()
    one = first.connect()
    del first, held
    gc.collect()
    assert RELEASED.get(timeout=LOST) is one
    assert not releases(second.connect)
    second.connect.clear()
    assert RELEASED.get(timeout=LOST) == [1]
    assert RELEASED.empty()


def until_collected(is_so: Callable[[], bool]) -> None:
    def collected() -> bool:
        gc.collect()
        return is_so()

    until(collected)


OF_THE_SCRIPT = """
def give_back(thing):
    RELEASED.put((GREETING, thing))
@cache_resource(on_release={callback})
def connect():
    return [{number}]
"""


@pytest.mark.parametrize("callback", ["give_back", "lambda thing: give_back(thing)"])
def test_f6_callbacks_of_the_script_itself_keep_no_old_one(
    script: Callable[..., types.SimpleNamespace], callback: str
) -> None:
    """F6, L1: a callback knows the script's names, and with them the function that it belongs to. What the edit left
    behind is released all the same, with a callback that still has its names."""
    given = {"RELEASED": RELEASED, "GREETING": "hello"}
    first = script(OF_THE_SCRIPT.format(callback=callback, number=1), **given)
    old, decorated = first.connect(), weakref.ref(first.connect)
    del first
    gc.collect()
    # Not outdated, so it stays: the next run finds it.
    assert script(OF_THE_SCRIPT.format(callback=callback, number=1), **given).connect() is old
    new = script(OF_THE_SCRIPT.format(callback=callback, number=2), **given)
    assert new.connect() == [2]
    # One collection takes the second run's, and then the first run's is the last one.
    until_collected(lambda: not RELEASED.empty())
    assert RELEASED.get() == ("hello", old)
    until_collected(lambda: decorated() is None)
    assert new.connect() == [2]
    assert RELEASED.empty()
    new.connect.clear()
    assert RELEASED.get(timeout=LOST) == ("hello", [2])


def test_f6_a_callback_may_use_the_outdated_function_that_it_belongs_to(
    script: Callable[..., types.SimpleNamespace],
) -> None:
    """F6: while it is being released it can still be called, and nothing of it is lost."""
    text = """
def give_back(thing):
    RELEASED.put((thing, connect()))
@cache_resource(on_release=give_back)
def connect():
    return [{number}]
"""
    old = script(text.format(number=1), RELEASED=RELEASED).connect()
    new = script(text.format(number=2), RELEASED=RELEASED)
    assert new.connect() == [2]
    until_collected(lambda: not RELEASED.empty())
    thing, built = RELEASED.get()
    assert thing is old
    assert built == [1]
    assert built is not old
    assert new.connect() == [2]
    tenure.cache_resource.clear()
    until(lambda: RELEASED.qsize() >= 2)


def test_f6_what_is_made_of_a_module_that_is_loaded_anew_is_superseded(clock: Clock) -> None:
    """F6: an edit of an imported module; the cause is told where the function that built it is still held."""
    shop, bank = (type("Client", (), {"__module__": name}) for name in ("shop", "bank"))
    connect = tenure.cache_resource(lambda kind: kind())
    one, two = connect(shop), connect(bank)
    _native.supersede_modules(frozenset({"shop"}))
    assert releases(connect) == {"superseded": 1}
    assert connect(bank) is two
    assert connect(shop) is not one


# --- F6: callbacks --------------------------------------------------------------------------------

COLLECTING = """
@cache_resource(validate=check, on_release=released.append)
def connect(n=1):
    return [n]
"""


class Checks:
    """Callbacks that change what they are bound to, as collectors and counters do."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = [] if log is None else log

    def __call__(self, resource: Any) -> bool:
        self.log.append(resource)
        return True

    def check(self, resource: Any) -> bool:
        return self(resource)


def closing_over(log: list[Any]) -> Callable[[Any], bool]:
    def check(resource: Any) -> bool:
        log.append(resource)
        return True

    return check


def defaulting_to(log: list[Any]) -> Callable[[Any], bool]:
    def check(resource: Any, log: list[Any] = log) -> bool:
        log.append(resource)
        return True

    return check


def note(log: list[Any], resource: Any) -> bool:
    log.append(resource)
    return True


@pytest.mark.parametrize(
    "make",
    [
        lambda log: Checks(log).check,
        lambda log: Checks(log),
        closing_over,
        defaulting_to,
        lambda log: functools.partial(note, log),
        lambda log: functools.partial(closing_over(log)),
        lambda log: functools.partial(lambda both, resource: note(both["log"], resource), {"log": log}),
    ],
    ids=["method", "instance", "closure", "default", "partial", "partial-closure", "nested"],
)
def test_f6_a_callback_that_changes_what_it_holds_supersedes_nothing(
    script: Callable[..., types.SimpleNamespace], make: Callable[[list[Any]], Callable[[Any], bool]]
) -> None:
    """F6, F3: the script runs again with the same object, which meanwhile holds something else."""
    log: list[Any] = []
    released: list[Any] = []
    first = script(COLLECTING, check=make(log), released=released)
    one = first.connect()
    assert first.connect() is one
    first.connect.clear(2)
    first.connect(2)
    first.connect.clear(2)
    assert released == [[2]]
    assert log
    del first
    for _ in range(3):
        gc.collect()
        again = script(COLLECTING, check=make(log), released=released)
        assert again.connect() is one
    assert sum(again.connect.info().releases.values()) == 1
    assert released == [[2]]


def test_f6_a_script_that_makes_its_callbacks_object_anew_finds_its_entries(
    script: Callable[..., types.SimpleNamespace],
) -> None:
    """F6, F3: an equal object in the place of the first, whatever became of that one."""
    source = "released = []\nseen = {'n': 0}\n" + COLLECTING.replace("check", "lambda it: seen.update(n=1) is None")
    first = script(source)
    one = first.connect()
    assert first.connect() is one
    first.connect(2)
    first.connect.clear(2)
    assert first.released == [[2]]
    assert first.seen == {"n": 1}
    del first
    gc.collect()
    assert script(source).connect() is one


def test_f6_callbacks_bound_to_objects_that_differ_at_first_are_told_apart(
    script: Callable[..., types.SimpleNamespace],
) -> None:
    """F6: what was decorated with another object is another cache, though both change alike."""
    one, two = Checks([1]), Checks([2])
    source = "@cache_resource(on_release=it.check)\ndef connect(): return []"
    first = script(source, it=one)
    resource = first.connect()
    one.log[:] = [2]
    assert script(source, it=two).connect() is not resource
    assert script(source, it=one).connect() is resource


def test_f6_a_callback_bound_to_what_has_no_key_supersedes_nothing(
    script: Callable[..., types.SimpleNamespace], recwarn: pytest.WarningsRecorder
) -> None:
    """F6, F3: a pool with a lock, as it is kept in a module, with nobody holding the function between two runs."""

    class Pool:
        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.back: list[Any] = []

        def put(self, resource: Any) -> None:
            self.back.append(resource)

    pool = Pool()
    source = "@cache_resource(on_release=pool.put)\ndef connect(n=1): return [n]"
    first = script(source, pool=pool)
    one = first.connect()
    first.connect(2)
    first.connect.clear(2)
    assert pool.back == [[2]]
    del first
    gc.collect()
    assert script(source, pool=pool).connect() is one
    assert not recwarn.list
    with pytest.warns(UserWarning, match="`__self__`.*`.*Pool`"):
        other = script(source, pool=Pool())
    assert other.connect() is not one


TENANT, USER = ContextVar[str]("TENANT"), ContextVar[str]("USER")


def test_f_functions_with_different_context_variables_as_scopes_are_nothing_to_warn_of() -> None:
    """All methods of a class in C stand at one site: what is new at one function is not new for another."""

    @tenure.cache_resource(scope=TENANT.get)
    def of_a_tenant() -> list[str]:
        return ["tenant"]

    @tenure.cache_resource(scope=USER.get)
    def of_a_user() -> list[str]:
        return ["user"]

    TENANT.set("mill")
    USER.set("ada")
    assert (of_a_tenant(), of_a_user()) == (["tenant"], ["user"])
    of_a_tenant.clear()
    of_a_user.clear()
