"""D5: the figures of all members, and those of one process."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from fleet_world import Member, World, await_true
from prometheus_client.parser import text_string_to_metric_families

import tenure
import tenure.metrics


def test_d5_the_figures_of_all_members_are_seen_together(world: World) -> None:
    one, two = world.join(2)
    for key in range(3):
        one.get(key)
    two.get(0)

    def told() -> bool:
        entries = {member["pid"]: member["entries"] for member in two.do("members")}
        return entries == {one.pid: 3, two.pid: 1}

    await_true(told, "each has told its entries")
    members = two.do("members")
    assert {member["host"] for member in members} == {socket.gethostname()}
    assert [member["pid"] for member in members if member["is_this"]] == [two.pid]
    assert len({member["id"] for member in members}) == 2
    await_true(lambda: all(member["lag"] is not None for member in two.do("members")), "the bus is measured")


def test_d5_a_process_that_has_ended_is_not_named_any_more(world: World) -> None:
    ends, stays = world.join(2)
    await_true(lambda: len(stays.do("members")) == 2, "each has told of itself")
    world.members.remove(ends)
    ends.close()
    assert [member["pid"] for member in stays.do("members")] == [stays.pid]


def fleet_metrics(member: Member) -> dict[str, float]:
    families = text_string_to_metric_families(member.do("metrics"))
    return {it.name: it.samples[0].value for it in families if it.name.startswith("tenure_fleet_")}


def test_d5_the_metrics_of_a_member_say_how_it_stands_with_its_fleet(world: World) -> None:
    assert world.server is not None
    (member,) = world.join(1)
    await_true(lambda: "tenure_fleet_lag_seconds" in fleet_metrics(member), "the bus is measured")
    told = fleet_metrics(member)
    assert 0 < told.pop("tenure_fleet_lag_seconds") < 60
    assert told.pop("tenure_fleet_catch_ups") >= 1
    assert told == {"tenure_fleet_caught_up": 1}
    world.server.kill()
    await_true(lambda: fleet_metrics(member)["tenure_fleet_caught_up"] == 0, "it has lost its server")
    assert "tenure_fleet_lag_seconds" not in fleet_metrics(member)


def test_v1_top_tells_how_a_member_stands_with_its_fleet(world: World) -> None:
    assert world.server is not None
    (member,) = world.join(1)
    await_true(lambda: member.do("top")["fleet"]["lag"] is not None, "the bus is measured")
    told = member.do("top")["fleet"]
    assert 0 < told.pop("lag") < 60
    assert told == {"caught_up": True}
    world.server.kill()
    await_true(lambda: member.do("top")["fleet"] == {"caught_up": False, "lag": None}, "it has lost its server")


def test_d5_who_is_in_no_fleet_has_no_metrics_of_one() -> None:
    assert "tenure_fleet" not in tenure.metrics.text()


def test_d5_who_waits_for_the_members_can_be_interrupted(world: World) -> None:
    assert world.server is not None
    (asks,) = world.join(1)
    world.server.signal(signal.SIGSTOP)
    asks.begin("asks_members")
    await_true((world.folder / f"asks-{asks.pid}").exists, "it is asked")
    # It may not wait yet when the signal comes: then the signal finds it on its way there.
    asks.process.send_signal(signal.SIGINT)
    assert asks.answer() == "KeyboardInterrupt"
    world.server.signal(signal.SIGCONT)
    await_true(lambda: asks.do("joined"), "it is a member as before")


def test_d5_a_process_has_its_own_figures_and_no_fleet_by_itself() -> None:
    before = tenure.info()

    @tenure.cache_resource
    def seven() -> int:
        return 7

    seven()
    seven()
    after = tenure.info()
    assert (after.entries - before.entries, after.builds - before.builds, after.hits - before.hits) == (1, 1, 1)
    seven.clear()
    assert "TENURE_FLEET" not in os.environ
    with pytest.raises(RuntimeError, match=r"tenure\.configure\(fleet="):
        tenure.info(fleet=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fleet": "redis://localhost"}, "fleet_secret="),
        ({"fleet": "redis://localhost", "fleet_secret": "short"}, "TENURE_FLEET_SECRET"),
        ({"fleet_secret": "short"}, "too short"),
        ({"fleet": "http://localhost", "fleet_secret": "long enough to be one"}, "redis://"),
        ({"fleet": "redis://h", "fleet_secret": "long enough to be one", "fleet_name": "a b"}, 'fleet_name="shop"'),
        ({"fleet_lost": "wait"}, '"serve" or "rebuild"'),
        ({"fleet_forgot": "nothing"}, '"expire" or "clear"'),
    ],
)
def test_d2_a_fleet_that_cannot_be_is_refused_with_what_to_write(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match="fleet") as refused:
        tenure.configure(**settings)  # type: ignore[arg-type]
    assert words in str(refused.value)
    assert "Settings::" not in str(refused.value)
    with pytest.raises(TypeError, match="not a bytes") as refused_type:
        tenure.configure(fleet_secret=b"hunter2 hunter2 hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(refused_type.value)


def test_d3_settings_of_a_fleet_where_there_is_none_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    assert "TENURE_FLEET" not in os.environ
    try:
        for _ in range(2):
            tenure.configure(fleet_lost="rebuild", fleet_spread=2)
        (said,) = caplog.messages
        assert "fleet_lost, fleet_spread, and this process is in no fleet" in said
        assert "TENURE_FLEET" in said
        caplog.clear()
        tenure.configure(fleet_lost="serve", fleet_secret="long enough to be one")
        assert caplog.messages == []
    finally:
        tenure.configure()


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), ("1", TypeError)])
def test_d3_fleet_builds_is_a_whole_number_from_1_on(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="fleet_builds=1"):
        tenure.cache_resource(fleet_builds=value)(lambda: 7)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match='scope="global"'):
        tenure.cache_resource(fleet_builds=1, scope="session")(lambda: 7)


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), float("inf")])
def test_d5_a_timeout_that_is_no_time_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout=2"):
        tenure.info(fleet=True, timeout=timeout)
