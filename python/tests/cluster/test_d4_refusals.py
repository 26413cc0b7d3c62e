"""D4: what cannot go to an actor or come back is refused by name, with what to write."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import types

import pytest
from works import Thing, actors, bare, client, counted, failing, thing, until

import tenure
from tenure.cluster import _adapter, _endings

GATE = threading.Lock()


@tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0}, show_spinner=False)
def guarded_by(name: str, _lock: object) -> Thing:
    return Thing(name)


def test_d4_an_argument_that_cannot_be_pickled_is_named_with_its_function() -> None:
    with pytest.raises(TypeError, match="guarded_by has.*`_lock` cannot: cannot pickle '_thread.lock'.*inside the"):
        guarded_by("pump", threading.Lock())
    assert actors() == []
    it = thing("pump")
    with pytest.raises(TypeError, match=r"argument 1 of `add` cannot be sent to the resource of works\.thing: cannot"):
        it.add(threading.Lock())
    with pytest.raises(TypeError, match="`other` of `add` cannot be sent"):
        it.add(1, other=threading.Lock())
    with pytest.raises(TypeError, match="argument 1 of `count` cannot be sent"):
        list(it.count(threading.Lock()))

    async def main() -> None:
        await (await client("pump")).ask(threading.Lock())

    with pytest.raises(TypeError, match="argument 1 of `ask` cannot be sent"):
        asyncio.run(main())


def test_d4_what_a_function_holds_that_cannot_be_pickled_is_told_with_its_name() -> None:
    def holding(name: str) -> Thing:
        with GATE:
            return Thing(name)

    held = tenure.cache_resource(holding, scope="cluster", show_spinner=False)
    with pytest.raises(TypeError, match="holding cannot be sent to an actor: cannot pickle.*inside the function"):
        held("pump")


def test_d4_an_answer_that_cannot_be_pickled_is_told_with_its_method() -> None:
    it = thing("pump")
    for ask in (it.lock, lambda: asyncio.run(it.locks_late()), lambda: list(it.locks())):
        with pytest.raises(TypeError, match="what `lock.*` gave cannot leave the process.*'_thread.lock'.*the rows"):
            ask()
    with pytest.raises(TypeError, match="what `part` gave cannot leave the process"):
        it.part
    # A TypeError of its own is none of these.
    with pytest.raises(TypeError, match=r"add\(\) missing 1 required positional argument") as caught:
        it.add()
    assert type(caught.value) is TypeError


def test_d4_an_argument_of_a_class_that_is_not_there_is_told_with_its_method(monkeypatch) -> None:
    module = types.ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    exec("class Odd: pass", module.__dict__)
    with pytest.raises(TypeError, match="what `add` was given cannot be read.*only_here.*working_dir"):
        thing("pump").add(module.Odd())
    with pytest.raises(ImportError, match="guarded_by cannot be built in the actor.*only_here.*working_dir"):
        guarded_by("pump", module.Odd())


def test_d4_an_error_of_the_resource_says_where_it_was_raised_in_plain_text() -> None:
    with pytest.raises(Exception, match="a valve") as caught:
        thing("pump").fail()
    [note] = caught.value.__notes__
    assert note.startswith("Raised in an actor of the cluster, in process ")
    assert 'raise Broken("a valve", 7)' in note
    assert "\x1b" not in note
    with pytest.raises(Exception, match="a build") as caught:
        failing("pump")
    [note] = caught.value.__notes__
    assert 'raise Broken("a build", 1)' in note
    assert "\x1b" not in note


def test_d4_what_a_handle_does_not_have_is_refused_with_what_to_write() -> None:
    it = bare("pump")
    with pytest.raises(TypeError, match=r"no __setitem__: works\.Bare has none\. Write it there, or a method"):
        it["a"] = 1
    with pytest.raises(TypeError, match=r"no __delitem__: works\.Bare has none\. Write it there, or a method"):
        del it["a"]
    with pytest.raises(AttributeError, match="_hidden stays with the resource.*Write a method of the resource"):
        it._hidden


def test_d4_a_call_that_waits_for_a_node_says_so(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.setattr(_adapter, "_PLACED", 0.2)
    monkeypatch.setattr(_endings, "_ANSWERS", 0.2)

    @tenure.cache_resource(scope="cluster", ray_options={"resources": {"moon": 1}}, show_spinner=False)
    def far(name: str) -> Thing:
        return Thing(name)

    outcome = []

    def call() -> None:
        try:
            far("pump")
        except tenure.ResourceLost as error:
            outcome.append(error)

    with caplog.at_level(logging.WARNING, "tenure"):
        caller = threading.Thread(target=call)
        caller.start()
        until(lambda: "far waits for a node with {'resources': {'moon': 1}}" in caplog.text)
    until(lambda: far.clear() or not caller.is_alive())
    assert len(outcome) == 1
    assert counted() == {}


ENDS_EARLY = """
import logging
import subprocess
import threading

import ray
ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=80_000_000, logging_level="ERROR")
import tenure
from tenure.cluster import _adapter

_adapter._PLACED = 0.2
waits = threading.Event()


class Told(logging.Handler):
    def emit(self, record):
        print(record.getMessage(), *(record.exc_info or ())[1:2], sep=": ", flush=True)
        waits.set()


logging.getLogger("tenure").addHandler(Told())


@tenure.cache_resource(scope="cluster", ray_options={"resources": {"moon": 1}}, show_spinner=False)
def far():
    return 1


far.warm()
assert waits.wait(60)
"""


def test_d4_a_program_that_ends_while_it_waits_for_a_node_says_that_it_has_left() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS_EARLY], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    waits, *ended = [it for it in done.stdout.splitlines() if it.startswith("far ")]
    assert waits == "far waits for a node with {'resources': {'moon': 1}}: none of the cluster has that free"
    # The program may be gone before Ray has told who waits.
    left = "far could not be built to be warm: far was not built: this program has left the cluster meanwhile"
    assert ended in ([left], [])
