"""The PostgreSQL server of the tests here, and the example's folder on the path."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
EXAMPLE = TESTS.parents[1] / "examples" / "fastapi"
sys.path += [str(TESTS / "real"), str(EXAMPLE)]

from postgres import Missing, Server, server  # noqa: E402

__all__ = ["EXAMPLE", "Server", "running"]


def running() -> Iterator[Server]:
    try:
        # By itself it says nothing of an idle client that is gone without a goodbye.
        with server("log_min_messages=debug1") as it:
            yield it
    except Missing as missing:
        if os.environ.get("TENURE_POSTGRESQL_REQUIRED"):
            raise
        pytest.skip(str(missing))
