"""D4: what a script has goes to the actor with its code, cached functions and methods among it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
