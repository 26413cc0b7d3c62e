"""K16: a default that was not passed never makes a call fail, and never changes the key."""

from __future__ import annotations

import contextvars
import functools
import queue
import socket
import sqlite3
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import tenure


class Pool:
    """Something that holds a lock and a connection for each thread, as database engines do."""

    def __init__(self, url: str = "db://here") -> None:
        self.url = url
        self._lock = threading.RLock()
        self._mine = threading.local()


KEYLESS: dict[str, Callable[[], Any]] = {
    "lock": threading.Lock,
    "queue": queue.Queue,
    "socket": socket.socket,
    "pool": Pool,
    "connection": lambda: sqlite3.connect(":memory:"),
    "generator": lambda: (n for n in range(3)),
    "a list of locks": lambda: [threading.Lock()],
    "a partial of a lock": lambda: functools.partial(print, threading.Lock()),
    "a method of a pool": lambda: Pool().__init__,
}


@pytest.fixture(params=KEYLESS)
def keyless(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = KEYLESS[request.param]()
    yield made
    if hasattr(made, "close"):
        made.close()


@pytest.mark.filterwarnings("ignore:.*told apart by its identity")  # Of the second case on.
def test_k16_a_default_without_a_key_is_the_default(keyless: Any) -> None:
    """K16, K3: left out, and passed by hand; beside an argument that counts, and not equal to another object."""

    @tenure.cache_resource
    def build(name: str = "a", it: Any = keyless, *, also: Any = keyless) -> list[Any]:
        return [name, it, also]

    first = build()
    assert first == ["a", keyless, keyless]
    assert build("a") is build("a", keyless) is build(it=keyless) is build(also=keyless, it=keyless) is first
    assert build("b") is not first
    assert build.info().entries == 2
    build.clear("a", keyless)
    assert build() is not first


def test_k16_another_object_without_a_key_is_refused_as_before() -> None:
    """K16, K9: only the default itself is "the default"."""

    @tenure.cache_resource
    def build(lock: Any = threading.Lock()) -> object:  # noqa: B008
        return object()

    build()
    with pytest.raises(tenure.UnhashableParamError, match="lock"):
        build(threading.Lock())
    with pytest.raises(tenure.UnhashableParamError, match="lock"):
        build([build.__wrapped__.__defaults__[0]])


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []


MUTABLE: list[tuple[str, Callable[[], Any], Callable[[Any], Any]]] = [
    ("list", list, lambda it: it.append(1)),
    ("dict", dict, lambda it: it.update({len(it): 1})),
    ("set", set, lambda it: it.add(len(it))),
    ("bytearray", bytearray, lambda it: it.append(1)),
    ("deque", deque, lambda it: it.append(1)),
    ("array", lambda: np.zeros(3), lambda it: np.add(it, 1, out=it)),
    ("object", Log, lambda it: it.lines.append("built")),
    ("namespace", types.SimpleNamespace, lambda it: it.__dict__.update({"n": 1})),
    ("nested", lambda: {"a": [[]]}, lambda it: it["a"][0].append(1)),
    ("a large one", lambda: [list(range(50_000)), "x" * 100_000], lambda it: it[0].append(1)),
]


@pytest.mark.parametrize(("make", "change"), [case[1:] for case in MUTABLE], ids=[case[0] for case in MUTABLE])
def test_k16_a_default_counts_as_what_it_was_when_the_function_was_decorated(
    make: Callable[[], Any], change: Callable[[Any], Any]
) -> None:
    """K16, K3: whatever the body does to it; an equal one is the same call, and a changed one is another."""
    default = make()

    @tenure.cache_resource
    def build(name: str, seen: Any = default) -> object:
        change(seen)
        return object()

    first = build("a")
    assert build("a") is first
    assert build("a", default) is build(seen=default, name="a") is first
    assert build("a", make()) is first
    other = make()
    change(other)
    assert build("a", other) is not first
    assert build("b") is not first
    assert build("a") is first


def test_k16_each_way_to_have_a_default() -> None:
    """K16, F4, F5: methods, keyword-only ones, beside `*rest`, callable objects, partials and wrappers."""
    lock, seen = threading.Lock(), []

    class Holder:
        def __init__(self, name: str) -> None:
            self.name = name

        @tenure.cache_resource
        def method(self, it: Any = lock, *, also: list[int] = seen) -> object:
            also.append(1)
            return object()

        @tenure.cache_resource
        @staticmethod
        def static(it: Any = lock) -> object:
            return object()

        @tenure.cache_resource
        @classmethod
        def of_class(cls, it: Any = lock) -> object:
            return object()

        def __call__(self, it: Any = lock, also: list[int] = seen) -> object:
            also.append(1)
            return object()

    holder = Holder("a")
    assert holder.method() is holder.method(lock) is Holder("a").method(also=seen)
    assert holder.method() is not Holder("b").method()
    assert Holder.static() is Holder.static(lock)
    assert Holder.of_class() is Holder.of_class(lock)

    called = tenure.cache_resource(Holder("b"))
    assert called() is called(lock) is called(also=seen)

    @tenure.cache_resource
    def rest(a: Any, *more: Any, it: Any = lock, **options: Any) -> object:
        return object()

    assert rest(1, 2, x=3) is rest(1, 2, x=3, it=lock)
    assert rest(1, 2, x=3) is not rest(1, 2, x=4)

    def plain(a: Any, it: Any = None, also: Any = ()) -> object:
        return object()

    partial = tenure.cache_resource(functools.partial(plain, it=lock, also=seen))
    assert partial(1) is partial(1, it=lock) is partial(1, also=seen)
    assert partial(1) is not partial(2)

    def with_lock(a: Any, it: Any = lock) -> object:
        return object()

    @tenure.cache_resource
    @functools.wraps(with_lock)
    def wrapper(*args: Any, **kwargs: Any) -> object:
        return with_lock(*args, **kwargs)

    assert wrapper(1) is wrapper(1, lock) is wrapper(a=1, it=lock)


def test_k16_f3_the_same_code_with_the_same_default_is_the_same_function() -> None:
    """K16, F3, F5: also where the default has no key, as an engine from a module has none."""
    pool = Pool()
    alive = []

    def run() -> list[Any]:
        def plain(name: str, it: Any, *, also: Any) -> object:
            return object()

        @tenure.cache_resource
        def by_position(name: str, it: Any = pool) -> object:
            return object()

        @tenure.cache_resource
        def by_name(name: str, *, it: Any = pool) -> object:
            return object()

        partial = tenure.cache_resource(functools.partial(plain, also=pool, it=pool))
        alive.extend([by_position, by_name, partial])
        return [by_position("a"), by_name("a"), partial("a")]

    first = run()
    assert all(one is other for one, other in zip(first, run(), strict=True))
    pool = Pool()
    with pytest.warns(UserWarning, match="`(it|also)`.*told apart by its identity"):
        other = run()
    assert not any(one is another for one, another in zip(first, other, strict=True))


def test_k16_f3_a_lock_that_is_made_anew_at_each_run_tells_no_function_from_another() -> None:
    """K16, F1, F3: nor does one in a queue; what else the queue holds does."""
    held = ["a"]

    def run() -> list[Any]:
        waiting: queue.Queue[str] = queue.Queue()
        waiting.put(held[0])

        @tenure.cache_resource
        def by_position(name: str, lock: Any = threading.Lock(), _also: Any = threading.RLock()) -> object:  # noqa: B008
            return object()

        @tenure.cache_resource
        def by_name(name: str, *, it: Any = waiting, pool: Any = threading.Condition()) -> object:  # noqa: B008
            return object()

        return [by_position("a"), by_name("a")]

    first, second = run(), run()
    assert first[0] is second[0]
    assert first[1] is second[1]
    held[0] = "b"
    third = run()
    assert third[0] is first[0]
    assert third[1] is not first[1]


def test_k16_a_later_assignment_to_the_defaults_changes_nothing_of_the_key() -> None:
    """K16: what counts is what stood there when the function was decorated."""

    def build(name: str = "a", *, size: int = 1) -> tuple[str, int, object]:
        return name, size, object()

    cached = tenure.cache_resource(build)
    first = cached()
    build.__defaults__ = ("b",)
    build.__kwdefaults__ = {"size": 2}
    assert cached() is cached("a", size=1) is first


def test_k16_a_default_left_out_of_the_key_stays_left_out() -> None:
    """K16, K11."""

    @tenure.cache_resource
    def build(name: str, _lock: Any = threading.Lock()) -> object:  # noqa: B008
        return object()

    assert build("a") is build("a", threading.Lock())


def test_k16_k12_a_hash_function_is_asked_at_each_call() -> None:
    """K16, K12: what it makes of an object it may make of the moment too."""
    now = ["ann"]

    class User:
        pass

    @tenure.cache_resource(hash_funcs={User: lambda user: now[0]})
    def build(user: User = User()) -> object:  # noqa: B008
        return object()

    anns = build()
    now[0] = "ben"
    bens = build()
    assert bens is not anns
    assert build(User()) is bens
    now[0] = "ann"
    assert build() is anns


# --- what stands for whoever asks now is no fixed thing -------------------------------------------

_user: contextvars.ContextVar[str] = contextvars.ContextVar("user")


class Forwarding:
    """A proxy as web frameworks have them: it passes for what the context holds, and raises where that is nothing."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return type(_user.get())

    def __getattr__(self, name: str) -> Any:
        return getattr(_user.get(), name)


class Computed(Mapping[str, str]):
    """A mapping whose content is asked of the context, as `st.user` is."""

    def __getitem__(self, name: str) -> str:
        return {"name": _user.get()}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(["name"])

    def __len__(self) -> int:
        return 1


class Context:
    """An object of properties alone, as `st.context` is."""

    @property
    def user(self) -> str:
        return _user.get()


class Local:
    """An object that answers with what a context variable holds, as `werkzeug.local.Local` does."""

    def __init__(self) -> None:
        self.__dict__["storage"] = _user

    def __getattr__(self, name: str) -> Any:
        return getattr(_user.get(), name)


STAND_INS: dict[str, Callable[[], Any]] = {
    "a proxy": Forwarding,
    "a proxy in a list": lambda: [Forwarding()],
    "a proxy in an object": lambda: types.SimpleNamespace(user=Forwarding()),
    "a computed mapping": Computed,
    "properties": Context,
    "a local": Local,
    "threading.local": threading.local,
    "a context variable": lambda: _user,
    "a context variable in a dict": lambda: {"user": _user},
}


def _outcome(call: Callable[[], Any]) -> tuple[str, ...]:
    try:
        return "given", str(id(call()))
    except tenure.UnhashableParamError as error:
        return "refused", str(error)


@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
@pytest.mark.parametrize("make", STAND_INS.values(), ids=STAND_INS)
@pytest.mark.parametrize("decorated_for", [None, "ann"])
def test_k16_k18_what_stands_for_whoever_asks_is_never_the_default(
    make: Callable[[], Any], decorated_for: str | None
) -> None:
    """K16, K18: left out or passed, and wherever it was decorated, it fares as if another had passed it."""
    stands = make()

    def build(user: Any = stands) -> object:
        return object()

    def for_one(name: str | None, call: Callable[[], Any]) -> Any:
        def run() -> Any:
            if name is not None:
                _user.set(name)
            return call()

        return contextvars.Context().run(run)

    cached = for_one(decorated_for, lambda: tenure.cache_resource(build))
    passed = tenure.cache_resource(lambda user: object())
    for name in ("ann", "ben", None):
        left_out = for_one(name, lambda: _outcome(cached))
        by_hand = for_one(name, lambda: _outcome(lambda: cached(stands)))
        other = for_one(name, lambda: _outcome(lambda: passed(stands)))
        assert left_out[0] == by_hand[0] == other[0]


def test_k16_a_weak_proxy_is_read_when_it_is_asked_for() -> None:
    """K16: it stands for what it refers to."""
    log = Log()

    @tenure.cache_resource
    def build(it: Any = weakref.proxy(log)) -> object:  # noqa: B008
        return object()

    first = build()
    log.lines.append("more")
    assert build() is not first
