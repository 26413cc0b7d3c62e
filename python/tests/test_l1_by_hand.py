"""L1: entries that are looked at, and cleared by what they are: `f.peek(...)` and `f.clear_if(...)`."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tenure
from tenure.testing import Clock
from test_l7_fork import run
from world import Job, Ledger, Recording, TestHost, releases, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Store:
    @tenure.cache_resource
    def table(_self: object, name: str) -> list[str]:
        return [name]


# --- peek ---


def test_l1_a_peek_gives_what_is_kept_and_builds_nothing(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key, size=4: ledger.build(key))
    assert thing.peek("a") is None
    kept = thing("a")
    assert thing.peek("a") is thing.peek(size=4, key="a") is kept
    assert thing.peek("b") is None
    thing.clear("a")
    assert thing.peek("a") is None
    assert ledger.names() == ["a"]
    assert thing.info().builds == 1


def test_v1_a_peek_counts_neither_as_a_hit_nor_as_a_miss(clock: Clock) -> None:
    thing = tenure.cache_resource(lambda key: [key])
    thing.peek("a")
    thing("a")
    for _ in range(20):
        thing("a")  # the entry is found by the shortest way from now on
        thing.peek("a")
    info = thing.info()
    assert (info.hits, info.misses, info.builds) == (20, 1, 1)


def test_l4_a_peek_does_not_show_what_has_expired(clock: Clock) -> None:
    thing = tenure.cache_resource(ttl="1m")(lambda: object())
    kept = thing()
    clock.advance("59s")
    assert thing.peek() is kept
    clock.advance("1s")
    assert thing.peek() is None
    assert releases(thing) == {"expired": 1}


def test_l9_a_peek_asks_no_check(clock: Clock) -> None:
    asked: list[object] = []

    def validate(it: object) -> bool:
        asked.append(it)
        return False

    thing = tenure.cache_resource(validate=validate)(lambda: [])
    kept = thing()
    assert thing.peek() is kept
    assert asked == []


def test_c1_a_peek_waits_for_no_build(clock: Clock, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource
    def thing() -> object:
        began.set()
        wait(go_on)
        return ledger.build()

    job = Job(thing)
    wait(began)
    assert thing.peek() is None
    assert thing.info().waiting == 0
    go_on.set()
    assert job.result() is thing.peek()


def test_c3_a_build_may_peek_at_its_own_entry(clock: Clock) -> None:
    seen: list[object] = []

    @tenure.cache_resource
    def thing() -> object:
        seen.append(thing.peek())
        return object()

    assert thing() is thing.peek()
    assert seen == [None]


def test_l5_a_peek_holds_nothing_by_itself(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(drain="1h", on_release=ledger.release)(lambda: ledger.build())
    thing()
    ledger.built.clear()
    assert thing.peek() is not None
    gc.collect()
    thing.clear()
    clock.advance("1s")
    assert len(ledger.released) == 1


def test_s2_s3_a_peek_sees_its_own_session_and_needs_one(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(scope="session")(lambda: ledger.build())
    with host.serving("ada"):
        hers = thing()
        assert thing.peek() is hers
    with host.serving("bob"):
        assert thing.peek() is None
    with pytest.raises(tenure.ScopeError, match="session"):
        thing.peek()


def test_h4_a_peek_puts_nothing_out_again(clock: Clock, host: TestHost) -> None:
    @tenure.cache_resource
    def thing() -> list[int]:
        host.put("a picture")
        return []

    kept = thing()
    host.notes.clear()
    assert thing.peek() is kept
    assert host.notes == []


def test_h5_a_peek_sees_the_entry_of_the_present_inputs(clock: Clock, host: TestHost) -> None:
    slider = [3]
    recording = Recording("a slider")
    recording.observed = ["slider"]  # type: ignore[assignment]
    host.taken = lambda: [recording]  # type: ignore[method-assign]
    host.observe = lambda inputs: list(slider)  # type: ignore[method-assign]

    class Observing:
        def show(self) -> None: ...
        def end(self, ok: bool) -> Recording:
            return recording

    host.begin = lambda *_: Observing()  # type: ignore[method-assign,assignment]
    thing = tenure.cache_resource(experimental_allow_widgets=True)(lambda: list(slider))
    three = thing()
    slider[0] = 5
    assert thing.peek() is None
    five = thing()
    assert thing.peek() is five == [5]
    slider[0] = 3
    assert thing.peek() is three == [3]


def test_f4_a_method_peeks_for_its_instance(clock: Clock) -> None:
    store = Store()
    assert store.table.peek("users") is None
    users = store.table("users")
    assert store.table.peek("users") is store.table.peek(name="users") is users
    assert Store.table.peek(store, "users") is users


def test_k3_what_is_left_out_of_the_key_may_be_left_out_of_a_peek(clock: Clock) -> None:
    thing = tenure.cache_resource(lambda url, _connection: [url])
    kept = thing("a.db", object())
    assert thing.peek("a.db", object()) is thing.peek("a.db") is kept


def test_k9_a_peek_refuses_what_a_call_refuses(clock: Clock) -> None:
    thing = tenure.cache_resource(lambda key: [])
    with pytest.raises(tenure.UnhashableParamError, match="key"):
        thing.peek(threading.Lock())
    with pytest.raises(TypeError, match="missing a required argument: 'key'"):
        thing.peek()


# --- clear_if ---


def test_l1_those_that_are_meant_are_cleared_and_no_others(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    for key in range(5):
        thing(key)
    assert thing.clear_if(lambda it, info: it.name % 2 == 1) == 2
    assert ledger.names() == [3, 1]
    assert releases(thing) == {"cleared": 2}
    assert thing.clear_if(lambda it, info: it.name % 2 == 1) == 0
    assert thing.info().entries == 3
    assert thing(0) is ledger.built[0]


def test_v1_the_predicate_is_told_age_and_hits(clock: Clock) -> None:
    thing = tenure.cache_resource(lambda key: [key])
    thing("old")
    clock.advance("90s")
    for _ in range(12):
        thing("busy")
    told: dict[str, tuple[int, int]] = {}
    infos: list[tenure.EntryInfo] = []

    def note(it: list[str], info: tenure.EntryInfo) -> bool:
        told[it[0]] = (round(info.age), info.hits)
        infos.append(info)
        return info.age > 60

    assert thing.clear_if(note) == 1
    assert told == {"old": (90, 0), "busy": (0, 11)}
    assert thing.peek("old") is None
    assert thing.peek("busy") is not None
    assert repr(infos[0]) == f"EntryInfo(age={infos[0].age}, hits=0)"
    assert isinstance(infos[0], tenure.EntryInfo)


def test_l2_the_predicate_may_use_the_cache(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    for key in range(3):
        thing(key)

    def meant(it: Any, info: object) -> bool:
        assert thing.peek(it.name) is thing(it.name) is it
        thing(it.name + 10)  # an entry more, of which it is not asked
        thing.info()
        return it.name == 1

    assert Job(lambda: thing.clear_if(meant)).result() == 1
    assert thing.info().entries == 5


def test_l2_a_predicate_that_blocks_delays_nobody(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    thing(1)
    asked, go_on = threading.Event(), threading.Event()

    def meant(it: object, info: object) -> bool:
        asked.set()
        wait(go_on)
        return True

    job = Job(lambda: thing.clear_if(meant))
    wait(asked)
    kept = thing(1)
    assert thing(2) is thing(2)
    thing.clear(2)
    assert ledger.names() == [2]
    go_on.set()
    assert job.result() == 1
    assert ledger.released[1] is kept


def test_l1_what_the_predicate_clears_itself_is_not_counted_twice(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    for key in range(3):
        thing(key)

    def meant(it: object, info: object) -> bool:
        thing.clear()
        return True

    assert thing.clear_if(meant) == 0
    assert sorted(ledger.names(), key=str) == [0, 1, 2]
    assert releases(thing) == {"cleared": 3}


@pytest.mark.parametrize("error", [OSError("no answer"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_l2_what_the_predicate_raises_reaches_the_caller(clock: Clock, ledger: Ledger, error: BaseException) -> None:
    thing = tenure.cache_resource(on_release=ledger.release)(lambda key: ledger.build(key))
    for key in range(4):
        thing(key)
    asked: list[object] = []

    def meant(it: Any, info: object) -> bool:
        asked.append(it.name)
        if it.name == 2:
            raise error
        return it.name == 1

    with pytest.raises(type(error)) as raised:
        thing.clear_if(meant)
    assert raised.value is error
    assert asked == [0, 1, 2]
    assert ledger.names() == [1]
    assert thing.info().entries == 3


@pytest.mark.parametrize("verdict", [None, 1, 0, "yes", [], object()])
def test_l9_a_predicate_that_gives_no_boolean_is_an_error(clock: Clock, verdict: object) -> None:
    @tenure.cache_resource
    def connect() -> list[int]:
        return []

    connect()
    said = rf"predicate of \S*connect\.clear_if must return True or False, not .*{type(verdict).__name__}"
    with pytest.raises(TypeError, match=said):
        connect.clear_if(lambda it, info: verdict)  # type: ignore[arg-type,return-value]
    assert connect.info().entries == 1


@pytest.mark.parametrize("given", [None, "a.db", 3])
def test_l11_what_is_no_predicate_is_refused_with_what_to_write(clock: Clock, given: object) -> None:
    @tenure.cache_resource
    def connect(url: str) -> list[str]:
        return [url]

    kept = connect("a.db")
    with pytest.raises(TypeError, match=r"connect\.clear_if takes a function .*info\.age.*connect\.clear\(\.\.\.\)"):
        connect.clear_if(given)  # type: ignore[arg-type]
    assert connect("a.db") is kept


def test_l5_what_is_cleared_this_way_is_drained_too(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(drain="10s", on_release=ledger.release)(lambda: ledger.build())
    kept = thing()
    assert thing.clear_if(lambda it, info: True) == 1
    assert kept.is_open
    clock.advance("10s")
    assert not kept.is_open


def test_s2_s3_only_the_present_sessions_entries_are_asked_of(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(scope="session")(lambda: ledger.build())
    with host.serving("ada"):
        hers = thing()
    with host.serving("bob"):
        his = thing()
        assert thing.clear_if(lambda it, info: it is hers) == 0
        assert thing.clear_if(lambda it, info: it is his) == 1
    with host.serving("cleo"):
        assert thing.clear_if(lambda it, info: True) == 0
    with pytest.raises(tenure.ScopeError, match="session"):
        thing.clear_if(lambda it, info: True)
    with host.serving("ada"):
        assert thing.peek() is hers


def test_f4_a_method_clears_over_all_its_instances(clock: Clock) -> None:
    one, other = Store(), Store()
    one.table("a"), other.table("b")
    assert one.table.clear_if(lambda it, info: it in (["a"], ["b"])) == 2


def test_f5_what_is_decorated_hides_none_of_these(clock: Clock) -> None:
    class Busy:
        def __call__(self) -> list[str]:
            return ["busy"]

        def clear_if(self) -> None:
            raise AssertionError("not the cache's")

        peek = clear_if

    busy = Busy()
    vars(busy).update(peek=None)
    for cached in (tenure.cache_resource(busy), tenure.cache_resource(Busy)):
        kept = cached()
        assert cached.peek() is kept
        assert cached.clear_if(lambda it, info: True) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_l7_a_predicate_that_forks(tmp_path: Path) -> None:
    """The child has cleared nothing of its own, and leaves alone what its parent holds."""
    notes = run(
        tmp_path,
        """
thing("a"), thing("b")
children = []

def meant(it, info):
    if not children:
        children.append(os.fork())
    return True

cleared = thing.clear_if(meant)
note("has cleared", cleared)
if children[0] == 0:
    sys.exit(0)
assert os.waitpid(children[0], 0)[1] == 0
""",
    )
    assert [note for note in notes if note.startswith("child")] == ["child has cleared 0"]
    assert [note for note in notes if note.startswith("parent")][2:] == [
        "parent releases b of parent",
        "parent releases a of parent",
        "parent has cleared 2",
    ]


def test_neither_looking_nor_clearing_leaks_references(clock: Clock) -> None:
    resource = object()
    thing = tenure.cache_resource(lambda key: (resource, key)[0])
    predicate: Callable[[object, object], bool] = lambda it, info: True  # noqa: E731
    counts = []
    for _ in range(3):
        for key in range(50):
            thing(key)
            thing.peek(key)
        assert thing.clear_if(predicate) == 50
        counts.append(sys.getrefcount(resource))
    assert counts[0] == counts[1] == counts[2]
