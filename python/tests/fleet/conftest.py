"""A server of the test's own, and members of a fleet on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "real"))

import redis_server
from fleet_world import World


@pytest.fixture
def server() -> Iterator[redis_server.Server]:
    try:
        with redis_server.server() as server:
            yield server
    except redis_server.Missing as missing:
        if os.environ.get("TENURE_REDIS_REQUIRED"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def world(tmp_path: Path, server: redis_server.Server) -> Iterator[World]:
    world = World(tmp_path, server)
    yield world
    world.close()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[World]:
    """Members whose server is nowhere."""
    world = World(tmp_path, None)
    yield world
    world.close()
