"""D4: release, drain, validate, idle and weight hold where the resource is, for whoever has it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import ray
from works import (
    actors,
    counted,
    drained,
    idle,
    lines,
    open_gate,
    reached,
    thing,
    too_heavy,
    until,
    validated,
)

import tenure


@ray.remote(num_cpus=0)
class Other:
    """Another process that keeps a handle."""

    def process(self) -> int:
        return thing("pump").process()

    def held(self, gate: str) -> str:
        return thing("pump").held(gate)

    def clear(self, *args: str) -> None:
        thing.clear(*args)


def test_d4_clear_releases_there_and_the_next_call_builds_anew() -> None:
    it = thing("pump")
    thing.clear("pump")
    assert lines() == ["built pump", "released pump: cleared"]
    assert thing("pump").add(1) == 1
    assert it.add(1) == 1
    assert counted() == {"built pump": 2, "released pump: cleared": 1}


def test_d4_a_clear_anywhere_is_a_clear_everywhere() -> None:
    other = Other.remote()
    before = ray.get(other.process.remote())
    assert thing("pump").process() == before
    ray.get(other.clear.remote())
    assert counted() == {"built pump": 1, "released pump: cleared": 1}
    # Nobody has told this process; its handle finds the new one all the same.
    assert thing("pump").process() == ray.get(other.process.remote())
    assert counted()["built pump"] == 2


def test_d4_a_clear_by_who_has_never_called_ends_it_too() -> None:
    other = Other.remote()
    ray.get(other.process.remote())
    thing.clear("valve")
    assert counted() == {"built pump": 1}
    thing.clear("pump")
    assert counted() == {"built pump": 1, "released pump: cleared": 1}


def test_d4_running_calls_finish_before_the_release() -> None:
    for function in (thing, drained):
        name = function.__name__
        gate = f"gate of {name}"
        answers: list[str] = []
        running = threading.Thread(target=lambda: answers.append(function(name).held(gate)))
        running.start()
        reached(f"held {gate}")
        function.clear()
        # What drains is not handed out again, and keeps nobody waiting.
        assert function(name).add(2) == 2
        assert counted()[f"built {name}"] == 2
        assert counted()[f"released {name}: cleared"] == 0
        open_gate(gate)
        running.join()
        assert answers == [name]
        reached(f"released {name}: cleared")


def test_d4_validate_is_asked_there() -> None:
    it = validated("pump")
    assert it.add(1) == 1
    open_gate("broken")
    answered = threading.Event()

    def call() -> None:
        it.add(1)
        answered.set()

    # A new one that is broken too is handed out once it is built: validate is for what is kept.
    threading.Thread(target=call).start()
    reached("released pump: invalid")
    assert answered.wait(60)
    assert counted()["built pump"] == 2


def test_d4_idle_resources_go_and_give_back_their_place() -> None:
    it = idle("pump")
    assert it.add(1) == 1
    reached("released pump: idle")
    until(lambda: actors() == [])
    assert it.add(2) == 2
    assert idle("pump").add(3) == 3
    assert counted()["built pump"] >= 2


def test_d4_weight_holds_there() -> None:
    assert too_heavy("pump").add(1) == 1
    reached("released pump: orphaned")


def test_d4_whoever_goes_leaves_nothing_in_the_actor() -> None:
    from tenure.cluster import _ray

    other = Other.remote()
    place = ray.get(other.process.remote())
    held = other.held.remote("gate")
    reached("held gate")
    # A call keeps the actor, whatever is cleared meanwhile.
    for _ in range(10):
        assert thing("pump").process() == place
        thing.clear()
    # It is watched once, however often this process has come and gone.
    assert len(_ray.links) == 1
    open_gate("gate")
    assert ray.get(held) == "pump"


def test_d4_discard_releases_there() -> None:
    thing.discard(thing("pump"))
    reached("released pump: invalid")
    assert thing("pump").add(1) == 1
    assert counted()["built pump"] == 2


def test_d4_clear_of_everything_reaches_the_cluster() -> None:
    thing("pump").add(1)
    thing("valve").add(1)
    tenure.cache_resource.clear()
    assert counted() == {
        "built pump": 1,
        "built valve": 1,
        "released pump: cleared": 1,
        "released valve: cleared": 1,
    }
    until(lambda: actors() == [])


PROGRAM = """
import sys
import ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
from works import thing
assert thing("pump").add(1) == 1
print("has it", flush=True)
sys.stdin.readline()
"""


def started(address: str) -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "has it\n"
    return program


def test_d4_the_last_program_s_end_is_the_resource_s(cluster) -> None:
    # One that is killed tells nobody, and one that ends releases as any program does.
    for ended in ("killed", "ended"):
        ray.get(ray.get_actor("ledger", namespace="tests").forget.remote())
        first, second = started(cluster.address), started(cluster.address)
        first.kill()
        first.wait()
        second.stdin.write("\n") if ended == "ended" else second.kill()
        second.communicate(timeout=120)
        reached("released pump: shutdown")
        until(lambda: actors() == [])
        assert counted() == {"built pump": 1, "released pump: shutdown": 1}
