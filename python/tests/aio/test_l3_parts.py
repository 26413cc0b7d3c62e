"""L3, A5: the log names the part of a release that raised, `on_release` or the teardown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import tenure

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


@pytest.mark.parametrize("on_release", [None, lambda thing: 1 // 0])
def test_a5_l3_the_log_names_the_part_of_a_release_that_raised(
    on_release: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @tenure.cache_resource(on_release=on_release)
    def blocking() -> Iterator[list[int]]:
        yield []
        raise OSError("the teardown fails")

    @tenure.cache_resource(on_release=on_release, scope="loop")
    async def on_loop() -> AsyncIterator[list[int]]:
        yield []
        raise OSError("the teardown fails")

    @tenure.cache_resource(on_release=on_release, scope="loop")
    async def returns() -> list[int]:
        return []

    async def main() -> None:
        await on_loop()
        await returns()

    blocking()
    blocking.clear()
    asyncio.run(main())
    told = [(it.split(" of ")[0], it.rsplit(".", 1)[1]) for it in caplog.messages]
    if on_release is None:
        assert told == [
            ("the teardown", "blocking raised (cause: cleared)"),
            ("the teardown", "on_loop raised (cause: session_ended)"),
        ]
    else:
        assert told[:2] == [
            ("on_release", "blocking raised (cause: cleared)"),
            ("the teardown", "blocking raised (cause: cleared)"),
        ]
        assert sorted(told[2:]) == [
            ("on_release", "returns raised (cause: session_ended)"),
            # Both may raise, and it is not said which.
            ("the release", "on_loop raised (cause: session_ended)"),
            ("the release", "on_loop raised (cause: session_ended)"),
        ]
