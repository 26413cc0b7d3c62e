"""F6 for async functions: an edit leaves what the old function has entered, though the task that leaves it goes on."""

from __future__ import annotations

import gc
from typing import Any

import anyio
import pytest

import tenure
import tenure.testing
from world import LOST

MANAGER = """
class Manager:
    async def __aenter__(self):
        return VALUE

    async def __aexit__(self, *_):
        left.append(VALUE)
"""

KINDS = {
    "yields": """
@tenure.cache_resource(scope=SCOPE)
async def lines():
    yield VALUE
    left.append(VALUE)
""",
    "enters": MANAGER
    + """
@tenure.cache_resource(scope=SCOPE, enter=True)
async def lines():
    return Manager()
""",
    "releases": """
async def leave(value):
    left.append(value)

@tenure.cache_resource(scope=SCOPE, on_release=leave)
async def lines():
    return VALUE
""",
}


@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
@pytest.mark.parametrize("scope", ["loop", "global"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS)
def test_f6_an_edit_leaves_what_the_old_function_has_entered(
    clock: tenure.testing.Clock, text: str, backend: str, scope: str
) -> None:
    left: list[str] = []

    async def run(value: str) -> None:
        names: dict[str, Any] = {"__name__": "__main__", "tenure": tenure, "left": left, "SCOPE": scope}
        exec(text.replace("VALUE", repr(value)), names)
        assert await names["lines"]() == value

    async def main() -> None:
        await run("old")
        await run("new")
        gc.collect()
        with anyio.fail_after(LOST):
            while not left:
                await anyio.sleep(0)
        assert left == ["old"]

    anyio.run(main, backend=backend)
    assert left == ["old", "new"] or (scope == "global" and left == ["old"])
