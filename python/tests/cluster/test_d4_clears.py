"""D4, D6: a clear anywhere is a clear everywhere: of a function, of a tag, of everything, whoever has built it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import ray
from works import client, counted, lines, reached, tagged, tagged_each, thing

import tenure
from tenure.cluster import _endings


@ray.remote(num_cpus=0)
class Other:
    """Another process, which has the resources: with its own handles, which it keeps."""

    def has(self, function: str, name: str) -> int:
        import works

        return getattr(works, function)(name).process()


PROGRAM = """
import sys
import ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
import tenure
exec(sys.argv[2])
"""


def program(address: str, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Another program, which has imported none of the functions here."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, address, code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, **env},
        timeout=120,
    )


def test_d6_a_tag_is_cleared_in_the_actor_of_the_program_that_clears_it() -> None:
    assert tagged("pump").add(1) == 1
    tenure.clear_tag("others")
    assert counted() == {"built pump": 1}
    tenure.clear_tag("things")
    assert counted() == {"built pump": 1, "released pump: cleared": 1}
    assert tagged("pump").add(1) == 1
    assert counted()["built pump"] == 2


def test_d6_a_tag_is_cleared_in_actors_that_others_have_built() -> None:
    other = Other.remote()
    for function, name in (("tagged", "pump"), ("tagged_each", "valve"), ("tagged_each", "pipe"), ("thing", "plain")):
        ray.get(other.has.remote(function, name))
    tenure.clear_tag("things")
    tenure.clear_tag("thing:valve")
    assert sorted(lines()[4:]) == ["released pump: cleared", "released valve: cleared"]


def test_d6_a_tag_is_cleared_by_a_program_that_has_none_of_the_functions(cluster) -> None:
    tagged_each("pump").add(1)
    tagged_each("valve").add(1)
    done = program(cluster.address, "tenure.clear_tag('thing:pump')")
    assert done.returncode == 0, done.stderr
    assert counted() == {"built pump": 1, "built valve": 1, "released pump: cleared": 1}


def test_d6_a_build_that_runs_when_its_tag_is_cleared_is_not_kept() -> None:
    from works import open_gate, slow_tagged

    got = []
    caller = threading.Thread(target=lambda: got.append(slow_tagged("pump").add(1)))
    caller.start()
    reached("builds pump")
    tenure.clear_tag("slow things")
    open_gate("slow")
    caller.join()
    assert got == [1]
    reached("released pump: orphaned")


def test_d4_a_clear_of_everything_reaches_what_others_have_built(cluster) -> None:
    it = thing("pump")
    assert it.add(1) == 1
    ray.get(Other.remote().has.remote("thing", "valve"))
    done = program(cluster.address, "tenure.cache_resource.clear()")
    assert done.returncode == 0, done.stderr
    assert counted() == {
        "built pump": 1,
        "built valve": 1,
        "released pump: cleared": 1,
        "released valve: cleared": 1,
    }
    assert it.add(1) == 1
    assert counted()["built pump"] == 2


def test_d4_a_clear_of_everything_spares_those_under_another_secret(cluster) -> None:
    thing("pump").add(1)
    other = "another secret, which is as long as that"
    done = program(cluster.address, "tenure.cache_resource.clear()", TENURE_FLEET_SECRET=other)
    assert done.returncode == 0, done.stderr
    assert counted() == {"built pump": 1}


def test_d4_the_inspector_s_clear_of_everything_reaches_what_others_have_built() -> None:
    from tenure import _native

    ray.get(Other.remote().has.remote("thing", "pump"))
    _native.end_all("clear")
    assert counted() == {"built pump": 1, "released pump: cleared": 1}


UNCONNECTED = """
import logging
import sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import tenure
from works import thing
for end in (thing.clear, thing.expire, lambda: thing.clear("pump")):
    try:
        end()
    except ConnectionError as error:
        print(error)
tenure.cache_resource.clear()
tenure.clear_tag("a")
with tenure.testing.override(thing, 3):
    thing.clear()
"""


def test_d4_a_clear_without_a_cluster_says_that_it_reached_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNCONNECTED], capture_output=True, text=True, cwd=Path(__file__).parent, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    reached_none = "reached no cluster: this program is not connected. Call ray.init(address=…) first"
    assert said[:3] == [f"works.thing.{how}() {reached_none}" for how in ("clear", "expire", "clear")]
    assert len(said) == 5
    assert "everything reached no cluster" in said[3]
    assert "tenure.clear_tag('a') reached no cluster" in said[4]


def test_d4_a_clear_that_cannot_reach_an_actor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_endings, "_ANSWERS", 1.0)
    process = thing("pump").process()
    thing("valve").add(1)
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionError, match="1 of 2 actors of the cluster did not answer"):
            tenure.cache_resource.clear()
        assert counted() == {"built pump": 1, "built valve": 1, "released valve: cleared": 1}
    finally:
        os.kill(process, signal.SIGCONT)
    # It does so once it can be reached.
    reached("released pump: cleared")


def test_d4_a_release_that_takes_longer_than_an_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from works import open_gate, slow_to_go

    monkeypatch.setattr(_endings, "_ANSWERS", 0.2)
    slow_to_go("pump").add(1)
    done = threading.Event()

    def clear() -> None:
        slow_to_go.clear()
        done.set()

    caller = threading.Thread(target=clear)
    caller.start()
    reached("releases pump")
    assert not done.wait(1.0)
    open_gate("release")
    caller.join()
    assert lines()[-1] == "released pump"


def test_d4_a_resource_may_clear_everything_from_within() -> None:
    import asyncio

    from works import clearing

    assert clearing("pump").clear_all() == "cleared"
    reached("released pump: cleared")

    async def main() -> str:
        return await (await client("pump")).clear_all()

    assert asyncio.run(main()) == "cleared"
    reached("released pump: cleared", 2)


def test_d4_a_call_behind_a_clear_builds_in_the_same_process() -> None:
    it = thing("pump")
    before = it.process()
    for end in (thing.clear, thing.expire, lambda name: tenure.cache_resource.clear()):
        end("pump")
        assert it.process() == before
    assert counted()["built pump"] == 4


def test_d4_a_call_behind_a_failed_build_builds_in_the_same_process() -> None:
    from works import Broken, failing_there, open_gate

    for _ in range(2):
        with pytest.raises(Broken):
            failing_there("pump")
    open_gate("repaired")
    failing_there("pump").add(1)
    tried = [it for it in lines() if it.startswith("tried")]
    assert len(tried) == 3
    assert len(set(tried)) == 1
