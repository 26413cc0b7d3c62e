"""D6 with processes on a real server: what carries a tag ends in all of them, in every scope."""

from __future__ import annotations

from fleet_world import World, await_true


def test_d6_what_carries_a_tag_ends_in_all_members(world: World) -> None:
    one, two = world.join(2)
    for member in (one, two):
        assert member.do("tagged", 0, 7) == member.do("tagged", 0, 8) == member.do("of_thread", 0) == 0
    number = world.change(0)
    one.do("clear_tag", "tenant:7")
    assert one.do("tagged", 0, 7) == number
    await_true(lambda: two.do("tagged", 0, 7) == number, "the tenant's entry is built anew")
    assert one.do("tagged", 0, 8) == two.do("tagged", 0, 8) == 0
    one.do("clear_tag", "credential")
    await_true(lambda: two.do("of_thread", 0) == number, "the thread's own is built anew too")


def test_d6_a_member_that_was_away_hears_of_tags_when_it_is_back(world: World) -> None:
    server = world.server
    assert server is not None
    one, two = world.join(2)
    assert two.do("tagged", 0, 7) == two.do("of_thread", 0) == 0
    server.kill()
    number = world.change(0)
    one.do("clear_tag", "tenant:7")
    server.run()
    await_true(lambda: two.do("tagged", 0, 7) == number, "the tenant's entry is built anew")
