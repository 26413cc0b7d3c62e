"""A3: under pytest-asyncio and anyio each test's loop has its own, released before the loop closes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CACHING = """
import asyncio
from collections.abc import AsyncIterator

import tenure

notes = []

@tenure.cache_resource(scope="loop")
async def pool(name: str = "pool") -> AsyncIterator[asyncio.AbstractEventLoop]:
    loop = asyncio.get_running_loop()
    yield loop
    await asyncio.sleep(0)
    assert asyncio.get_running_loop() is loop
    notes.append(f"{name} closes")

@tenure.cache_resource
def model() -> list[str]:
    return ["model"]
"""

LAST = """
import caching

def test_the_last_one_finds_all_released():
    info = caching.pool.info()
    assert (info.builds, info.entries, info.releases["session_ended"], info.release_failures) == (COUNT, 0, COUNT, 0)
    assert len(caching.notes) == COUNT
"""

PYTEST_ASYNCIO = """
import asyncio, caching, pytest, pytest_asyncio

@pytest_asyncio.fixture
async def own():
    yield await caching.pool("own")

# A cached function is a fixture as it is: its parameters are fixtures too.
@pytest.fixture
def name():
    return "named"

as_it_is = pytest_asyncio.fixture(caching.pool, name="as_it_is")

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def of_module():
    yield await caching.pool("module")

@pytest.mark.asyncio
async def test_a_fixture(own):
    assert own is asyncio.get_running_loop() is await caching.pool("own")

@pytest.mark.asyncio
async def test_each_loop_has_its_own(own, as_it_is):
    assert own is as_it_is is asyncio.get_running_loop()

@pytest.mark.asyncio(loop_scope="module")
async def test_a_loop_of_a_module(of_module):
    assert of_module is await caching.pool("module")

@pytest.mark.asyncio(loop_scope="module")
async def test_it_again(of_module):
    assert of_module is await caching.pool("module")
"""

ANYIO = """
import asyncio, caching, pytest

@pytest.fixture
def anyio_backend():
    return BACKEND

@pytest.fixture
async def own():
    yield await caching.pool("own")

@pytest.mark.anyio
async def test_a_fixture(own):
    assert own is asyncio.get_running_loop() is await caching.pool("own")

@pytest.mark.anyio
async def test_each_loop_has_its_own(own):
    assert own is asyncio.get_running_loop()
    assert caching.model() == ["model"]
"""


def on_trio(text: str) -> str:
    for name, its in ("get_running_loop", "lowlevel.current_trio_token"), ("AbstractEventLoop", "lowlevel.TrioToken"):
        text = text.replace(f"asyncio.{name}", f"trio.{its}")
    return text.replace("asyncio", "trio")


@pytest.mark.parametrize(
    ("caching", "tests", "count", "passed"),
    [
        (CACHING, PYTEST_ASYNCIO, 4, 5),
        (CACHING, ANYIO.replace("BACKEND", '"asyncio"'), 2, 3),
        (CACHING, ANYIO.replace("BACKEND", '("asyncio", {"use_uvloop": True})'), 2, 3),
        (on_trio(CACHING), on_trio(ANYIO.replace("BACKEND", '"trio"')), 2, 3),
    ],
    ids=["pytest-asyncio", "anyio", "anyio on uvloop", "anyio on trio"],
)
def test_a3_each_loop_of_a_test_run_releases_its_own(
    caching: str, tests: str, count: int, passed: int, tmp_path: Path
) -> None:
    (tmp_path / "caching.py").write_text(caching)
    (tmp_path / "test_it.py").write_text(tests)
    # Loops of a module end with it.
    (tmp_path / "test_last.py").write_text(LAST.replace("COUNT", str(count)))
    settings = ("-W", "error", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider")
    # The last test looks at what the others have left.
    isolation = "--tenure-isolation=off"
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", isolation, *settings, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert f"{passed} passed" in done.stdout.splitlines()[-1], done.stdout
    assert "Event loop is closed" not in done.stdout + done.stderr
