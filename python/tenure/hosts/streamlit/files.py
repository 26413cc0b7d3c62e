"""The files of what a build puts on the page: kept for every session that a hit shows them to.

Streamlit drops a file when no session's last run has shown it, and its replay keeps those of images, sounds and videos
only: a PDF would be gone from the page with the next run, and the file of a download button with the one after. So
files are noted where all of them arrive, at Streamlit's file manager, and a hit gives them to it again.

Why is a file kept under its own name, and not under the place that it was recorded at?
    Streamlit keeps one file for each place on a session's page. In another session, or later in the same one, another
    file may stand at that place, and one of the two would be dropped.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from streamlit import runtime


class File:
    """One call of the file manager's `add` or `add_deferred`, and the name that it gave the file."""

    __slots__ = ("_arguments", "_kind", "_signature", "name")

    def __init__(self, name: str, kind: str, given: inspect.BoundArguments) -> None:
        self.name = name
        self._kind = kind
        self._signature = given.signature
        # At the place of its own name, and with the manager there is then.
        self._arguments = {**given.arguments, "coordinates": name, "self": None}

    def keep(self) -> str:
        """Keeps the file for the session that asks, and returns its name there: new each time for a deferred one."""
        manager = runtime.get_instance().media_file_mgr
        arguments = OrderedDict({**self._arguments, "self": manager})
        given = inspect.BoundArguments(self._signature, arguments)
        name: str = getattr(type(manager), self._kind)(*given.args, **given.kwargs)
        return name


def keep(files: Iterable[File]) -> dict[str, str]:
    """The names that the files have for the session that asks, by the recorded ones, where they differ."""
    return {file.name: now for file in files if (now := file.keep()) != file.name}


def renamed(messages: list[Any], names: dict[str, str]) -> list[Any]:
    """The messages with the names that their deferred downloads have now."""
    return [_renamed(message, names) for message in messages] if names else messages


def _renamed(message: Any, names: dict[str, str]) -> Any:
    name = names.get(getattr(message.message, "deferred_file_id", ""))
    if name is None:
        return message
    element = type(message.message)()
    element.CopyFrom(message.message)
    element.deferred_file_id = name
    return dataclasses.replace(message, message=element)
