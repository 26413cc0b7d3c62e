"""The figures of this process, and of all members of its fleet."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Literal, overload

from tenure import _native

__all__ = ["Figures", "FleetInfo", "Member", "info"]


@dataclass(frozen=True)
class Figures:
    """The figures of all functions of one process together."""

    functions: int
    """Cached functions."""
    entries: int
    """Entries that are kept."""
    hits: int
    """Calls that were answered from an entry."""
    misses: int
    """Calls that found no entry, and built or waited."""
    builds: int
    """Builds that gave a resource."""
    failures: int
    """Builds that raised."""
    weight: int
    """What the entries weigh together, where they have a weight."""


@dataclass(frozen=True)
class Member(Figures):
    """A member of a fleet, with the figures that it told last."""

    id: str
    """Its name in the fleet, drawn when it joined."""
    is_this: bool
    """Whether it is the process that asks."""
    host: str
    """The machine that it runs on."""
    pid: int
    """Its process there."""
    behind: int
    """How many ends it had heard less than the member that had heard the most."""
    lag: float | None
    """How many seconds the bus took at most to bring it what was raised; `None` before the first measurement."""


@dataclass(frozen=True)
class FleetInfo:
    """All members of a fleet. What they hold is told every few seconds."""

    members: tuple[Member, ...]

    @property
    def entries(self) -> int:
        """Entries that are kept in all members."""
        return sum(member.entries for member in self.members)

    @property
    def lag(self) -> float | None:
        """The greatest lag of all members; `None` before the first measurement."""
        return max((member.lag for member in self.members if member.lag is not None), default=None)


@overload
def info(*, fleet: Literal[False] = False, timeout: float = 2.0) -> Figures: ...
@overload
def info(*, fleet: Literal[True], timeout: float = 2.0) -> FleetInfo: ...
def info(*, fleet: bool = False, timeout: float = 2.0) -> Figures | FleetInfo:
    """Give the figures of all cached functions together: of this process, or of all members of its fleet.

    Parameters
    ----------
    fleet
        Ask the fleet's server for all members.
    timeout
        How many seconds to wait for the server.

    Raises
    ------
    RuntimeError
        This process is in no fleet.
    ConnectionError
        The fleet's server cannot be reached, or did not answer in time.

    Examples
    --------
    >>> import tenure
    >>> tenure.info().entries >= 0
    True
    """
    if not fleet:
        return Figures(**_native.figures())
    members = []
    for name, is_this, host, pid, told, behind, lag in _native.fleet_members(timeout):
        figures = json.loads(told)
        known = {field.name: int(figures.get(field.name, 0)) for field in fields(Figures)}
        members.append(Member(**known, id=name, is_this=is_this, host=host, pid=pid, behind=behind, lag=lag))
    return FleetInfo(tuple(members))
