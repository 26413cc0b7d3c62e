"""L3: an `on_release` that raises is logged, counted, and stops no other; what is no `Exception` reaches the caller."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import Job, Ledger, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def failing(ledger: Ledger, error: BaseException) -> object:
    def release(it: object) -> None:
        ledger.release(it)
        if len(ledger.released) == 1:
            raise error

    @tenure.cache_resource(on_release=release, max_entries=3, ttl="1h")
    def connection_pool(key: int) -> object:
        return ledger.build(key)

    for key in (1, 2, 3):
        connection_pool(key)
    return connection_pool


@pytest.mark.parametrize("how", ["clear", "clear all", "evict", "expire", "shutdown"])
def test_l3_a_failing_release_reaches_no_caller_and_stops_no_other(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    error = OSError("the server is gone")
    pool = failing(ledger, error)
    with caplog.at_level(logging.ERROR, "tenure"):
        match how:
            case "clear":
                pool.clear()
            case "clear all":
                tenure.cache_resource.clear()
            case "evict":
                assert pool(4).name == 4
            case "expire":
                clock.advance("1h")
            case "shutdown":
                assert _native.shutdown()
    assert ledger.names() == ([1] if how == "evict" else [1, 2, 3] if how == "expire" else [3, 2, 1])
    assert pool.info().release_failures == 1
    assert sum(releases(pool).values()) == len(ledger.released)
    (record,) = [record for record in caplog.records if record.name == "tenure"]
    assert record.levelno == logging.ERROR
    assert "connection_pool" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    # The traceback leads into the callback.
    assert record.exc_info[2] is not None
    assert record.exc_info[2].tb_frame.f_code.co_name == "release"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler, which it does not set where a shell in the background has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("how", ["clear", "evict"])
def test_l3_a_ctrl_c_during_a_callback_reaches_the_program_after_the_releases(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """It is not the callback's own, so it is not lost; and it cuts no other callback short."""
    raises = 3 if how == "clear" else 1

    def release(it: object) -> None:
        if it.name == raises:
            signal.raise_signal(signal.SIGINT)
        ledger.release(it)

    @tenure.cache_resource(on_release=release, max_entries=3)
    def pool(key: int) -> object:
        return ledger.build(key)

    for key in (1, 2, 3):
        pool(key)

    def end() -> None:
        if how == "clear":
            pool.clear()
        else:
            pool(4)
        for _ in range(1_000_000):  # the interpreter looks for signals now and then
            pass

    with pytest.raises(KeyboardInterrupt):
        end()
    assert pool.info().release_failures == 1
    assert ledger.names() == ([2, 1] if how == "clear" else [])
    assert sum(releases(pool).values()) == (3 if how == "clear" else 1)
    (record,) = [record for record in caplog.records if record.name == "tenure"]
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyboardInterrupt


NO_EXCEPTIONS = [SystemExit(3), GeneratorExit(), asyncio.CancelledError(), KeyboardInterrupt()]


@pytest.mark.parametrize("error", NO_EXCEPTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("how", ["clear", "clear all", "clear one", "discard", "evict", "lease", "shutdown"])
def test_l3_what_is_no_exception_is_raised_in_the_caller_after_the_other_releases(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture, how: str, error: BaseException
) -> None:
    pool = failing(ledger, error)

    def end() -> None:
        match how:
            case "clear":
                pool.clear()
            case "clear all":
                tenure.cache_resource.clear()
            case "clear one":
                pool.clear(1)
            case "discard":
                pool.discard(pool(1))
            case "evict":
                pool(4)
            case "lease":
                with pool.lease(4):
                    raise AssertionError("the block does not begin")
            case "shutdown":
                tenure.shutdown()

    with caplog.at_level(logging.ERROR, "tenure"), pytest.raises(type(error)) as raised:
        end()
    assert raised.value is error
    assert ledger.names() == ([3, 2, 1] if how in ("clear", "clear all", "shutdown") else [1])
    assert pool.info().release_failures == 1
    (record,) = [record for record in caplog.records if record.name == "tenure"]
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    # It comes once, and what was built before it came is kept.
    assert pool(4) is pool(4)
    assert [thing.name for thing in ledger.built].count(4) == 1


def test_l3_what_is_no_exception_reaches_no_later_call_where_nobody_led_to_the_release(
    clock: Clock, ledger: Ledger
) -> None:
    pool = failing(ledger, SystemExit(3))
    clock.advance("1h")
    assert ledger.names() == [1, 2, 3]
    assert pool.info().release_failures == 1
    pool(4)
    pool.clear()


def test_l3_what_is_no_exception_goes_to_the_innermost_call(clock: Clock, ledger: Ledger) -> None:
    """A callback that clears is the caller of that clear, and may deal with what it raises."""
    pool = failing(ledger, SystemExit(3))
    seen: list[BaseException] = []

    def release(_: object) -> None:
        try:
            pool.clear()
        except SystemExit as error:
            seen.append(error)

    @tenure.cache_resource(on_release=release)
    def other() -> list[int]:
        return [7]

    other()
    other.clear()
    assert len(seen) == 1
    assert other.info().release_failures == 0


@pytest.mark.skipif(not hasattr(signal, "SIGTERM"), reason="sends a signal")
def test_l3_a_handler_that_ends_the_program_during_a_callback_ends_it(clock: Clock, ledger: Ledger) -> None:
    def release(it: object) -> None:
        if it.name == 3:
            signal.raise_signal(signal.SIGTERM)
        ledger.release(it)

    @tenure.cache_resource(on_release=release)
    def pool(key: int) -> object:
        return ledger.build(key)

    for key in (1, 2, 3):
        pool(key)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    try:
        with pytest.raises(SystemExit) as raised:
            pool.clear()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert raised.value.code == 7
    assert ledger.names() == [2, 1]


def test_l3_a_ctrl_c_that_another_thread_makes_up_stays_there(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    pool = failing(ledger, KeyboardInterrupt())
    assert isinstance(Job(pool.clear).error(), KeyboardInterrupt)
    for _ in range(1_000_000):
        pass
    assert ledger.names() == [3, 2, 1]
    assert pool.info().release_failures == 1


def test_l3_a_destructor_that_raises_reaches_no_caller(clock: Clock) -> None:
    class Breaks:
        def __del__(self) -> None:
            raise OSError("in a destructor")

    thing = tenure.cache_resource(Breaks)
    thing()
    with Unraisable() as seen:
        thing.clear()
    assert [type(it.exc_value) for it in seen] == [OSError]
    assert releases(thing) == {"cleared": 1}


class Unraisable:
    """Takes what Python reports of destructors."""

    def __enter__(self) -> list[object]:
        self.before, seen = sys.unraisablehook, []
        sys.unraisablehook = seen.append
        return seen

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self.before
