"""L16: a caller waits so long and no longer; the build goes on and is kept."""

from __future__ import annotations

import contextvars
import threading

import pytest

import tenure
from tenure.testing import Clock
from world import LOST, Ledger, TestHost

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


class Slow:
    """A function that takes as long as the test says."""

    def __init__(self, ledger: Ledger, **settings: object) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

        def slow() -> object:
            self.begun.set()
            assert self.go_on.wait(LOST)
            return ledger.build()

        self.cached = tenure.cache_resource(on_release=ledger.release, **settings)(slow)

    def end(self) -> object:
        self.go_on.set()
        while (kept := self.cached.peek()) is None:
            pass
        return kept


def test_l16_the_caller_gets_an_error_that_names_the_function(ledger: Ledger) -> None:
    slow = Slow(ledger, build_timeout=0.05)
    with pytest.raises(tenure.BuildTimeout, match=r"slow was not built within 50ms \(build_timeout\)") as raised:
        slow.cached()
    assert isinstance(raised.value, TimeoutError)
    assert isinstance(raised.value, tenure.TenureError)
    assert slow.begun.is_set()
    kept = slow.end()
    assert slow.cached() is kept
    assert slow.cached.info().builds == 1
    slow.cached.clear()


def test_l16_those_who_wait_for_another_are_bounded_too(clock: Clock, ledger: Ledger) -> None:
    slow = Slow(ledger, build_timeout="1m")
    errors: list[BaseException] = []

    def call() -> None:
        try:
            slow.cached()
        except tenure.BuildTimeout as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    while slow.cached.info().waiting < 4:
        pass
    clock.advance(61)
    for thread in threads:
        thread.join(LOST)
    assert len(errors) == 4
    slow.end()
    assert slow.cached.info().misses == 4


def test_l16_a_build_in_time_is_as_any_other(ledger: Ledger) -> None:
    here: list[threading.Thread] = []

    @tenure.cache_resource(build_timeout="1m")
    def quick(name: str) -> list[str]:
        here.append(threading.current_thread())
        return [name, who.get()]

    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    who.set("ada")
    assert quick("tea") == ["tea", "ada"]
    assert here[0] is not threading.current_thread()
    quick.clear()


def test_l16_a_failure_reaches_the_caller(ledger: Ledger) -> None:
    @tenure.cache_resource(build_timeout="1m")
    def broken() -> object:
        raise OSError("no route")

    for _ in range(2):
        with pytest.raises(OSError, match="no route"):
            broken()
    assert broken.info().failures == 2


def test_l16_a_circle_is_seen_across_the_threads(ledger: Ledger) -> None:
    """C3."""

    @tenure.cache_resource(build_timeout="1m")
    def one() -> object:
        return two()

    @tenure.cache_resource(build_timeout="1m")
    def two() -> object:
        return one()

    with pytest.raises(tenure.CacheCycleError):
        one()


def test_l16_what_a_build_puts_out_is_recorded(host: TestHost) -> None:
    """H4: a host that follows a build to another thread."""

    @tenure.cache_resource(build_timeout="1m")
    def shows() -> object:
        host.put("element")
        return object()

    with host.serving("ada"):
        shows()
        shows()
    assert host.noted("replay") == [["element"]]
    shows.clear()
