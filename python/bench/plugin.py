"""What the pytest plugin adds to a test."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from loops import interleaved
from rows import Row, at_most

ADDED = "pytest: what the plugin adds to a test"
TESTS = 2_000
SOURCE = f"""
import pytest
import tenure

@tenure.cache_resource
def pool(number):
    return [number]

@pytest.mark.parametrize("number", range({TESTS}))
def test(number):
    assert pool(number) == [number]
"""


def measure(rounds: int, seconds: float, wanted: Callable[[str], bool]) -> list[Row]:
    """Runs the row if it is wanted."""
    if not wanted(ADDED):
        return []
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder, "test_pool.py")
        tests.write_text(SOURCE)
        whole = interleaved(
            min(rounds, 5),
            {"with": lambda: _ran(tests), "without": lambda: _ran(tests, "-p", "no:tenure")},
        )
    added = (whole["with"] - whole["without"]) / TESTS
    return [Row(ADDED, {"tenure": added}, goals=[at_most(1e-3, "1 ms")])]


def _ran(tests: Path, *options: str) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(tests)]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTEST_ADDOPTS": ""})
    assert f"{TESTS} passed" in ran.stdout, ran.stdout
    return time.perf_counter() - begun
