"""L3: an `on_release` that raises is logged, counted, and reaches nobody."""

from __future__ import annotations

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
        if it.name == 1:
            raise error

    @tenure.cache_resource(on_release=release, max_entries=3, ttl="1h")
    def connection_pool(key: int) -> object:
        return ledger.build(key)

    for key in (1, 2, 3):
        connection_pool(key)
    return connection_pool


@pytest.mark.parametrize("error", [OSError("the server is gone"), SystemExit(3), GeneratorExit()])
@pytest.mark.parametrize("how", ["clear", "clear all", "evict", "expire", "shutdown"])
def test_l3_a_failing_release_reaches_no_caller_and_stops_no_other(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture, how: str, error: BaseException
) -> None:
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
    assert ledger.names() == ([1] if how == "evict" else [3, 2, 1] if how == "shutdown" else [1, 2, 3])
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

    def release(it: object) -> None:
        if it.name == 1:
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
    assert ledger.names() == ([2, 3] if how == "clear" else [])
    assert sum(releases(pool).values()) == (3 if how == "clear" else 1)
    (record,) = [record for record in caplog.records if record.name == "tenure"]
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyboardInterrupt


def test_l3_a_ctrl_c_that_another_thread_makes_up_stays_there(
    clock: Clock, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    pool = failing(ledger, KeyboardInterrupt())
    Job(pool.clear).result()
    for _ in range(1_000_000):
        pass
    assert ledger.names() == [1, 2, 3]
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
