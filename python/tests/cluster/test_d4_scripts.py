"""D4: what a script has goes to the actor with its code, cached functions and methods among it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ray.cluster_utils import Cluster

SCRIPT = """
import sys
import ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
import tenure


@tenure.cache_resource(max_entries=2)
def part(name):
    return [name]


class Thing:
    def __init__(self, name):
        self.name = name
        self.part = part(name)

    def kept(self):
        return part(self.name) is self.part, part.info().builds, part.info().hits

    def named(self, service):
        return service.name, service.own.info().builds


class Service:
    def __init__(self, name):
        self.name = name

    @tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0}, tags=["services"])
    def thing(self, size):
        return Thing(f"{self.name} {size}")

    @tenure.cache_resource(ttl="1h")
    def own(self):
        return []

    @classmethod
    @tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0})
    def of_class(cls, name):
        return Thing(cls(name).name)


@tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0})
def thing(service):
    return Thing(service.name)


service = Service("pump")
print(service.thing(3).name)
print(service.thing(3).kept())
print(service.thing(3).named(service))
print(thing(service).name)
print(Service.of_class("valve").name)
tenure.cache_resource.clear()
"""


def test_d4_a_class_of_a_script_goes_there_with_its_cached_methods(cluster, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script, cluster.address], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["pump 3", "(True, 1, 1)", "('pump', 0)", "pump", "valve"]


FORKED = """
import os
import sys
import ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
import tenure


@tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0}, tags=["far"])
def far(name):
    return [name]


@tenure.cache_resource(tags=["near"])
def near(name):
    return [name]


kept = far("model")
child = os.fork()
if child == 0:
    first = near("it")
    tenure.clear_tag("near")
    assert near("it") is not first
    tenure.cache_resource.clear()
    for call in (lambda: far("model"), lambda: kept.index("model"), lambda: far.clear()):
        try:
            call()
        except (RuntimeError, ConnectionError) as error:
            print(type(error).__name__, error)
    tenure.shutdown()
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(kept.index("model"))
"""


def test_d4_l7_a_child_that_was_forked_is_in_no_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """D4, L7: Ray answers none. What it keeps itself is as ever, and what is far says so."""
    (tmp_path / "forked.py").write_text(FORKED)
    command = [sys.executable, str(tmp_path / "forked.py"), cluster.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert [line.split()[0] for line in told] == ["RuntimeError", "RuntimeError", "ConnectionError", "0"]
    for line in told[:3]:
        assert "forked" in line
        assert "spawn" in line
