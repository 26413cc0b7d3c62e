"""The time that a test is shown by freezegun or time-machine, for cached functions that go by it.

Neither is imported here: whoever freezes the time has done so.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from typing import Any

__all__ = ["shown"]

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


def shown() -> int | None:
    """The time that the test is shown, in nanoseconds since 1970; None where it is the system's."""
    machine: Any = sys.modules.get("time_machine")
    if machine is not None and machine.escape_hatch.is_travelling():
        return time.time_ns()
    # Not by time.time(): freezegun shows the true time to whoever is called from threading, asyncio and others.
    freezegun: Any = sys.modules.get("freezegun.api")
    factories = getattr(freezegun, "freeze_factories", ())
    if not factories:
        return None
    frozen = factories[-1]
    # Time that ticks is computed by the call; one that is stepped would be moved by it.
    at: datetime = frozen() if hasattr(frozen, "start") else frozen.time_to_freeze
    return (at - _EPOCH) // _MICROSECOND * 1000
