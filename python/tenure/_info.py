"""The figures of this process and of all members of its fleet, and what a call would meet."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal, overload

from tenure import _native
from tenure._native import Explanation, Info

__all__ = ["Figures", "FleetInfo", "Member", "ProcessInfo", "explain", "info"]


@dataclass(frozen=True)
class Figures:
    """The figures of all functions of one process together.

    >>> import tenure
    >>> isinstance(tenure.info(), tenure.Figures)
    True
    """

    functions: int
    """Cached functions."""
    entries: int
    """Entries that are kept."""
    hits: int
    """Calls that were answered from an entry."""
    misses: int
    """Calls that found no entry, and built or waited."""
    builds: int
    """Builds that gave a new resource."""
    failures: int
    """Builds that raised."""
    weight: int
    """What the entries weigh together, where they have a weight."""


@dataclass(frozen=True)
class ProcessInfo(Figures):
    """The figures of one process, of all functions together and of each. Its text is a table of them.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> _ = connect("db")
    >>> sum(info.builds for name, info in tenure.info().by_function) >= 1
    True
    """

    by_function: tuple[tuple[str, Info], ...]
    """The name of each function with its figures, in the order of the names."""
    _report: _native.Report = field(repr=False, compare=False)

    def to_json(self) -> str:
        """All of it as a JSON object with a list, `functions`; times in seconds."""
        return self._report.to_json()

    def __str__(self) -> str:
        return str(self._report)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Shows the table as the result of a cell, where IPython would show the `repr`."""
        printer.text(str(self))


@dataclass(frozen=True)
class Member(Figures):
    """A member of a fleet, with the figures that it told last, of itself: up to ten seconds ago.

    `lag` is how many seconds the bus took at most to bring it what was raised. `behind` is how many clears and expiries
    older than three seconds it had not heard of: 0 in a member that hears, and more in one that hangs.

    >>> import tenure
    >>> try:
    ...     print([member.pid for member in tenure.info(fleet=True).members])
    ... except RuntimeError as error:       # this process is in no fleet
    ...     print("alone")
    alone
    """

    id: str
    """Its name in the fleet, drawn when it joined."""
    is_this: bool
    """Whether it is the process that asks."""
    host: str
    """The machine that it runs on."""
    pid: int
    """Its process there."""
    behind: int
    """The number of clears and expiries older than three seconds that it had not heard of when it last told."""
    lag: float | None
    """The seconds that the bus took at most to bring it what was raised, when it last told; `None` before the first
    measurement."""


@dataclass(frozen=True)
class FleetInfo:
    """All members of a fleet. What they hold is told every few seconds.

    >>> import tenure
    >>> try:
    ...     print(tenure.info(fleet=True).entries)
    ... except RuntimeError as error:       # this process is in no fleet
    ...     print("alone")
    alone
    """

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
def info(*, fleet: Literal[False] = False, timeout: float = 2.0) -> ProcessInfo: ...
@overload
def info(*, fleet: Literal[True], timeout: float = 2.0) -> FleetInfo: ...
def info(*, fleet: bool = False, timeout: float = 2.0) -> ProcessInfo | FleetInfo:
    """Give the figures of all cached functions: of this process, or of all members of its fleet.

    Printed, those of this process are a table with a line for each function.

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
        report = _native.report()
        return ProcessInfo(**report.figures(), by_function=tuple(report.by_function()), _report=report)
    members = []
    for name, is_this, host, pid, told, behind, lag in _native.fleet_members(timeout):
        figures = json.loads(told)
        known = {it.name: int(figures.get(it.name, 0)) for it in fields(Figures)}
        members.append(Member(**known, id=name, is_this=is_this, host=host, pid=pid, behind=behind, lag=lag))
    return FleetInfo(tuple(members))


def explain(function: Any, /, *args: Any, **kwargs: Any) -> Explanation:
    """Tell whether a call would be a hit now, and why not. Nothing is built, awaited, checked or counted.

    Parameters
    ----------
    function
        A cached function, or a cached method of an instance.
    *args, **kwargs
        The arguments of the call.

    Raises
    ------
    TypeError
        It is no cached function, or cannot be called with these arguments.

    Examples
    --------
    >>> import tenure
    >>> @tenure.cache_resource
    ... def pool(url):
    ...     return [url]
    >>> tenure.explain(pool, "db").reason
    'absent'
    >>> _ = pool("db")
    >>> tenure.explain(pool, "db").is_hit
    True
    >>> pool.clear("db")
    >>> why = tenure.explain(pool, "db")
    >>> why.reason, "by clear() at " in str(why)
    ('cleared', True)
    """
    ask = getattr(type(function), "_explain", None)
    if ask is None:
        raise TypeError(
            f"tenure.explain takes a cached function and the arguments of a call, not {type(function).__name__}. "
            "Example: tenure.explain(pool, url)"
        )
    explanation: Explanation = ask(function, *args, **kwargs)
    return explanation
