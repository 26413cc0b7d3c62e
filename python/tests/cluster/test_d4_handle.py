"""D4: the handle looks like the resource where it can, streams, pickles, and refuses the rest in so many words."""

from __future__ import annotations

import asyncio
import pickle

import pytest
import ray
from works import Broken, Refused, Shop, call_until_it_fails, counted, reached, refused, thing, torn_down

import tenure


def test_d4_methods_items_and_attributes() -> None:
    it = thing("pump")
    assert it.add(1, other=2) == 3
    assert it("on") == "pump on"
    assert len(it) == 3
    assert bool(it)
    assert callable(it)
    assert it["a"] == 1
    it["b"] = 2
    assert "b" in it
    assert "c" not in it
    assert list(it) == ["a", "b"]
    assert (it.title, it.kind, it.name) == ("Pump", "thing", "pump")
    assert it.itself() is it
    added = it.add
    assert added(4) == 4
    assert repr(it) == "<handle of works.Thing, the resource of works.thing in the cluster>"


def test_d4_references_are_given_as_what_they_stand_for() -> None:
    assert thing("pump").add(ray.put(5), other=ray.put(6)) == 11


def test_d4_exceptions_are_the_resource_s_own() -> None:
    with pytest.raises(Broken) as caught:
        thing("pump").fail()
    assert type(caught.value) is Broken
    assert caught.value.number == 7
    assert "in fail" in caught.value.__notes__[0]
    with pytest.raises(KeyError):
        thing("pump")["z"]


def test_d4_exceptions_that_pickle_cannot_make_again_are_the_resource_s_own_too() -> None:
    it = thing("pump")
    for call in (
        it.refuses,
        lambda: asyncio.run(it.refuses_later()),
        lambda: list(it.refuses_within()),
        lambda: it.refusal,
        lambda: refused("not there"),
    ):
        with pytest.raises(Refused) as caught:
            call()
        assert (str(caught.value), caught.value.code) == ("404: not there", 404)
        # What cannot leave its process has stayed there.
        assert not hasattr(caught.value, "part")
        assert "Raised in an actor of the cluster" in caught.value.__notes__[0]
    with pytest.raises(ExceptionGroup) as group:
        it.fails_together()
    assert [type(error) for error in group.value.exceptions] == [ValueError, KeyError]


def test_d4_generators_stream() -> None:
    it = thing("pump")
    assert list(it.count(40)) == list(range(40))
    reached("counted pump", 1)


def test_d4_a_stream_that_is_left_ends_there() -> None:
    stream = thing("pump").count(10**9)
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    stream.close()
    reached("counted pump")
    # Nothing of it holds the resource.
    thing.clear()
    reached("released pump: cleared")


def test_d4_coroutine_methods_are_awaited() -> None:
    it = thing("pump")

    async def main() -> tuple[int, list[int]]:
        return await it.doubled(4), [tick async for tick in it.ticks(3)]

    assert asyncio.run(main()) == (8, [0, 1, 2])


def test_d4_a_handle_of_a_blocking_function_blocks_under_a_loop_too() -> None:
    async def main() -> int:
        return thing("pump").add(2)

    assert asyncio.run(main()) == 2


def test_d4_what_cannot_be_remote_is_refused_with_what_to_write() -> None:
    it = thing("pump")
    with pytest.raises(TypeError, match="has no __enter__.*enter=True"), it:
        pass
    with pytest.raises(AttributeError, match="name cannot be set on a handle.*Write a method"):
        it.name = "valve"
    with pytest.raises(AttributeError, match="name cannot be deleted on a handle"):
        del it.name
    with pytest.raises(AttributeError, match="_hidden stays with the resource"):
        it._hidden  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        it.missing  # noqa: B018
    with pytest.raises(TypeError, match="counter has returned a generator.*yield from"):
        it.counter()
    with pytest.raises(TypeError, match="pickle"):
        it.lock()
    with (
        pytest.raises(TypeError, match=r"a lease here would hold its handle.*Write `works.thing\(\.\.\.\)`"),
        thing.lease("pump"),
    ):
        pass
    assert it.add(1) == 1


@ray.remote(num_cpus=0)
def used(handle) -> tuple[int, object]:
    return handle.add(1), handle


def test_d4_handles_are_passed_to_tasks_and_back() -> None:
    it = thing("pump")
    number, back = ray.get(used.remote(it))
    assert number == 1
    assert back.add(2) == 2
    assert pickle.loads(pickle.dumps(it)).process() == it.process()
    assert counted()["built pump"] == 1


def test_d4_a_passed_handle_says_when_its_resource_has_ended() -> None:
    back = pickle.loads(pickle.dumps(thing("pump")))
    thing.clear()
    for _ in range(2):
        with pytest.raises(tenure.ResourceLost, match="has ended.*came from another process.*Call works.thing"):
            call_until_it_fails(back)


def test_d4_what_is_entered_or_yielded_is_torn_down_there() -> None:
    assert torn_down("pump").add(1) == 1
    torn_down.clear()
    reached("torn down pump")


def test_d4_methods_keep_their_own_keys() -> None:
    assert Shop().thing("pump").process() == Shop().thing("pump").process()
    Shop.thing.clear()
