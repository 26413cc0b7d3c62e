"""An order desk on FastAPI: what it needs is injected, built once per server, and released when that stops."""

from __future__ import annotations

from typing import Annotated, Any

import asyncpg
import httpx
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, PositiveInt

import tenure.asgi
from resources import Busy, Model, model, pool, supplier

# The first request finds the pool and the model there. At the end the model goes, then the pool, and the loop last.
app = FastAPI(title="Order desk", lifespan=tenure.asgi.lifespan(warm=[pool, model]))


class Order(BaseModel):
    item: str
    pieces: PositiveInt


@app.post("/orders", status_code=201)
async def order(order: Order, db: Annotated[asyncpg.Pool, Depends(pool)]) -> dict[str, int]:
    text = "insert into orders (item, pieces) values ($1, $2) returning id"
    return {"number": await db.fetchval(text, order.item, order.pieces)}


@app.get("/orders")
async def orders(db: Annotated[asyncpg.Pool, Depends(pool)]) -> list[Order]:
    rows = await db.fetch("select item, pieces from orders order by id desc limit 20")
    return [Order(**row) for row in rows]


@app.get("/suggest")
async def suggest(word: str, model: Annotated[Model, Depends(model)]) -> str:
    try:
        return await model.suggest(word)
    except Busy:
        raise HTTPException(503, "the model is busy") from None


@app.get("/price/{item}")
async def price(item: str, client: Annotated[httpx.AsyncClient, Depends(supplier)]) -> Any:
    try:
        response = await client.get(f"/{item}")
        return response.raise_for_status().json()
    except httpx.HTTPError as error:
        raise HTTPException(502, "the supplier does not answer") from error


@app.get("/supplier/{item}")
def supplier_of_the_demo(item: str) -> dict[str, Any]:
    """Stands for somebody else's service."""
    return {"item": item, "cents": 100 + len(item)}


@app.get("/kept")
def kept() -> dict[str, dict[str, int]]:
    """What is kept, and how often it was built."""
    functions = {"pool": pool, "supplier": supplier, "model": model}
    return {name: {"entries": it.info().entries, "builds": it.info().builds} for name, it in functions.items()}
