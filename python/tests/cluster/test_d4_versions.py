"""D4: what an actor imports is the version that the program has which calls it, or is refused."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from works import actors, until

SOURCE = """
import os
import tenure

there = {"env_vars": {"PYTHONPATH": os.path.dirname(__file__)}}

def settled():
    return "!"

@tenure.cache_resource(scope="cluster", ray_options={"num_cpus": 0, "runtime_env": there}, ttl="1h", show_spinner=False)
def made(name):
    return f"first {name}"
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "deployed.py"
    path.write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    sys.modules.pop("deployed").made.clear()


@pytest.mark.parametrize(
    "change", [("first {name}", "second {name}"), ('ttl="1h"', 'ttl="2 hours"')], ids=["code", "ttl"]
)
def test_d4_another_version_on_the_node_is_refused(module: Path, change: tuple[str, str]) -> None:
    deployed = importlib.import_module("deployed")
    module.write_text(SOURCE.replace(*change))
    for _ in range(2):
        with pytest.raises(ImportError, match="deployed.made is not the same in the actor.*start the program again"):
            deployed.made("pump")
        until(lambda: actors() == [])
    module.write_text(SOURCE)
    assert deployed.made("pump").upper() == "FIRST PUMP"


def test_d4_a_change_elsewhere_in_its_file_is_none_of_the_function_s(module: Path) -> None:
    deployed = importlib.import_module("deployed")
    module.write_text(SOURCE.replace('"!"', '"?"') + "\nMORE = 1\n")
    assert deployed.made("pump").upper() == "FIRST PUMP"
