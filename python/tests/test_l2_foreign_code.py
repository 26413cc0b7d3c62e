"""L2: code of the program never runs under a lock: slow, it delays nobody else; re-entrant, it hangs nothing."""

from __future__ import annotations

import threading

import pytest

import tenure
from tenure.testing import Clock
from world import Job, Ledger, TestHost, together, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Gate:
    """Blocks who comes in until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def pass_through(self) -> None:
        self.reached.set()
        wait(self.opened)


def test_l2_a_release_that_blocks_delays_nobody(clock: Clock, ledger: Ledger) -> None:
    gate = Gate()

    def release(thing: object) -> None:
        gate.pass_through()

    @tenure.cache_resource(on_release=release)
    def thing(key: int) -> object:
        return ledger.build(key)

    other = thing(2)
    thing(1)
    clearing = Job(lambda: thing.clear(1))
    wait(gate.reached)
    # Hits and misses of the same function, the cleared key too, while the callback blocks.
    assert thing(2) is other
    assert thing(1).number == 2
    assert thing(3).number == 3
    assert thing.info().entries == 3
    gate.opened.set()
    clearing.result()


def test_l2_a_release_on_the_background_thread_that_blocks_delays_no_other_release() -> None:
    gate, other = Gate(), threading.Event()
    slow = tenure.cache_resource(ttl="10ms", on_release=lambda _: gate.pass_through())(lambda: object())
    quick = tenure.cache_resource(ttl="20ms", on_release=lambda _: other.set())(lambda: object())
    slow()
    quick()
    wait(gate.reached)
    wait(other)
    gate.opened.set()


def test_l2_a_check_that_blocks_delays_no_other_key(clock: Clock, ledger: Ledger) -> None:
    gate = Gate()

    def validate(thing: object) -> bool:
        if thing.name == 1:
            gate.pass_through()
        return True

    @tenure.cache_resource(validate=validate)
    def thing(key: int) -> object:
        return ledger.build(key)

    one, two = thing(1), thing(2)
    asking = Job(lambda: thing(1))
    wait(gate.reached)
    assert thing(2) is two
    thing.clear(2)
    assert thing(2) is not two
    gate.opened.set()
    assert asking.result() is one


def test_l2_a_build_that_blocks_delays_no_other_key(clock: Clock, ledger: Ledger) -> None:
    gate = Gate()

    @tenure.cache_resource
    def thing(key: int) -> object:
        if key == 1:
            gate.pass_through()
        return ledger.build(key)

    building = Job(lambda: thing(1))
    wait(gate.reached)
    assert thing(2) is thing(2)
    thing.clear(2)
    gate.opened.set()
    assert building.result().name == 1


@tenure.cache_resource
def neighbour() -> object:
    return object()


def others_go_on(thing: object) -> None:
    """Another key and another function are hit, missed, cleared and counted, on a thread of their own."""

    def use() -> None:
        for call in (lambda: thing("other"), neighbour):
            assert call() is call()
        thing.clear("other")
        neighbour.clear()
        thing.info()
        tenure.cache_resource(lambda: object())()

    Job(use).result()


class Key:
    pass


def test_l2_a_hash_function_that_blocks_delays_nobody(clock: Clock) -> None:
    gate = Gate()

    def hash_key(key: Key) -> str:
        gate.pass_through()
        return "key"

    thing = tenure.cache_resource(hash_funcs={Key: hash_key})(lambda key: object())
    calling = Job(lambda: thing(Key()))
    wait(gate.reached)
    others_go_on(thing)
    gate.opened.set()
    assert calling.result() is thing(Key())


def test_l2_a_reduction_that_blocks_delays_nobody(clock: Clock) -> None:
    gate = Gate()

    class Reduced:
        def __reduce__(self) -> tuple[object, ...]:
            gate.pass_through()
            return (Reduced, ())

    thing = tenure.cache_resource(lambda key: object())
    calling = Job(lambda: thing([Reduced()]))
    wait(gate.reached)
    others_go_on(thing)
    gate.opened.set()
    assert calling.result() is thing([Reduced()])


@pytest.mark.parametrize("way", ["clear", "eviction", "expiry", "check"])
def test_l2_a_destructor_that_blocks_delays_nobody(clock: Clock, way: str) -> None:
    gate = Gate()

    class Closes:
        is_good = True

        def __del__(self) -> None:
            gate.pass_through()

    @tenure.cache_resource(max_entries=1 if way == "eviction" else None, ttl="1h", validate=lambda it: it.is_good)
    def thing(key: str) -> object:
        return Closes() if key == "closes" else Open()

    class Open:
        is_good = True

    ways = {
        "clear": lambda: thing.clear("closes"),
        "eviction": lambda: thing("next") and None,
        "expiry": lambda: clock.advance("1h"),
        "check": lambda: thing("closes") and None,
    }
    thing("closes")
    Closes.is_good = way != "check"
    closing = Job(ways[way])
    wait(gate.reached)
    others_go_on(thing)
    gate.opened.set()
    closing.result()


def test_l2_every_callback_may_use_the_cache(clock: Clock, ledger: Ledger) -> None:
    """The check, the release, the build and the hash function each call, clear and look, and nothing hangs."""

    def use() -> None:
        other(0)
        other.clear(0)
        other.clear()
        other.info()
        thing.info()
        thing.clear(99)
        tenure.configure()

    @tenure.cache_resource
    def other(key: int) -> object:
        return object()

    def release(thing: object) -> None:
        use()
        ledger.release(thing)

    def validate(thing: object) -> bool:
        use()
        return thing.number != 0

    class Key:
        def __init__(self, value: int) -> None:
            self.value = value

    def hash_key(key: Key) -> int:
        use()
        return key.value

    @tenure.cache_resource(validate=validate, on_release=release, hash_funcs={Key: hash_key}, max_entries=2)
    def thing(key: object) -> object:
        use()
        return ledger.build(key)

    def calls() -> None:
        first = thing(Key(1))
        assert thing(Key(1)) is not first  # turned down by the check
        thing(Key(2))
        thing(Key(3))  # pushes one out
        thing.clear(Key(3))
        thing.clear()

    Job(calls).result()
    assert len(ledger.released) == len(ledger.built) == 4


def test_l2_a_release_may_ask_for_what_is_being_released(clock: Clock, ledger: Ledger) -> None:
    again = []

    def release(it: object) -> None:
        ledger.release(it)
        if not again:
            again.append(None)
            again.append(thing())

    @tenure.cache_resource(on_release=release, ttl="1m")
    def thing() -> object:
        return ledger.build()

    thing()
    Job(thing.clear).result()
    assert again[1] is thing()
    assert again[1].number == 1

    again.clear()
    clock.advance("1m")  # now an expiry, on this thread
    assert thing().number == 2


def test_l2_destructors_may_use_the_cache(clock: Clock) -> None:
    gone = []

    class Closes:
        def __del__(self) -> None:
            gone.append(other())
            thing.info()
            thing.clear()

    other = tenure.cache_resource(lambda: object())
    thing = tenure.cache_resource(max_entries=1)(lambda key: Closes())

    def calls() -> None:
        thing(1)
        thing(2)
        thing.clear()

    Job(calls).result()
    assert gone == [other(), other()]


def test_l2_the_host_may_use_the_cache(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    inner = tenure.cache_resource(lambda: ledger.build("inner"))

    class Reentrant(TestHost):
        def begin(self, func: object, text: str | None, show_time: bool, allow_widgets: bool) -> None:
            if getattr(func, "__name__", "") == "outer_thing":
                inner()
                inner.clear()

    def outer_thing() -> object:
        return ledger.build("outer")

    outer = tenure.cache_resource(outer_thing)
    tenure._native.set_host(Reentrant())
    Job(outer).result()
    assert [thing.name for thing in ledger.built] == ["inner", "outer"]


def test_l2_threads_that_release_and_build_at_once_do_not_hang(clock: Clock, ledger: Ledger) -> None:
    def release(it: object) -> None:
        ledger.release(it)
        neighbour(it.name)

    neighbour = tenure.cache_resource(max_entries=1)(lambda key: ledger.build("neighbour"))
    thing = tenure.cache_resource(max_entries=1, on_release=release)(lambda key: ledger.build(key))

    def work(number: int) -> None:
        for round in range(50):
            thing((number + round) % 3)

    together(6, work)
