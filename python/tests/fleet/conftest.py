"""A server of the test's own, and worlds of members on it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_world import Server, World


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        if os.environ.get("TENURE_REDIS_REQUIRED"):
            pytest.fail("there is no redis-server on the path")
        pytest.skip("there is no redis-server on the path (on Debian: apt-get install redis-server)")
    server = Server(program, tmp_path)
    yield server
    server.signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def world(tmp_path: Path, server: Server) -> Iterator[World]:
    world = World(tmp_path, server)
    yield world
    world.close()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[World]:
    """Members whose server is nowhere."""
    world = World(tmp_path, None)
    yield world
    world.close()
