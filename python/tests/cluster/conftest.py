"""Two nodes on this machine, for all tests of a run, and nothing of Tenure's left on them behind each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import tenure

pytest.importorskip("ray", reason='scope="cluster" needs Ray, which has no wheel for this Python or is not installed')

import ray
import works
from ray.cluster_utils import Cluster

#: Small enough that a few fit on any machine.
STORE = 80_000_000


def pytest_configure(config: pytest.Config) -> None:
    # Ray's own noise about what it imports and leaves open.
    for category in (
        "DeprecationWarning",
        "FutureWarning",
        "ResourceWarning",
        "pytest.PytestUnraisableExceptionWarning",
    ):
        config.addinivalue_line("filterwarnings", f"ignore::{category}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    # What the actors import: the nodes pass it on.
    os.environ["TENURE_FLEET_SECRET"] = "a secret of the tests, which is long enough"
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    nodes = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 4,
            "resources": {"head": 1},
            "include_dashboard": False,
            "object_store_memory": STORE,
        },
    )
    nodes.add_node(num_cpus=4, resources={"second": 1}, object_store_memory=STORE)
    ray.init(address=nodes.address, logging_level="ERROR", log_to_driver=False)
    on_head = {"head": 0.01}
    ledger = ray.remote(works.Ledger).options(
        name="ledger", namespace="tests", num_cpus=0, resources=on_head, max_concurrency=1000
    )
    kept = ledger.remote()
    ray.get(kept.read.remote())
    yield nodes
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(autouse=True)
def leaves_nothing(cluster: Cluster) -> Iterator[None]:
    ray.get(works.ledger().forget.remote())
    yield
    tenure.cache_resource.clear()
    # Each gives up its name when it has released what it held.
    works.until(lambda: works.actors() == [])
