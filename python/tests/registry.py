"""A registry of crates on this machine: a sparse index, downloads, and uploads as cargo sends them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Registry:
    """What is published, and what was asked for."""

    address: str = ""
    index: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    crates: dict[str, bytes] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Names whose uploads it answers with an error."""
    broken: bool = False
    """Whether the index answers with an error."""

    def add(self, name: str, version: str, packed: bytes, dependencies: list[dict[str, object]]) -> None:
        line = {
            "name": name,
            "vers": version,
            "deps": dependencies,
            "cksum": hashlib.sha256(packed).hexdigest(),
            "features": {},
            "yanked": False,
        }
        self.index.setdefault(name, []).append(line)
        self.crates[f"{name}/{version}"] = packed

    def get(self, path: str) -> tuple[int, bytes]:
        if path == "/config.json":
            return 200, json.dumps({"dl": f"{self.address}/crates", "api": self.address}).encode()
        if path.startswith("/crates/"):
            name, version, _ = path.removeprefix("/crates/").split("/")
            return 200, self.crates[f"{name}/{version}"]
        if self.broken:
            return 503, b""
        name = path.rpartition("/")[2]
        if name not in self.index:
            return 404, b""
        return 200, "\n".join(json.dumps(line) for line in self.index[name]).encode()

    def put(self, body: bytes) -> tuple[int, bytes]:
        """Two parts, each after its length: what the manifest says, and the packed crate."""
        length = int.from_bytes(body[:4], "little")
        said, packed = json.loads(body[4 : 4 + length]), body[8 + length :]
        name = said["name"]
        self.uploads.append(name)
        if name in self.refused:
            return 429, json.dumps({"errors": [{"detail": "too many new crates"}]}).encode()
        if any(line["vers"] == said["vers"] for line in self.index.get(name, [])):
            return 400, json.dumps({"errors": [{"detail": f"{name} {said['vers']} exists"}]}).encode()
        dependencies = [{**it, "req": it.pop("version_req"), "package": None} for it in said["deps"]]
        self.add(name, said["vers"], packed, dependencies)
        return 200, b'{"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}}'


@contextmanager
def running() -> Iterator[Registry]:
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(*registry.get(self.path))

        def do_PUT(self) -> None:
            self.answer(*registry.put(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()
