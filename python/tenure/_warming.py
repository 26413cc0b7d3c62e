"""What `tenure run --warm module:function` calls as the server starts, and the line in the terminal that says so."""

from __future__ import annotations

import importlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from tenure import _warm
from tenure._warm import Warming

__all__ = ["begin", "taken"]


def taken(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments without each `--warm name`, and those names. What follows a `--` is the app's."""
    rest: list[str] = []
    named: list[str] = []
    given = iter(arguments)
    for it in given:
        if it == "--":
            rest += [it, *given]
        elif it == "--warm":
            named.append(next(given, ""))
        elif it.startswith("--warm="):
            named.append(it.removeprefix("--warm="))
        else:
            rest.append(it)
    return rest, named


def begin(named: Sequence[str], app: str) -> str | None:
    """Has everything named called, on a thread beside the server that starts. Gives what is wrong with a name."""
    # As a script finds them: beside the app, and where the command stands.
    for folder in (str(Path.cwd()), str(Path(app).resolve().parent)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    found: list[tuple[str, Callable[[], Any]]] = []
    for name in named:
        try:
            found.append((name, _function(name)))
        except Exception as error:
            why = str(error) if isinstance(error, _NotFound) else traceback.format_exc()
            return f"--warm {name}: {why}"
    if found:
        # Until all of it has been called, nobody knows what it will warm.
        _warm.pending(1)
        threading.Thread(target=_begun, args=(found,), name="tenure warm", daemon=True).start()
    return None


def _begun(found: Sequence[tuple[str, Callable[[], Any]]]) -> None:
    try:
        _run(found, sys.stderr)
    finally:
        _warm.pending(-1)


class _NotFound(Exception):
    pass


def _function(name: str) -> Callable[[], Any]:
    module, colon, attributes = name.partition(":")
    if not (module and colon and attributes):
        raise _NotFound("write module:function. Example: --warm models:load")
    found: Any = importlib.import_module(module)
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise _NotFound(f"there is no {attributes} in {found.__name__}") from None
    if not callable(found):
        raise _NotFound(f"{attributes} in {module} is no function but {found!r}")
    return found  # type: ignore[no-any-return]


def _run(found: Sequence[tuple[str, Callable[[], Any]]], to: TextIO) -> None:
    began = time.monotonic()
    line = _Line(to)
    failed = 0
    for number, (name, function) in enumerate(found, 1):
        line.write(f"tenure: warming {name} ({number} of {len(found)})")
        try:
            # A cached function is warmed so that it counts as no call.
            given = getattr(function, "warm", function)()
        except Exception:
            failed += 1
            line.end()
            to.write(f"tenure: {name} could not be warmed\n{traceback.format_exc()}")
            continue
        if isinstance(given, Warming):
            while not given.wait(0.1):
                line.count(f"tenure: warming {name} ({number} of {len(found)}): {given.done} of {given.total}")
            # Each has been logged.
            failed += len(given.failures)
    line.write(f"tenure: warm after {time.monotonic() - began:.1f} s" + (f", {failed} failed" if failed else ""))
    line.end()


class _Line:
    """A line that is written over where a terminal is; elsewhere what it says at last is a line each."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._moves = to.isatty()

    def write(self, text: str) -> None:
        self._to.write(f"\r\x1b[K{text}" if self._moves else f"{text}\n")
        self._to.flush()

    def count(self, text: str) -> None:
        if self._moves:
            self.write(text)

    def end(self) -> None:
        if self._moves:
            self._to.write("\n")
            self._to.flush()
