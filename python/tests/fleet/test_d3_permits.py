"""D3: at most so many members build one key at a time; whoever waits for its turn builds, to its callers."""

from __future__ import annotations

import os
import signal

import pytest
from fleet_world import Member, World, await_true


def gate(world: World, member: Member) -> None:
    os.mkfifo(world.folder / f"gate-{member.pid}")


def open_gate(world: World, member: Member) -> None:
    """Has the member's build go on, which waits here until it has begun."""
    with (world.folder / f"gate-{member.pid}").open("w"):
        pass


def log(world: World) -> list[str]:
    path = world.folder / "log"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("kind", ["gated", "gated_async"])
def test_d3_one_member_builds_and_the_others_wait(world: World, kind: str) -> None:
    members = world.join(3)
    for member in members:
        gate(world, member)
        member.begin(kind, 7)
    done = 0
    waiting = list(members)
    while waiting:
        # Exactly one of them has begun.
        await_true(lambda: len(log(world)) == 2 * done + 1, "one begins")
        pid = int(log(world)[-1].split()[1])
        builds = next(member for member in waiting if member.pid == pid)
        open_gate(world, builds)
        assert builds.answer() == 7
        waiting.remove(builds)
        done += 1
    words = [line.split() for line in log(world)]
    assert [word for word, _ in words] == ["begins", "ends"] * 3
    assert all(first[1] == second[1] for first, second in zip(words[::2], words[1::2], strict=True))


def test_d3_the_permit_of_a_builder_that_dies_runs_out(world: World) -> None:
    dies, waits = world.join(2)
    for member in (dies, waits):
        gate(world, member)
    dies.begin("gated", 7)
    await_true(lambda: len(log(world)) == 1, "one begins")
    waits.begin("gated", 7)
    dies.process.kill()
    dies.process.communicate()
    world.members.remove(dies)
    open_gate(world, waits)
    assert waits.answer() == 7


def test_d3_who_waits_for_a_permit_can_be_interrupted(world: World) -> None:
    builds, waits = world.join(2)
    for member in (builds, waits):
        gate(world, member)
    builds.begin("gated", 7)
    await_true(lambda: len(log(world)) == 1, "one begins")
    waits.begin("asks", 7)
    await_true((world.folder / f"asks-{waits.pid}").exists, "it has been asked")
    # It may not wait yet when the signal comes: then the signal finds it on its way there.
    waits.process.send_signal(signal.SIGINT)
    assert waits.answer() == "KeyboardInterrupt"
    assert waits.do("waits") == 0
    open_gate(world, builds)
    assert builds.answer() == 7


def test_d3_without_a_server_members_build_alone(lonely: World) -> None:
    (member,) = lonely.join(1)
    gate(lonely, member)
    member.begin("gated", 7)
    open_gate(lonely, member)
    assert member.answer() == 7
