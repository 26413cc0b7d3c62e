"""A2, L1: a check that ends without an answer holds nothing any longer, whoever keeps its exception."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import tenure
from loops import outcome
from world import Ledger, Thing, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def checked(ledger: Ledger, validate: Any) -> Any:
    @tenure.cache_resource(validate=validate, on_release=ledger.release)
    async def thing() -> Thing:
        return ledger.build()

    return thing


def is_released_at_once(thing: Any) -> None:
    thing.clear()
    assert releases(thing) == {"cleared": 1}
    assert thing.info().draining == 0


def test_a2_a_cancelled_check_holds_nothing(ledger: Ledger) -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def validate(_: Thing) -> bool:
            asked.set()
            await asyncio.Event().wait()
            return True

        thing = checked(ledger, validate)
        await thing()
        caller = asyncio.create_task(thing())
        await asked.wait()
        caller.cancel()
        error = await outcome(caller)
        assert isinstance(error, asyncio.CancelledError)
        assert error.__traceback__ is not None
        is_released_at_once(thing)

    asyncio.run(main())


class Ends(BaseException):
    pass


def ends(_: Thing) -> bool:
    raise Ends


async def ends_later(_: Thing) -> bool:
    await asyncio.sleep(0)
    raise Ends


async def no_boolean(_: Thing) -> Any:
    return 1


@pytest.mark.parametrize(
    ("validate", "kind"), [(lambda _: 1, TypeError), (no_boolean, TypeError), (ends, Ends), (ends_later, Ends)]
)
def test_a2_l9_a_check_that_raises_for_its_caller_holds_nothing(
    validate: Callable[[Thing], Any], kind: type[BaseException], ledger: Ledger
) -> None:
    thing = checked(ledger, validate)

    async def main() -> None:
        await thing()
        error = await outcome(thing())
        assert type(error) is kind
        assert error.__traceback__ is not None
        is_released_at_once(thing)

    asyncio.run(main())
