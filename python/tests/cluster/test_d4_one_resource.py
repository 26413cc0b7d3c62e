"""D4: the resource lives once, in a named actor, wherever it fits, for all threads and processes."""

from __future__ import annotations

import re
import threading

import pytest
import ray
from works import HERE, Thing, actors, counted, lines, note, released, thing, thing_there, until

import tenure


@ray.remote(num_cpus=0)
def from_elsewhere(name: str) -> tuple[int, int]:
    """A call by another process, on any node: where the resource lives, and how many handles were built there."""
    return thing(name).process(), thing.info().builds


def test_d4_twenty_callers_one_build() -> None:
    barrier = threading.Barrier(20)
    handles, places = [], []

    def call() -> None:
        barrier.wait()
        handles.append(thing("pump"))
        places.append(handles[-1].process())

    threads = [threading.Thread(target=call) for _ in range(20)]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    assert counted()["built pump"] == 1
    assert len({id(it) for it in handles}) == 1
    assert len(set(places)) == 1
    assert len(actors()) == 1


def test_d4_processes_that_race_share_one_build() -> None:
    places = ray.get([from_elsewhere.remote("pump") for _ in range(8)])
    assert {builds for _, builds in places} == {1}
    assert len({process for process, _ in places} | {thing("pump").process()}) == 1
    assert counted()["built pump"] == 1


def test_d4_it_lives_where_it_fits(cluster) -> None:
    [second] = [it["NodeID"] for it in ray.nodes() if it["Alive"] and "second" in it["Resources"]]
    assert thing_there("pump").node() == second


def test_d4_a_hit_is_the_handle_that_is_kept() -> None:
    before = thing.info()
    first = thing("pump")
    assert thing("pump") is first
    assert thing(name="pump") is first
    assert thing.peek("pump") is first
    after = thing.info()
    assert (after.hits - before.hits, after.builds - before.builds, after.entries) == (2, 1, 1)


def test_d4_an_actor_for_each_set_of_arguments_and_no_argument_in_its_name() -> None:
    assert thing("pump").process() != thing("valve").process()
    names = actors()
    assert len(names) == 2
    for name in names:
        assert re.fullmatch("tenure(-[0-9a-f]{32}){3}", name)
    # The mark of the function first, so that what is of one function can be found.
    assert len({name.rpartition("-")[0] for name in names}) == 1


def test_d4_names_differ_by_function_settings_secret_and_content(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(name: str) -> Thing:
        return Thing(name)

    def other(name: str) -> Thing:
        return Thing(name + "!")

    def cached(func, **settings):
        return tenure.cache_resource(func, scope="cluster", **settings)

    names = [
        cached(made)._actor("pump"),
        cached(made)._actor("pump" * 1000),
        cached(made)._actor("pump" * 999 + "pumq"),
        cached(made, ttl="1h")._actor("pump"),
        cached(made, ray_options=HERE)._actor("pump"),
        cached(made, on_release=released)._actor("pump"),
        cached(other)._actor("pump"),
    ]
    assert cached(made)._actor(name="pump") == names[0]
    monkeypatch.setenv("TENURE_FLEET_SECRET", "another secret, which is as long as that")
    names.append(cached(made)._actor("pump"))
    assert len(set(names)) == len(names)


@ray.remote(num_cpus=0)
def named_elsewhere(text: str, table: dict, tags: set) -> str:
    return named._actor(text, table, tags)


@tenure.cache_resource(scope="cluster", ray_options=HERE)
def named(text: str, table: dict, tags: set, *, flag: bool = True) -> None:
    return None


def test_d4_other_processes_derive_the_same_names() -> None:
    given = ("x" * 10_000, {"b": [1, 2.5], "a": None}, {"one", "two", "three"})
    assert ray.get(named_elsewhere.remote(*given)) == named._actor(*given, flag=True)


def test_d4_a_function_of_a_script_goes_there_with_its_code() -> None:
    label = "script"

    def local(name: str) -> Thing:
        note(f"made by {label}")
        return Thing(name)

    made = tenure.cache_resource(local, scope="cluster", ray_options=HERE, on_release=lambda it, cause: note(cause))
    assert made("pump").add(1, other=2) == 3
    assert lines() == ["made by script", "built pump"]
    made.clear()
    assert lines()[-1] == "cleared"


def test_d4_what_an_argument_leaves_out_of_the_key_goes_there_too() -> None:
    @tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
    def made(name: str, _label: list[str]) -> Thing:
        return Thing(name + _label[0])

    assert made("pump", ["!"]).title == "Pump!"
    assert made._actor("pump", ["?"]) == made._actor("pump", ["!"])


def test_d4_the_build_s_own_error_reaches_all_and_leaves_nothing() -> None:
    from works import Broken, failing, open_gate

    for _ in range(2):
        with pytest.raises(Broken) as caught:
            failing("pump")
        assert caught.value.number == 1
        until(lambda: actors() == [])
    open_gate("repaired")
    assert failing("pump").add(1) == 1
    assert counted()["tried pump"] == 3
