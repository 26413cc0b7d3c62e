"""D4: handles and links of a session of Ray's that is over are dropped; the next call builds or finds anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import ray
from works import LOST, actors, counted, reached, thing, until

BEGIN = """
import asyncio, sys
import ray

def begin():
    ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)

begin()
from works import client, thing
it = thing("pump")
assert it.add(1) == 1

async def ask():
    return await (await client("pipe")).ask(1)
assert asyncio.run(ask()) == 2
ray.shutdown()
"""

AGAIN = {
    "handle": "begin(); assert it.add(1) == 1",
    "function": "begin(); assert thing('pump').add(1) == 1; assert it.add(2) == 2",
    "async": "begin(); assert asyncio.run(ask()) == 2",
    "clear": "begin(); thing.clear(); client.clear(); assert it.add(1) == 1; assert asyncio.run(ask()) == 2",
    "sessions": "for _ in range(3): begin(); assert it.add(1) == 1; ray.shutdown()",
    "one of two": "begin(); assert thing('valve').add(1) == 1",
    "stream": "begin(); s = it.steady('left'); next(s); ray.shutdown(); begin(); s.close(); assert it.add(1) == 1",
    "shut down": "pass",
    "over": "begin()",
}


def ended(address: str, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program, address],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        timeout=LOST,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", AGAIN.values(), ids=AGAIN.keys())
def test_d4_a_program_that_connects_again_goes_on(cluster, program: str) -> None:
    ended(cluster.address, program)
    # Each session's end is that of a user.
    until(lambda: actors() == [])
    assert {line: n for line, n in counted().items() if line.startswith("built")}.keys() >= {"built pump", "built pipe"}
    for name in ("pump", "valve", "pipe"):
        released = sum(n for line, n in counted().items() if line.startswith(f"released {name}"))
        assert released == counted()[f"built {name}"]


def test_d4_what_others_use_is_found_again(cluster) -> None:
    place = thing("pump").process()
    ended(cluster.address, "begin(); assert it.process() == thing('pump').process(); print(it.process())")
    assert thing("pump").process() == place
    assert counted()["built pump"] == 1
    reached("built pipe")


def test_d4_at_a_program_s_end_one_that_cannot_be_left_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenure.cluster import _ray

    class Stale:
        def begin_to_end(self, how: str) -> None:
            raise RuntimeError("its session is over")

    thing("pump").add(1)
    [link] = _ray.links.values()
    monkeypatch.setattr(_ray, "links", {"stale": Stale(), "good": link})
    _ray._leave()
    reached("released pump: shutdown")
    until(lambda: actors() == [])
    assert ray.is_initialized()
