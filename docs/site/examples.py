"""Examples of docstrings as code: a `>>>` that stands in no section of examples would be read as a quotation."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

BLOCK = re.compile(r"(?m)^>>> (?:.+\n?)+")


class Examples(Extension):
    """Puts fences around them."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Reads the docstring of one object."""
        if obj.docstring and "Examples\n---" not in obj.docstring.value:
            obj.docstring.value = BLOCK.sub(lambda it: f"```pycon\n{it[0].rstrip()}\n```\n", obj.docstring.value)
