"""The extras of the wheel: each installed from the registry into a new environment, and one line that needs it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import strangers
from steps import ROOT, Failed, run, step

STREAMLIT = """
import streamlit, tenure
tenure.streamlit.install()
assert streamlit.cache_resource is tenure.cache_resource
"""
METRICS = """
import prometheus_client, tenure, tenure.metrics
tenure.cache_resource(lambda: "built")()
tenure.metrics.register()
assert b"tenure_builds_total{" in prometheus_client.generate_latest()
"""
OPENTELEMETRY = """
import tenure.metrics
tenure.metrics.instrument()
"""
FLEET = """
import sys, tenure
tenure.configure(fleet="unix://" + sys.argv[1], fleet_secret="known to all members alike")
tenure.cache_resource(lambda: "built")()
[member] = tenure.info(fleet=True).members
assert member.entries == 1
"""
TOP = """
import os, subprocess, sys, tenure
tenure.configure(top=True)
tenure.cache_resource(lambda: "built")()
shown = subprocess.run([sys.executable, "-m", "tenure", "top", str(os.getpid())], capture_output=True, text=True)
assert "<lambda>" in shown.stdout, shown
"""
LINES = {"streamlit": STREAMLIT, "metrics": METRICS, "opentelemetry": OPENTELEMETRY, "top": TOP}


def check(wheel: Path, folder: Path) -> None:
    for extra, line in LINES.items():
        with step(f"tenure[{extra}]: installed, and a line that needs it"):
            run(installed(wheel, extra, folder), "-c", line, cwd=folder)
    with step("tenure[fleet]: installed, and a line with a server"), server(folder) as socket:
        run(installed(wheel, "fleet", folder), "-c", FLEET, socket, cwd=folder)
    # Hundreds of megabytes for what `make test-cluster` has: that everything is there is enough here.
    with step("tenure[ray]: everything that it needs can be had"):
        python = strangers.environment(Path(sys.executable), folder / "ray")
        said = run(python, "-m", "pip", "install", "--dry-run", f"{wheel}[ray]", cwd=folder)
        if " ray-" not in said:
            raise Failed(f"tenure[ray] brings no Ray: {said}")


def installed(wheel: Path, extra: str, folder: Path) -> Path:
    python = strangers.environment(Path(sys.executable), folder / extra)
    run(python, "-m", "pip", "install", "--no-compile", f"{wheel}[{extra}]", cwd=folder)
    return python


@contextmanager
def server(folder: Path) -> Iterator[Path]:
    """A Redis of its own, on a socket."""
    run(ROOT / "scripts/debian", "redis-server", "redis-server", cwd=ROOT)
    socket = folder / "redis.sock"
    started = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            if started.poll() is not None or time.monotonic() > deadline:
                raise Failed("redis-server does not start")
            time.sleep(0.05)
        yield socket
    finally:
        started.terminate()
        started.wait()
