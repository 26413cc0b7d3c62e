"""V2 in a fleet: an inspector shows the members, and what it ends ends in all of them."""

from __future__ import annotations

import signal

import pytest
from fleet_world import Line, World, await_true


def numbers(member: Line, function: str) -> list[str]:
    entries = member.do("inspected")["entries"]
    return [it["number"] for it in entries if it["label"].rpartition(".")[2] == function]


def test_v2_what_an_inspector_ends_ends_in_all_members(world: World) -> None:
    one, two = world.join(2)
    world.all_serve(0, 0)
    (entry,) = numbers(one, "number")
    first = world.change(0)
    assert one.do("end_inspected", "entry", "clear", entry)
    world.all_serve(0, first)
    assert not one.do("end_inspected", "entry", "clear", entry)
    functions = {it["label"].rpartition(".")[2]: it["number"] for it in one.do("inspected")["functions"]}
    second = world.change(0)
    assert one.do("end_inspected", "function", "clear", functions["number"])
    world.all_serve(0, second)
    third = world.change(0)
    assert two.do("end_inspected", "all", "clear")
    world.all_serve(0, third)
    # What has expired is served until there is a successor, and that is built in every member.
    assert one.do("stale", 0) == two.do("stale", 0) == third
    fourth = world.change(0)
    (entry,) = numbers(one, "stale")
    assert one.do("end_inspected", "entry", "expire", entry)
    await_true(lambda: two.do("stale", 0) == fourth, "what has expired is built anew")


def test_v2_an_inspector_shows_the_members_and_the_lag_of_the_bus(world: World) -> None:
    one, two = world.join(2)
    await_true(lambda: len(one.do("inspected")["fleet"]["members"]) == 2, "each has told of itself")
    await_true(lambda: one.do("inspected")["fleet"]["lag"] is not None, "the bus is measured")
    fleet = one.do("inspected")["fleet"]
    assert sorted(it["pid"] for it in fleet["members"]) == sorted([one.pid, two.pid])
    assert fleet["error"] is None


def test_v2_an_inspector_goes_on_without_the_server(world: World) -> None:
    if world.server is None:
        pytest.skip("the server is not this test's own")
    (one,) = world.join(1)
    one.get(0)
    world.server.signal(signal.SIGSTOP)
    shown = one.do("inspected")
    assert len(numbers(one, "number")) == 1
    assert shown["fleet"]["error"].startswith("the fleet's server ")
    world.server.signal(signal.SIGCONT)
