"""The caching code of one program, which knows no framework: the apps of the tests share it as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import tenure

notes: list[str] = []


class Pool:
    def __init__(self, size: int) -> None:
        self.size = size
        self.is_open = True


@tenure.cache_resource(scope="loop")
async def pool(size: int = 4) -> AsyncIterator[Pool]:
    made = Pool(size)
    notes.append(f"pool of {size} opens")
    yield made
    made.is_open = False
    notes.append(f"pool of {size} closes")


@tenure.cache_resource(scope="loop")
async def client(base: str = "http://shop.example") -> dict[str, str]:
    return {"base": base}


@tenure.cache_resource
def model(name: str = "small") -> Iterator[dict[str, str]]:
    yield {"name": name}


@tenure.cache_resource(scope="session")
async def basket() -> AsyncIterator[list[str]]:
    basket_of_one: list[str] = []
    notes.append("basket opens")
    yield basket_of_one
    notes.append(f"basket of {len(basket_of_one)} closes")
