"""A server that has the inspector as its whole page, on the port that it is told, and two functions to show."""

from __future__ import annotations

import os
import sys

import uvicorn

import tenure
import tenure.asgi


@tenure.cache_resource
def pool(name: str) -> list[str]:
    return [name]


def rates() -> list[str]:
    return []


# A name that whoever writes the page must not take for markup.
rates.__qualname__ = '<img src=x onerror="document.title=1">'
rates = tenure.cache_resource(rates)

pool("a"), pool("b"), pool("b"), rates()
uvicorn.run(
    tenure.asgi.inspector(token=os.environ.get("TOKEN")), host="127.0.0.1", port=int(sys.argv[1]), log_level="info"
)
