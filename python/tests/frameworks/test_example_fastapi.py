"""The example: FastAPI on PostgreSQL, and the same file of caching code under Starlette, Litestar and Quart."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from typing import Annotated, Any

import litestar
import pytest
import quart
from database import EXAMPLE, Server
from fastapi.testclient import TestClient
from litestar.di import Provide
from litestar.params import Dependency
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import tenure.asgi
from ports import free_port
from served import Client, serving
from world import releases

ROOT = EXAMPLE.parents[1]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def resources(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_URL", postgresql.url)
    import resources

    return resources


def test_a9_the_example_keeps_one_of_each(resources: Any) -> None:
    from app import app

    before = resources.pool.info().builds
    with TestClient(app) as client:
        assert client.post("/orders", json={"item": "poppy", "pieces": 3}).json()["number"] > 0
        assert client.post("/orders", json={"item": "poppy", "pieces": 0}).status_code == 422
        assert client.get("/orders").json()[0] == {"item": "poppy", "pieces": 3}
        assert client.get("/suggest?word=cornflour").json() == "cornflower"
        # Nobody listens there.
        assert client.get("/price/poppy").status_code == 502
        assert client.get("/supplier/poppy").json() == {"item": "poppy", "cents": 105}
        assert {it["entries"] for it in client.get("/kept").json().values()} == {1}
        assert resources.pool.info().builds == before + 1
    assert resources.pool.info().entries == 0
    assert resources.pool.info().release_failures == 0


def test_a9_the_models_worker_is_bounded(resources: Any) -> None:
    async def main() -> None:
        async with tenure.asgi.lifespan():
            model = await resources.model()
            asked = [model.suggest("popy") for _ in range(model.CALLERS * 2)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert answers.count("poppy") == model.CALLERS
            assert sum(isinstance(it, resources.Busy) for it in answers) == model.CALLERS
            assert await model.suggest("clovr") == "clover"

    asyncio.run(main())


def starlette_app(resources: Any) -> Any:
    async def items(request: Any) -> JSONResponse:
        return JSONResponse(await (await resources.pool()).fetchval("select count(*) from items"))

    async def suggest(request: Any) -> JSONResponse:
        return JSONResponse(await (await resources.model()).suggest(request.path_params["word"]))

    lifespan = tenure.asgi.lifespan(warm=[resources.pool])
    return Starlette(routes=[Route("/items", items), Route("/suggest/{word}", suggest)], lifespan=lifespan)


def litestar_app(resources: Any) -> Any:
    @litestar.get("/items", dependencies={"db": Provide(resources.pool)})
    async def items(db: Annotated[Any, Dependency(skip_validation=True)]) -> int:
        return int(await db.fetchval("select count(*) from items"))

    @litestar.get("/suggest/{word:str}", dependencies={"model": Provide(resources.model)})
    async def suggest(word: str, model: Annotated[Any, Dependency(skip_validation=True)]) -> str:
        return json.dumps(await model.suggest(word))

    return litestar.Litestar([items, suggest], lifespan=[tenure.asgi.lifespan(warm=[resources.pool])])


def quart_app(resources: Any) -> Any:
    app = quart.Quart(__name__)

    @app.get("/items")
    async def items() -> str:
        return str(await (await resources.pool()).fetchval("select count(*) from items"))

    @app.get("/suggest/<word>")
    async def suggest(word: str) -> str:
        return json.dumps(await (await resources.model()).suggest(word))

    return tenure.asgi.Middleware(app, warm=[resources.pool])


@pytest.mark.parametrize("make", [starlette_app, litestar_app, quart_app])
def test_a9_the_same_file_serves_other_frameworks(resources: Any, make: Callable[[Any], Any]) -> None:
    before = releases(resources.pool)

    async def main() -> None:
        app = make(resources)
        async with serving(app):
            client = Client(app)
            assert resources.pool.info().entries == 1
            answers = await asyncio.gather(*(client.get("/suggest/sunflour") for _ in range(5)))
            assert answers == ['"sunflower"'] * 5
            assert await client.get("/items") == "5"
        assert resources.pool.info().entries == resources.model.info().entries == 0

    asyncio.run(main())
    assert releases(resources.pool) - before == {"session_ended": 1}


def test_the_commands_of_the_example(resources: Any) -> None:
    """What `make demo-fastapi` runs, and what the page asks of it."""
    page = (EXAMPLE / "README.md").read_text()
    curl = re.search(r"^curl (.*)$", page, re.MULTILINE)
    assert curl is not None
    port = free_port()
    env = {**os.environ, "SUPPLIER_URL": f"http://127.0.0.1:{port}/supplier"}
    command = [ROOT / "scripts" / "with-postgresql", sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLE]
    process = subprocess.Popen(
        [sys.executable, *command, "--port", str(port), "app:app"], env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "Uvicorn running" in line:
                break
        answers = []
        for address in curl[1].replace("'", "").split():
            url = "http://" + address.replace("localhost:8000", f"127.0.0.1:{port}")
            with urllib.request.urlopen(url, timeout=60) as response:
                answers.append(json.load(response))
        process.send_signal(signal.SIGTERM)
        said += process.stderr.readlines()
        assert process.wait(60) == 0, said
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()
    assert answers[:2] == ["cornflower", {"item": "poppy", "cents": 105}]
    assert answers[2] == dict.fromkeys(["pool", "supplier", "model"], {"entries": 1, "builds": 1})
    assert not any("Traceback" in line for line in said), "".join(said)
