"""The host for marimo notebooks: a notebook that somebody has open is a session.

It shows and records nothing: marimo shows itself which cell runs, and what a cell shows goes with its run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenure.hosts.marimo.sessions import MarimoHost

__all__ = ["find"]


def find() -> MarimoHost | None:
    """The host of a process in which a marimo kernel runs; None where marimo was only imported, as by a script."""
    from tenure.hosts.marimo import sessions

    return None if sessions.kernel() is None else sessions.attach()
