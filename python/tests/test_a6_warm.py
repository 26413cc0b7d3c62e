"""A6: what is built in the background before the first user comes, and how it is told of."""

from __future__ import annotations

import io
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import tenure
from tenure import _warming
from tenure.testing import Clock
from world import LOST, Ledger, TestHost

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_a6_each_call_is_built_once_and_is_there_for_the_first_caller(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(lambda name, size=4: ledger.build((name, size)))
    warming = thing.warm(["a", ("b",), ("c", 5), {"name": "d", "size": 6}, ("a", 4)])
    assert not warming.ready()
    assert not tenure.ready()
    clock.advance(0)
    assert warming.wait(0)
    assert tenure.ready()
    assert [it.name for it in ledger.built] == [("a", 4), ("b", 4), ("c", 5), ("d", 6)]
    info = thing.info()
    assert (info.hits, info.misses, info.builds) == (0, 0, 4), "it is no call"
    assert thing("d", 6) is ledger.built[3]


def test_a6_without_arguments_there_is_one_call(clock: Clock, ledger: Ledger) -> None:
    thing = tenure.cache_resource(lambda: ledger.build())
    thing.warm()
    clock.advance(0)
    assert len(ledger.built) == 1


def test_a6_failures_are_logged_and_reported_and_raised_into_nobody(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    @tenure.cache_resource
    def thing(name: str) -> str:
        if name == "bad":
            raise OSError("no route")
        return name

    with caplog.at_level(logging.ERROR, logger="tenure"):
        warming = thing.warm(["good", "bad"])
        clock.advance(0)
    (failed,) = warming.failures
    assert failed.arguments == ("bad",)
    assert isinstance(failed.error, OSError)
    assert "thing could not be built to be warm" in caplog.text
    assert (warming.done, warming.total, warming.ready()) == (2, 2, True)
    assert thing("good") == "good"


def test_a6_a_method_is_warmed_for_its_instance(clock: Clock) -> None:
    class Shop:
        @tenure.cache_resource
        def shelf(_self, what: str) -> list[object]:
            return [_self, what]

    shop = Shop()
    shop.shelf.warm(["tea"])
    clock.advance(0)
    assert shop.shelf.peek("tea") == [shop, "tea"]


def test_a6_no_more_build_at_a_time_than_there_are_workers_and_none_is_skipped(ledger: Ledger) -> None:
    at_a_time = 0
    most = 0
    lock = threading.Lock()

    @tenure.cache_resource
    def thing(number: int) -> int:
        nonlocal at_a_time, most
        with lock:
            at_a_time += 1
            most = max(most, at_a_time)
        barrier.wait(LOST)
        with lock:
            at_a_time -= 1
        return number

    barrier = threading.Barrier(4)
    warming = thing.warm(range(12))
    assert warming.wait(LOST)
    assert warming.failures == ()
    assert most == 4
    thing.clear()


def test_a6_arguments_that_were_changed_since_are_not_built_under_the_old_key(clock: Clock) -> None:
    thing = tenure.cache_resource(lambda names: list(names))
    mine = ["x"]
    warming = thing.warm([(mine,)])
    mine.append("secret")
    clock.advance(0)
    assert len(warming.failures) == 1
    assert thing(["x"]) == ["x"]


def test_a6_a_thread_warms_nothing_for_itself(clock: Clock) -> None:
    """A7."""
    thing = tenure.cache_resource(scope="thread")(lambda: object())
    with pytest.raises(TypeError, match="on another thread"):
        thing.warm()


def test_a6_it_serves_no_session(host: TestHost) -> None:
    session = []
    thing = tenure.cache_resource(lambda: session.append(host.session()))
    with host.serving("ada"):
        assert thing.warm().wait(LOST)
    assert session == [None]
    thing.clear()


def test_a6_an_argument_without_a_key_is_an_error_of_whoever_asked(clock: Clock) -> None:
    thing = tenure.cache_resource(lambda what: what)
    with pytest.raises(tenure.UnhashableParamError, match="what"):
        thing.warm([1, threading.Lock(), 2])
    assert not tenure.ready()
    clock.advance(0)
    assert tenure.ready()
    assert thing.peek(1) == 1


@pytest.mark.parametrize("calls", ["small", b"small", {"name": "small"}, 7], ids=repr)
def test_a6_what_is_no_list_of_calls_is_refused(clock: Clock, calls: Any) -> None:
    @tenure.cache_resource
    def thing(name: str) -> str:
        return name

    with pytest.raises(TypeError, match=r"thing.warm takes a list .* Example: thing.warm\("):
        thing.warm(calls)


def test_a6_an_async_function_needs_a_loop() -> None:
    @tenure.cache_resource
    async def thing() -> None: ...

    with pytest.raises(RuntimeError, match=r"Call thing.warm\(...\) in a task"):
        thing.warm()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a6_a_child_process_warms_nothing_of_its_parents(clock: Clock) -> None:
    tenure.cache_resource(lambda: None).warm()
    child = os.fork()
    if child == 0:
        os._exit(0 if tenure.ready() else 1)
    assert os.waitpid(child, 0)[1] == 0
    clock.advance(0)


# --- tenure run --warm ----------------------------------------------------------------------------


def test_a6_the_command_takes_its_own_option_and_leaves_the_rest() -> None:
    given = ["--warm", "a:b", "app.py", "--server.port", "1", "--warm=c:d", "--", "--warm", "e:f"]
    rest, named = _warming.taken(given)
    assert named == ["a:b", "c:d"]
    assert rest == ["app.py", "--server.port", "1", "--", "--warm", "e:f"]


MODELS = """
import threading
import tenure

@tenure.cache_resource
def model(name):
    if name == "bad":
        raise OSError("no route")
    return [name]

@tenure.cache_resource
def alone():
    return ["alone"]

def load():
    return model.warm(["small", "bad"])

def breaks():
    raise ValueError("not today")

number = 7
begun, may_end, was_ready = threading.Event(), threading.Event(), []

def slow():
    was_ready.append(tenure.ready())
    begun.set()
    assert may_end.wait(60)
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import importlib
    import sys

    (tmp_path / "models_to_warm.py").write_text(MODELS)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sys.modules.pop("models_to_warm", None)
    return importlib.import_module("models_to_warm")


def test_a6_the_server_says_in_the_terminal_what_is_warm(models: Any) -> None:
    to = io.StringIO()
    named = ["models_to_warm:alone", "models_to_warm:load", "models_to_warm:breaks"]
    _warming._run([(name, _warming._function(name)) for name in named], to)
    lines = to.getvalue().splitlines()
    assert lines[0] == "tenure: warming models_to_warm:alone (1 of 3)"
    assert lines[1] == "tenure: warming models_to_warm:load (2 of 3)"
    assert "tenure: models_to_warm:breaks could not be warmed" in lines
    assert "ValueError: not today" in lines
    assert lines[-1].startswith("tenure: warm after ")
    assert lines[-1].endswith(" s, 2 failed")
    assert models.model.peek("small") == ["small"]
    assert models.alone.peek() == ["alone"]


def test_a6_a_server_is_not_ready_before_what_it_warms_has_been_called(models: Any) -> None:
    """A function that takes its time before it says what is to be warm."""
    assert tenure.ready()
    assert _warming.begin(["models_to_warm:slow"], "app.py") is None
    assert not tenure.ready()
    assert models.begun.wait(LOST)
    assert models.was_ready == [False]
    models.may_end.set()
    while not tenure.ready():
        pass


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("models", "write module:function"),
        ("models_to_warm:nothing", "there is no nothing in models_to_warm"),
        ("models_to_warm:number", "number in models_to_warm is no function"),
        ("not_there:load", "No module named 'not_there'"),
    ],
)
def test_a6_a_name_that_cannot_be_called_is_said_before_the_server_starts(models: Any, name: str, said: str) -> None:
    wrong = _warming.begin([name], "app.py")
    assert wrong is not None
    assert wrong.startswith(f"--warm {name}: ")
    assert said in wrong
