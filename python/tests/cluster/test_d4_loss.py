"""D4: a node or an actor that is lost leads to one rebuild, and the call under way says that it may have run."""

from __future__ import annotations

import os
import signal
import threading

import pytest
import ray
from works import HERE, Thing, call_until_it_fails, counted, note, reached, released, thing

import tenure
from conftest import STORE


@tenure.cache_resource(
    scope="cluster",
    ray_options={"num_cpus": 0, "resources": {"doomed": 0.01}},
    on_release=released,
    show_spinner=False,
)
def doomed(name: str) -> Thing:
    return Thing(name)


@ray.remote(num_cpus=0)
class Other:
    """Another process that keeps a handle."""

    def add(self) -> int:
        return doomed("pump").add(1)

    def tries(self) -> int:
        """How many calls it takes until one succeeds."""
        for tries in range(1, 100):
            try:
                doomed("pump").add(1)
            except tenure.ResourceLost:
                continue
            return tries
        raise AssertionError("none did")


def test_d4_node_loss_leads_to_one_rebuild(cluster) -> None:
    node = cluster.add_node(num_cpus=1, resources={"doomed": 1}, object_store_memory=STORE)
    others = [Other.options(resources={"second": 0.01}).remote() for _ in range(2)]
    assert ray.get([it.add.remote() for it in others]) == [1, 1]
    failures: list[BaseException] = []

    def call() -> None:
        try:
            doomed("pump").held("never")
        except tenure.ResourceLost as error:
            failures.append(error)

    running = threading.Thread(target=call)
    running.start()
    reached("held never")
    cluster.add_node(num_cpus=1, resources={"doomed": 1}, object_store_memory=STORE)
    cluster.remove_node(node, allow_graceful=False)
    running.join()
    [failure] = failures
    assert isinstance(failure, ConnectionError)
    assert "may have run or not" in str(failure)
    # Callers of three processes at once.
    tries = [it.tries.remote() for it in others]
    assert doomed("pump").add(2) == 2
    assert all(it <= 2 for it in ray.get(tries))
    doomed.clear()
    built, lost = counted()["built pump"], 1
    assert built == 2
    assert built == counted()["released pump: cleared"] + lost


def test_d4_actor_loss_leads_to_one_rebuild(caplog: pytest.LogCaptureFixture) -> None:
    it = thing("pump")
    os.kill(it.process(), signal.SIGKILL)
    with pytest.raises(tenure.ResourceLost):
        call_until_it_fails(it)
    assert thing("pump").add(2) == 2
    # A handle that was had before goes on with the new one.
    assert it.add(3) == 3
    assert counted() == {"built pump": 2}
    assert thing.info().releases["invalid"] >= 1


def test_d4_a_build_whose_actor_dies_is_begun_once_more() -> None:
    @tenure.cache_resource(scope="cluster", ray_options=HERE, show_spinner=False)
    def deadly(name: str) -> Thing:
        note(f"tried {name}")
        os.kill(os.getpid(), signal.SIGKILL)
        return Thing(name)

    with pytest.raises(tenure.ResourceLost, match="its actor died 2 times"):
        deadly("pump")
    assert counted() == {"tried pump": 2}
