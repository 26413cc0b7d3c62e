"""What a decorated function is to the rest of Python: called, looked at, pickled, bound, collected."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import subprocess
import sys
import types
import typing
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import Ledger, releases, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


@tenure.cache_resource
def module_level(url: str, *, size: int = 4) -> list[object]:
    """Opens a pool."""
    return [url, size]


def test_it_looks_like_the_function() -> None:
    assert module_level.__name__ == "module_level"
    assert module_level.__qualname__ == "module_level"
    assert module_level.__module__ == __name__
    assert module_level.__doc__ == "Opens a pool."
    assert module_level.__annotations__["size"] == "int"
    assert str(inspect.signature(module_level)) == "(url: 'str', *, size: 'int' = 4) -> 'list[object]'"
    assert callable(module_level)
    assert module_level.__wrapped__("a")[0] == "a"
    assert inspect.unwrap(module_level) is module_level.__wrapped__
    assert "module_level" in repr(module_level)


def test_its_annotations_are_evaluated_when_asked_for_and_can_be_set() -> None:
    namespace: dict[str, object] = {"tenure": tenure}
    source = "@tenure.cache_resource\ndef thing(key: 'Later') -> int: return key"
    exec(compile(source, "<string>", "exec", dont_inherit=True), namespace)
    thing = namespace["thing"]
    namespace["Later"] = float
    assert thing.__annotations__ == {"key": "Later", "return": int}
    assert typing.get_type_hints(thing) == {"key": float, "return": int}
    thing.__annotations__ = {"key": str}
    assert thing.__annotations__ == {"key": str}
    assert thing.__wrapped__.__annotations__ == {"key": "Later", "return": int}


def test_it_can_carry_attributes_and_weak_references() -> None:
    thing = tenure.cache_resource(lambda: None)
    thing.note = "mine"
    assert thing.note == "mine"
    assert weakref.ref(thing)() is thing


def test_pickled_and_copied_by_name() -> None:
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert copy.copy(module_level) is module_level
    assert copy.deepcopy({"pool": module_level})["pool"] is module_level
    with pytest.raises((pickle.PicklingError, AttributeError), match="local"):
        pickle.dumps(tenure.cache_resource(lambda: None))


def test_bare_and_with_arguments() -> None:
    bare = tenure.cache_resource(lambda: object())
    called = tenure.cache_resource()(lambda: [1])
    given = tenure.cache_resource(func=lambda: [2], ttl=5)
    assert bare() is bare()
    assert called() is called()
    assert given() is given()
    assert repr(tenure.cache_resource) == "tenure.cache_resource"


def test_any_object_can_be_a_resource(clock: Clock) -> None:
    for value in (None, 0, False, "", float("nan"), NotImplemented, ..., int, sys, [], object()):
        thing = tenure.cache_resource(lambda value=value: value)
        assert thing() is value
        assert thing() is value
        assert thing.info().builds == 1
        thing.clear()


SPELLINGS: list[Any] = [
    lambda f: f(1, "d"),
    lambda f: f(1),
    lambda f: f(a=1),
    lambda f: f(1, b="d"),
    lambda f: f(b="d", a=1),
    lambda f: f(a=1, b="d"),
    lambda f: f(*[1], **{"b": "d"}),
    lambda f: f.__call__(1),
]


def test_k3_every_spelling_of_a_call_is_one_call(clock: Clock) -> None:
    @tenure.cache_resource
    def thing(a: int, b: str = "d") -> object:
        return object()

    assert len({id(spelling(thing)) for spelling in SPELLINGS}) == 1
    for clear in SPELLINGS[:-1]:
        thing(1), thing(2)
        clear(thing.clear)
        assert thing.info().entries == 1
    thing.clear(3)
    assert thing.info().entries == 1


def test_k3_extra_arguments(clock: Clock) -> None:
    @tenure.cache_resource
    def thing(*args: object, **kwargs: object) -> object:
        return object()

    assert thing(1, x=2, y=3) is thing(1, y=3, x=2)
    assert thing(1, 2) is not thing((1, 2))
    assert thing(x=1) is not thing(1)
    assert thing() is thing(**{})


WRONG: list[Any] = [
    (lambda f: f(), "'a'"),
    (lambda f: f(1, 2, 3), "too many positional"),
    (lambda f: f(1, a=1), "'a'"),
    (lambda f: f(1, z=1), "'z'"),
    (lambda f: f(1, **{"k": 1, "k ": 2}), "'k '"),
]


@pytest.mark.parametrize(("call", "said"), WRONG)
def test_arguments_that_do_not_fit_are_a_type_error_as_ever(call: Any, said: str) -> None:
    @tenure.cache_resource
    def thing(a: int, b: int = 0, *, k: int = 0) -> object:
        raise AssertionError("must not run")

    def leased(*args: object, **kwargs: object) -> None:
        with thing.lease(*args, **kwargs):
            raise AssertionError("must not be entered")

    def cleared(*args: object, **kwargs: object) -> None:
        # Without any, it would mean all.
        thing.clear(*args, **kwargs) if args or kwargs else thing()

    for use in (thing, leased, cleared):
        with pytest.raises(TypeError, match=said) as raised:
            call(use)
        assert "thing" in str(raised.value)
    assert thing.info().misses == 0


async def _awaited(resource: object = None) -> None:
    """What is awaited once."""


async def _streamed(resource: object) -> AsyncIterator[int]:
    yield 1


class _Awaited:
    async def __call__(self, resource: object) -> None:
        """What is awaited once."""


@pytest.mark.parametrize(
    "func",
    [_awaited, _streamed, _Awaited(), functools.partial(_awaited)],
    ids=["function", "generator", "object", "partial"],
)
def test_async_callbacks_are_refused_where_the_function_is_not(func: Any) -> None:
    for setting in ("validate", "on_release"):
        decorate = tenure.cache_resource(**{setting: func})
        with pytest.raises(TypeError, match=rf"{setting} is an async function and [^ ]+<lambda> is not.*Write `def`"):
            decorate(lambda: 1)
    with pytest.raises(TypeError, match="keep_if cannot be an async function"):
        tenure.cache_resource(keep_if=func)


def test_a_coroutine_that_a_build_returns_is_refused() -> None:
    """Nothing is kept, the next call builds again, and Python has no coroutine to warn of."""
    made: list[object] = []

    @tenure.cache_resource(on_release=made.append)
    def thing() -> object:
        return _awaited()

    for _ in range(2):
        with pytest.raises(TypeError, match="thing returned an object of .*coroutine.*yet to be awaited"):
            thing()
    gc.collect()
    info = thing.info()
    assert (info.misses, info.entries, made) == (2, 0, [])


def test_positional_only_parameters() -> None:
    @tenure.cache_resource
    def thing(a: int, /, b: int = 2, **rest: object) -> object:
        return object()

    assert thing(1) is thing(1, b=2)
    # As in any function, `a` may then be a name among the rest.
    assert thing(1, a=5) is not thing(1)
    with pytest.raises(TypeError, match="thing"):
        thing(a=1)


# --- methods ---


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @tenure.cache_resource
    def till(_self, number: int = 0) -> object:
        """Opens a till."""
        return [_self.name, number]

    @tenure.cache_resource
    def shelf(self, number: int) -> object:
        return [self.name, number]

    @classmethod
    @tenure.cache_resource
    def brand(cls, name: str) -> object:
        return [cls.__name__, name]

    @staticmethod
    @tenure.cache_resource
    def currency(code: str) -> object:
        return [code]

    @tenure.cache_resource
    @classmethod
    def other_brand(cls, name: str) -> object:
        return [cls.__name__, name]

    @tenure.cache_resource
    @staticmethod
    def other_currency(code: str) -> object:
        return [code]

    @property
    @tenure.cache_resource
    def sign(self) -> object:
        return [self.name]


class Kiosk(Shop):
    pass


def test_f4_methods_and_what_they_are_bound_to(clock: Clock) -> None:
    one, two = Shop("one"), Shop("two")
    assert one.till(1) is two.till(1) is one.till(number=1)
    assert one.shelf(1) is one.shelf(1)
    assert one.shelf(1) is not two.shelf(1)
    assert one.sign is one.sign
    assert one.sign is not two.sign
    assert Shop.till(one, 1) is one.till(1)
    assert one.till.__self__ is one
    assert one.till.__func__ is Shop.till
    assert one.till.__name__ == "till"
    assert one.till.__doc__ == "Opens a till."
    assert str(inspect.signature(one.till)) == "(number: 'int' = 0) -> 'object'"
    assert inspect.ismethoddescriptor(Shop.__dict__["till"]) or callable(Shop.__dict__["till"])


def test_f4_class_and_static_methods_on_either_side(clock: Clock) -> None:
    for name in ("brand", "other_brand"):
        assert getattr(Shop, name)("x") == ["Shop", "x"]
        assert getattr(Kiosk, name)("x") == ["Kiosk", "x"]
        assert getattr(Shop, name)("x") is getattr(Shop("one"), name)("x")
    for name in ("currency", "other_currency"):
        assert getattr(Shop, name)("EUR") is getattr(Kiosk("one"), name)("EUR")


def test_f4_clear_through_an_instance(clock: Clock) -> None:
    one, two = Shop("one"), Shop("two")
    for shop in (one, two):
        for number in (1, 2):
            shop.shelf(number)
    assert one.shelf.info().entries == 4
    one.shelf.clear(1)
    assert Shop.shelf.info().entries == 3
    Shop.shelf.clear(two, number=1)
    assert Shop.shelf.info().entries == 2
    one.shelf.clear()
    assert Shop.shelf.info().entries == 0


def test_bound_methods_are_equal_and_hash_as_ordinary_ones() -> None:
    one, two = Shop("one"), Shop("two")
    assert one.till == one.till
    assert one.till != two.till
    assert len({one.till, one.till, two.till}) == 2
    assert one.till != one.shelf
    assert one.till != 1


def test_bound_methods_are_pickled_with_their_instances() -> None:
    till = pickle.loads(pickle.dumps(Shop("one").till))
    assert till.__self__.name == "one"
    assert till.__func__ is Shop.till


def test_decorators_of_others_go_around_it() -> None:
    calls = []

    def counted(func: Any) -> Any:
        @functools.wraps(func)
        def wrapper(*args: object) -> object:
            calls.append(args)
            return func(*args)

        return wrapper

    @counted
    @tenure.cache_resource
    def thing(key: int) -> object:
        return object()

    assert thing(1) is thing(1)
    assert calls == [(1,), (1,)]
    assert functools.partial(module_level, "x")() is module_level("x")


# --- life and death ---


def test_a_function_that_nobody_holds_is_collected(clock: Clock) -> None:
    """Also one in a circle with its own closure, settings and attributes."""

    class Mark:
        pass

    def make() -> weakref.ref[Any]:
        mark = Mark()

        @tenure.cache_resource(validate=lambda it: mark is not None, on_release=lambda it: mark)
        def thing(default: object = mark) -> object:
            return [thing, mark]

        thing.me = thing
        thing.lease()
        return weakref.ref(thing)

    reference = make()
    gc.collect()
    assert reference() is None


def test_a_function_that_goes_takes_the_entries_along_that_no_other_run_could_find(
    clock: Clock, ledger: Ledger
) -> None:
    """Its closure is told apart by identity, so no later run can make an equal one (F6, L1)."""

    def make() -> None:
        @tenure.cache_resource(on_release=ledger.release)
        def thing() -> object:
            return ledger.build()

        thing()

    make()
    gc.collect()
    clock.advance(0)
    assert len(ledger.released) == 1


def test_entries_stay_between_two_runs_of_one_script(clock: Clock) -> None:
    """Nobody holds the function meanwhile (F3)."""
    code = compile(
        "import tenure\n@tenure.cache_resource\ndef thing(): return [1]\nresult = thing()\n", "app.py", "exec"
    )

    def run() -> object:
        module = types.ModuleType("app")
        exec(code, module.__dict__)
        return module.result

    first = run()
    gc.collect()
    clock.advance("1h")
    assert run() is first


def test_instances_are_not_kept_by_their_methods(clock: Clock) -> None:
    shop = Shop("short-lived")
    reference = weakref.ref(shop)
    till = shop.till
    till(5)
    del shop, till
    gc.collect()
    assert reference() is None


def test_neither_calls_nor_failures_leak_references(clock: Clock) -> None:
    class Argument:
        def __init__(self, value: int) -> None:
            self.value = value

    @tenure.cache_resource(max_entries=3)
    def thing(key: object, *args: object, **kwargs: object) -> object:
        if kwargs.get("fail"):
            raise OSError
        return [key]

    def rounds() -> None:
        for number in range(200):
            thing(number % 7, [number], x=str(number))
            thing(Argument(number % 5))
            thing.clear(number % 3)
            for bad in (lambda: thing(), lambda: thing(1, fail=True), lambda: thing(x for x in ())):
                try:
                    bad()
                except (TypeError, OSError):
                    pass
            with thing.lease(number % 2):
                pass
            thing.info()

    rounds()
    gc.collect()
    before = sys.getallocatedblocks()
    rounds()
    gc.collect()
    assert sys.getallocatedblocks() - before < 150


def test_info_of_a_function(clock: Clock) -> None:
    thing = tenure.cache_resource(max_entries=2)(lambda key: clock.advance("1s") or [key])
    for key in (1, 2, 3, 3):
        thing(key)
    info = thing.info()
    assert (info.hits, info.misses, info.builds, info.entries, info.failures) == (1, 3, 3, 2, 0)
    assert info.build_time == pytest.approx(3, abs=0.001)
    assert info.ages == pytest.approx([1, 0], abs=0.001)
    assert releases(thing) == {"evicted": 1}
    assert set(info.releases) == {
        "evicted",
        "expired",
        "cleared",
        "invalid",
        "replaced",
        "session_ended",
        "superseded",
        "orphaned",
        "idle",
        "shutdown",
    }
    assert "builds=3" in repr(info)


@tenure.cache_resource
def kept(*args: object, **kwargs: object) -> object:
    return object()


SHOP = Shop("one")


@pytest.mark.parametrize(
    "hit",
    [
        lambda: kept(),
        lambda: kept("text"),
        lambda: kept("text", 1, 2.5, None, True, b"bytes", (1, "a"), [2], {"key": "value"}),
        lambda: kept(name="text", number=1),
        lambda: kept("text", name="text", options={"a": [1, 2]}),
        lambda: SHOP.till(1),
        lambda: SHOP.shelf(1),
        lambda: SHOP.shelf(number=1),
    ],
    ids=["nothing", "str", "mixed", "keywords", "both", "method", "method with self", "method with keyword"],
)
def test_a_hit_runs_no_python_frame(clock: Clock, hit: Callable[[], object]) -> None:
    frames: list[str] = []

    def profile(frame: types.FrameType, event: str, about: object) -> None:
        if event == "call":
            frames.append(frame.f_code.co_name)

    first = hit()
    assert hit() is first
    # No collection in between, whose callbacks would be frames too.
    gc.disable()
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        again = hit()
    finally:
        sys.setprofile(before)
        gc.enable()
    assert again is first
    assert frames == [hit.__code__.co_name]


def test_threads_that_call_at_once_get_what_each_asked_for(clock: Clock) -> None:
    thing = tenure.cache_resource(max_entries=5)(lambda key, *, also=0: [key, also])

    def work(number: int) -> None:
        for round in range(500):
            key = (number * round) % 11
            assert thing(key)[0] == key
            assert thing(str(key), also=round % 3) == [str(key), round % 3]

    together(8, work)


def test_time_driven_by_hand_is_the_programs_own_again_after(ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda: ledger.build())
    outside = thing()
    with tenure.testing.clock() as clock:
        inside = thing()
        assert inside is not outside
        assert thing.info().builds == 1
        clock.advance("1d")
        with pytest.raises(RuntimeError, match="another clock is in force"):
            tenure.testing.clock().__enter__()
    assert ledger.released == [inside]
    assert releases(thing) == {}
    assert thing() is outside
    with pytest.raises(RuntimeError, match="not in force"):
        clock.advance("1h")
    thing.clear()


def test_time_driven_by_hand_leaves_settings_and_host_as_they_were() -> None:
    host = _native.get_host()
    tenure.configure(drain="1h")
    try:
        with tenure.testing.clock():
            tenure.configure()
            _native.set_host(object())  # type: ignore[arg-type]
        assert _native.get_host() is host
        thing = tenure.cache_resource(lambda: [])
        held = thing()
        thing.clear()
        assert thing.info().draining == 1
        del held
    finally:
        tenure.configure()


def test_many_clocks_leave_nothing_behind() -> None:
    thing = tenure.cache_resource(lambda key: [key])

    def round() -> None:
        with tenure.testing.clock():
            for key in range(20):
                thing(key)

    for _ in range(20):
        round()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(100):
        round()
    gc.collect()
    assert sys.getallocatedblocks() - before < 100


def test_l6_another_interpreter_of_the_process_is_refused_with_the_reason() -> None:
    """Its objects must not reach this one, and its end would be the end of everything that is held."""
    # One that shares the interpreter's lock. Python itself refuses the import in one that does not, and up to 3.13.0
    # crashes at its end where there was one, with the standard library alone.
    program = """
try:
    import _interpreters as interpreters
    other, run = interpreters.create("legacy"), interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    other, run = interpreters.create(isolated=False), interpreters.run_string

run(other, '''
try:
    import tenure
except ImportError as error:
    print(error, flush=True)
''')
interpreters.destroy(other)
import tenure
tenure.cache_resource(lambda: 1)()
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (refusal,) = done.stdout.splitlines()
    assert refusal.startswith("tenure works in the main interpreter only")


def test_a_name_of_other_caches_is_answered_with_what_to_write() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'clear'. Write tenure\.cache_resource\.clear\(\)"):
        tenure.clear()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'cleer'$"):
        tenure.cleer()  # type: ignore[attr-defined]
