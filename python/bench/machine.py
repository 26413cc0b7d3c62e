"""Which machine this is, and how much of it a measurement uses."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    *("tenure", "streamlit", "cachetools", "cachebox", "async-lru", "asyncstdlib", "aiocache", "cachier", "cashews"),
    *("numpy", "pandas", "polars", "pydantic"),
)


def describe() -> dict[str, str]:
    """Names the processor, the cores that may be used, the interpreter and the packages."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


@contextmanager
def one_core() -> Iterator[None]:
    """Keeps the process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(every)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
