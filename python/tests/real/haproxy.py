"""HAProxy in front of several servers of one app; it keeps a browser with the server that has its session."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LOST = 60
# The cookie that says which server a browser stays with.
COOKIE = "server"

CONFIGURATION = f"""
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    retries 20
frontend app
    bind 127.0.0.1:{{port}}
    default_backend servers
backend servers
    balance roundrobin
    cookie {COOKIE} insert indirect nocache
"""


class Missing(Exception):
    """There is no proxy here; the text says why."""


@contextmanager
def proxy(port: int, servers: Mapping[str, int]) -> Iterator[str]:
    """Runs a proxy on this port for servers by name, each on its port, and gives the proxy's URL."""
    program = shutil.which("haproxy")
    if program is None:
        raise Missing("HAProxy is not installed (on Debian: apt-get install haproxy)")
    lines = [f"    server {name} 127.0.0.1:{at} cookie {name}" for name, at in servers.items()]
    with tempfile.TemporaryDirectory(prefix="haproxy-") as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(port=port) + "\n".join(lines) + "\n", encoding="utf-8")
        process = subprocess.Popen(
            [program, "-f", str(file), "-db"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(LOST)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + LOST
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=LOST).close()
        except ConnectionError:
            time.sleep(0.01)
        else:
            return
    raise Missing("the proxy did not start")
