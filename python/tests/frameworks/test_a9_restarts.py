"""A9, A3 with real servers: a FastAPI app that is restarted under load says goodbye to PostgreSQL each time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from database import EXAMPLE, Server

from ports import free_port
from world import LOST

RESTARTS = 20 if os.environ.get("TENURE_TESTS") == "long" else 3
CLIENTS = 8
WRONG = ("Traceback", "unclosed transport", "unclosed event loop", "never awaited", "not released", "loop is closed")
"""What no server says. Of the socket that it listens on, uvicorn's parent says that it leaves it open."""
PATHS = ["/orders", "/suggest?word=cornflour", "/price/poppy", "/kept"]


class Load:
    """Clients that ask without a pause, on connections that they keep and open anew."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: Counter[int | str] = Counter()
        self.answered = asyncio.Event()
        self._is_over = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    def stop(self) -> None:
        self._is_over = True

    async def until_answered(self, count: int = 200) -> None:
        """Until so many more requests have been answered well."""
        before = self.seen[200]
        async with asyncio.timeout(LOST):
            while self.seen[200] < before + count:
                self.answered.clear()
                await self.answered.wait()

    async def _client(self, number: int) -> None:
        turn = number
        while not self._is_over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                self.seen["refused"] += 1
                await asyncio.sleep(0.01)
                continue
            try:
                while not self._is_over:
                    turn += 1
                    path = PATHS[turn % len(PATHS)]
                    writer.write(f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode())
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                    await reader.readexactly(length)
                    self.seen[int(head.split()[1])] += 1
                    self.answered.set()
            except (OSError, asyncio.IncompleteReadError):
                self.seen["lost"] += 1
            finally:
                writer.close()


async def supply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Somebody else's service, which outlives the app."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n17")
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


async def goodbyes(postgresql: Server, before: str) -> tuple[int, int]:
    """How many connections the server has seen, all of which are over, and how many of them left without a goodbye."""
    for _ in range(int(LOST / 0.01)):
        connects, disconnects = postgresql.seen()
        if connects == disconnects:
            break
        await asyncio.sleep(0.01)
    assert connects == disconnects
    news = postgresql.log.read_text(errors="replace").removeprefix(before)
    assert "ERROR" not in news
    return news.count("connection authorized"), news.count("unexpected EOF on client connection")


@pytest.mark.parametrize("server_of", [["--workers", "1"], ["--workers", "2"], ["--loop", "uvloop"]], ids=" ".join)
def test_a9_a_server_that_restarts_under_load_leaves_no_connection(
    postgresql: Server, server_of: list[str], tmp_path: Path
) -> None:
    port = free_port()
    before = postgresql.log.read_text(errors="replace")
    settings = ["--port", str(port), "--no-access-log", "--app-dir", str(EXAMPLE)]
    command = [sys.executable, "-m", "uvicorn", "app:app", *settings, *server_of]
    env = {**os.environ, "DATABASE_URL": postgresql.url, "PYTHONWARNINGS": "default::ResourceWarning"}

    async def main() -> None:
        supplier = await asyncio.start_server(supply, "127.0.0.1", 0)
        env["SUPPLIER_URL"] = f"http://127.0.0.1:{supplier.sockets[0].getsockname()[1]}"
        load = Load(port)
        running = asyncio.create_task(load.run())
        try:
            await restarted(load)
        finally:
            load.stop()
            await running
            supplier.close()
        # What was asked was answered, or the model was busy; the rest came while no server was there.
        assert set(load.seen) <= {200, 503, "refused", "lost"}, load.seen
        connects, lost = await goodbyes(postgresql, before)
        print(f"{RESTARTS} restarts: {dict(load.seen)}, {connects} connections, {lost} without a goodbye")
        assert connects >= 2 * RESTARTS
        assert lost == 0

    async def restarted(load: Load) -> None:
        for number in range(RESTARTS):
            said = tmp_path / f"{number}.log"
            with said.open("w") as log:
                process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
            try:
                await load.until_answered()
                process.send_signal(signal.SIGTERM)
                status = await asyncio.to_thread(process.wait, LOST)
            finally:
                process.kill()
                process.wait()
            text = said.read_text()
            assert status in (0, -signal.SIGTERM), text
            for wrong in WRONG:
                assert wrong not in text, text

    asyncio.run(main())


GLOBALS = """
import os
import tenure.asgi

def close(name):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{name} closes\\n")

@tenure.cache_resource(on_release=close)
def model():
    return "model"

async def nothing(scope, receive, send):
    pass

app = tenure.asgi.Middleware(nothing, warm=[model], shutdown=True)
"""


def test_a9_the_workers_of_a_server_release_what_is_the_processes_own(tmp_path: Path) -> None:
    (tmp_path / "globals.py").write_text(GLOBALS)
    notes = tmp_path / "notes"
    command = [sys.executable, "-m", "uvicorn", "globals:app", "--app-dir", str(tmp_path), "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--port", str(free_port())],
        env={**os.environ, "NOTES": str(notes)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        started = 0
        for line in process.stderr:
            started += "Application startup complete" in line
            if started == 2:
                break
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        process.wait(LOST)
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()
    assert notes.read_text() == "model closes\n" * 2


def test_a9_postgresql_tells_of_those_who_leave_without_a_goodbye(postgresql: Server) -> None:
    """Shows that the log above would say so."""
    before = postgresql.log.read_text(errors="replace")
    program = f"""
import asyncio, asyncpg, os

async def main():
    pool = await asyncpg.create_pool({postgresql.url!r}, min_size=2)
    os._exit(0)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=LOST)
    assert asyncio.run(goodbyes(postgresql, before)) == (2, 2)
