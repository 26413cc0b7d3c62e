"""The ledger: what the cached functions of the demo built, and what was released.

It is a module, so there is one for the whole server, whatever the cache does. Every session's
script thread writes to it, and so does whichever thread releases: all of it is behind one lock.

Where the environment names a file in `SHOP_EVENTS`, each line of the ledger is also written there
as JSON, for a program that watches the demo.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    """One line of the ledger: `kind` was "built" or "released" at `at` (seconds since the epoch)."""

    event: str
    kind: str
    object: str
    number: int
    at: float


_lock = threading.Lock()
_builds: Counter[str] = Counter()
_releases: Counter[str] = Counter()
_numbers: dict[int, int] = {}
_events: deque[Event] = deque(maxlen=500)


def identity(thing: object) -> str:
    """The object's identity as six hex digits."""
    return f"{id(thing) & 0xFFFFFF:06x}"


def built(kind: str, thing: T) -> T:
    """Note that `thing` was built, and hand it back."""
    with _lock:
        _builds[kind] += 1
        # An address is used again once its object is gone; the number tells the two apart.
        _numbers[id(thing)] = _builds[kind]
        _note("built", kind, thing)
    return thing


def released(kind: str, thing: object) -> None:
    """Note that `thing` was released."""
    with _lock:
        _releases[kind] += 1
        _note("released", kind, thing)


def number(thing: object) -> int:
    """Which build of its kind made this object: 1 for the first."""
    with _lock:
        return _numbers.get(id(thing), 0)


def builds(kind: str) -> int:
    """How often this kind was built since the server started."""
    with _lock:
        return _builds[kind]


def releases(kind: str) -> int:
    """How often this kind was released since the server started."""
    with _lock:
        return _releases[kind]


def events() -> list[Event]:
    """The latest lines, newest first."""
    with _lock:
        return list(reversed(_events))


def _note(event: str, kind: str, thing: object) -> None:
    entry = Event(event, kind, identity(thing), _numbers.get(id(thing), 0), time.time())
    _events.append(entry)
    path = os.environ.get("SHOP_EVENTS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry)) + "\n")
