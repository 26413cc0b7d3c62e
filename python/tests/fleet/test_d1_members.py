"""D1 with processes on a real server: what one clears ends in all, and is never lost, whatever the server does."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from fleet_world import KEYS, SECRET, Line, World, await_true
from redis_server import Server

from world import LOST

MEMBERS = 8


def test_d1_a_clear_by_any_member_under_load_reaches_all_and_nobody_goes_back(world: World) -> None:
    members = world.join(MEMBERS)
    for member in members:
        member.do("begin_load", 1, KEYS)
    chance = random.Random(1)
    for _ in range(40):
        key = chance.randrange(KEYS)
        number = world.change(key)
        chance.choice(members).do(*chance.choice([("clear", key), ("clear", key), ("clear",), ("clear_all",)]))
        world.all_serve(key, number)
    for member in members:
        calls, older = member.do("end_load")
        assert calls > 0
        assert older == []


def test_d1_one_entry_a_predicate_a_tenant_and_what_is_stale(world: World) -> None:
    one, two = world.join(2)
    for member in (one, two):
        assert member.get(0) == member.get(1) == member.do("stale", 0) == 0
        assert member.do("of_tenant", "a", 0) == member.do("of_tenant", "b", 0) == 0
    first = world.change(0)
    one.do("clear", 0)
    world.all_serve(0, first)
    second = world.change(1)
    assert one.do("clear_if", 0) == 1
    world.all_serve(1, second)
    assert two.do("stale", 0) == 0
    one.do("expire", 0)
    await_true(lambda: two.do("stale", 0) == first, "what has expired is built anew")
    one.do("clear_tenant", "a", 0)
    await_true(lambda: two.do("of_tenant", "a", 0) == first, "the tenant's entry is built anew")
    assert two.do("of_tenant", "b", 0) == 0


def test_d1_a_server_that_is_stopped_holds_no_hit_up_and_loses_nothing(world: World) -> None:
    assert world.server is not None
    members = world.join(3)
    world.all_serve(0, 0)
    world.server.signal(signal.SIGSTOP)
    for member in members:
        assert member.do("hits", 0, 10_000) == 10_000
    number = world.change(0)
    members[1].do("clear", 0)
    assert members[1].get(0) == number
    world.server.signal(signal.SIGCONT)
    world.all_serve(0, number)


@pytest.mark.parametrize("comes_back", ["empty", "older"])
def test_d1_a_server_that_is_killed_and_forgets_loses_no_clear(world: World, comes_back: str) -> None:
    server = world.server
    assert server is not None
    members = world.join(3)
    numbers = []
    for key in range(KEYS):
        numbers.append(world.change(key))
        members[key % 3].do("clear", key)
        if key == 3 and comes_back == "older":
            assert server.command("SAVE") == b"+OK"
            shutil.copy(server.folder / "dump.rdb", server.folder / "older")
    for key, number in enumerate(numbers):
        world.all_serve(key, number)
    # This one is heard by nobody but the server.
    server.kill()
    number = world.change(0)
    members[0].do("clear", 0)
    assert members[0].get(0) == number
    if comes_back == "older":
        shutil.copy(server.folder / "older", server.folder / "dump.rdb")
    server.run()
    world.all_serve(0, number)
    # And the fleet works as before.
    number = world.change(1)
    members[2].do("clear")
    world.all_serve(1, number)


def test_d1_a_process_that_clears_and_ends_has_cleared(world: World) -> None:
    (stays,) = world.join(1)
    (goes,) = world.join(1)
    assert stays.get(0) == goes.get(0) == 0
    number = world.change(0)
    goes.do("clear", 0)
    goes.close()
    world.members.remove(goes)
    world.all_serve(0, number)


def test_d1_a_forked_child_is_a_member_by_itself(world: World) -> None:
    one, two = world.join(2)
    world.all_serve(0, 0)
    number = world.change(0)
    one.do("forked", "clear", 0)
    await_true(lambda: two.get(0) == number, "the child's clear is heard")
    await_true(lambda: one.get(0) == number, "and by its parent too")
    assert one.do("forked", "joined")


def test_l18_a_child_hears_what_its_parent_has_missed_and_keeps_the_rest(world: World) -> None:
    assert world.server is not None
    # A server that is younger than what a member has may have forgotten something.
    await_true(lambda: world.server.uptime() >= 4, "the server is older than the parent")
    line = Line(world.server.port)
    (two,) = world.join(1)
    (one,) = world.join(1, TENURE_FLEET=line.url)
    assert one.do("keep") == [0, 0, 0]
    # It counts as caught up until a ping is not answered.
    line.cut()
    number = world.change(0)
    world.change(1)
    two.do("clear_kept")
    # Past what may be put down to clocks that differ.
    until = time.monotonic() + 0.2
    await_true(lambda: two.do("joined") and time.monotonic() > until, "the server has it")
    assert one.do("forked", "heirs", number) == [0, 0, 1]
    line.listens.close()


def test_d1_a_fleet_is_named_in_the_environment(world: World) -> None:
    one, two = world.join(2, TENURE_FLEET_NAME="blue")
    (other,) = world.join(1)
    names = [{it["id"] for it in member.do("members")} for member in (one, two, other)]
    assert names[0] == names[1]
    assert (len(names[0]), len(names[2])) == (2, 1)
    assert not names[0] & names[2]


def test_d1_builds_are_spread_as_configured_and_an_own_clear_builds_at_once(world: World) -> None:
    assert world.server is not None
    one, two = world.join(2)
    settings = {"fleet": world.server.url, "fleet_secret": SECRET, "fleet_spread": "10000d"}
    two.do("configure", settings)
    await_true(lambda: two.do("joined"), "it has joined with other terms")
    assert two.get(0) == 0
    one.do("clear", 0)
    await_true(lambda: two.do("holds") == 0, "the clear is heard")
    two.do("begin_get", 0)
    await_true(lambda: two.do("waits") == 1, "a build begins")
    assert two.do("builds") == 1, "and waits for its time"
    number = world.change(0)
    two.do("clear_all")
    assert two.get(0) == number


def test_d1_members_that_rebuild_when_lost_serve_nothing_that_may_be_out_of_date(world: World) -> None:
    server = world.server
    assert server is not None
    (one,) = world.join(1)
    settings = {"fleet": server.url, "fleet_secret": "a secret that all members share", "fleet_lost": "rebuild"}
    one.do("configure", settings)
    await_true(lambda: one.do("joined"), "it has joined with other terms")
    assert one.get(0) == 0
    number = world.change(0)
    assert one.get(0) == 0
    server.kill()
    await_true(lambda: one.get(0) == number, "it builds for itself")
    assert one.do("peek", 0) is None
    server.run()
    await_true(lambda: one.do("joined"), "it has come back")
    world.all_serve(0, number)


FIRST = """
import tenure

