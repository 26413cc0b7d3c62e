"""D4: an actor that waits for a node, or that Ray fails to look for, keeps nobody up for ever."""

from __future__ import annotations

import threading

import pytest
import ray
from works import LOST, Thing, actors, counted, released, thing, until

import tenure
from conftest import STORE
from tenure.cluster import _endings, _ray


@tenure.cache_resource(
    scope="cluster", ray_options={"num_cpus": 0, "resources": {"late": 1}}, on_release=released, show_spinner=False
)
def late(name: str) -> Thing:
    return Thing(name)


class Caller(threading.Thread):
    """A call that waits for a node."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.outcome: object = None

    def run(self) -> None:
        try:
            self.outcome = late("pump").add(1)
        except tenure.ResourceLost as error:
            self.outcome = error


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    monkeypatch.setattr(_endings, "_ANSWERS", 0.1)
    started = Caller()
    started.start()
    until(lambda: len(actors()) == 1)
    return started


def actor() -> str | None:
    return next((it._actor_id.hex() for it in _ray.actors("tenure-")), None)


def test_d4_a_clear_of_what_waits_for_a_node_does_not_wait_for_it(cluster, caller: Caller) -> None:
    before = actor()
    late.clear("pump")
    # The caller waits on, for one that has been cleared by nobody.
    until(lambda: actor() not in (None, before))
    assert caller.is_alive()
    node = cluster.add_node(num_cpus=1, resources={"late": 1}, object_store_memory=STORE)
    try:
        caller.join(LOST)
        assert caller.outcome == 1
    finally:
        late.clear()
        until(lambda: actors() == [])
        cluster.remove_node(node)
    # A build that is under way at a clear is not kept, so that its caller's next call may have had another.
    built = counted()["built pump"]
    assert built in (1, 2)
    assert built == sum(count for line, count in counted().items() if line.startswith("released pump"))


def test_d4_a_caller_whose_actors_are_cleared_before_they_begin_is_told(caller: Caller) -> None:
    until(lambda: late.clear() is None and not caller.is_alive())
    assert isinstance(caller.outcome, tenure.ResourceLost)
    assert counted() == {}


def test_d4_an_actor_is_looked_for_again_where_ray_has_failed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert thing("pump").add(1) == 1
    looks: list[str] = []
    look = ray.get_actor

    def failing(name: str, **named: str) -> object:
        if name.startswith("tenure-"):
            looks.append(name)
            assert len(looks) > 2
        return look(name, **named)

    monkeypatch.setattr(ray, "get_actor", failing)
    thing.clear("pump")
    # An actor that ends is one that is not there.
    looks.clear()
    assert thing("pump").add(1) == 1
    assert len(looks) > 2
    assert counted() == {"built pump": 2, "released pump: cleared": 1}