built = []

@tenure.cache_resource
def model():
    built.append(1)
    return object()

first = model()
(me,) = tenure.info(fleet=True, timeout=30).members
assert model() is first
assert len(built) == 1
"""


def test_d1_what_the_first_member_of_a_new_fleet_builds_stays(server: Server) -> None:
    env = {**os.environ, "TENURE_FLEET": server.url, "TENURE_FLEET_SECRET": SECRET}
    for name in ("new", "newer", "newest"):
        subprocess.run([sys.executable, "-c", FIRST], env={**env, "TENURE_FLEET_NAME": name}, check=True, timeout=LOST)


def test_d2_members_with_another_secret_are_in_another_fleet(world: World) -> None:
    one, two = world.join(2)
    (stranger,) = world.join(1, TENURE_FLEET_SECRET="a secret that nobody else has")
    assert one.get(0) == two.get(0) == stranger.get(0) == 0
    number = world.change(0)
    stranger.do("clear_all")
    assert stranger.get(0) == number
    assert len(stranger.do("members")) == 1
    # Whatever the stranger has told is there by now, and a clear of one's own comes after it.
    last = world.change(1)
    one.do("clear", 1)
    await_true(lambda: two.get(1) == last, "a clear of the fleet is heard")
    assert two.get(0) == 0


WORKER = """
import multiprocessing, sys
import tenure

def work():
    tenure.clear_tag("credential")

if __name__ == "__main__":
    worker = multiprocessing.get_context(sys.argv[1]).Process(target=work)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_d1_a_worker_that_only_clears_has_cleared(world: World, method: str) -> None:
    """It has built nothing, and ends past `atexit`."""
    (member,) = world.join(1)
    assert member.do("of_thread", 0) == 0
    number = world.change(0)
    script = world.folder / "worker.py"
    script.write_text(WORKER, encoding="utf-8")
    assert world.server is not None
    env = {**os.environ, "TENURE_FLEET": world.server.url, "TENURE_FLEET_SECRET": SECRET}
    subprocess.run([sys.executable, str(script), method], env=env, check=True, timeout=LOST)
    await_true(lambda: member.do("of_thread", 0) == number, "what carries the tag is built anew")
