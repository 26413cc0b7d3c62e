"""The command `tenure top`: which process, and its figures as JSON, as a table, or as one that stays up to date."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tenure import _api
from tenure._top import looks
from tenure._top.looks import Unseen
from tenure._top.words import program

__all__ = ["main"]

LEAST = 0.1
"""The shortest interval in seconds: each look is work for the process too."""

NO_RICH = (
    'the table needs rich. Install it with: pip install "tenure[top]". `tenure top --json` shows the figures without it'
)


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    # Whoever looks is not to be seen, though it may have the environment of what it looks at.
    _api.show_on_top(False)
    try:
        given = _parser().parse_args(arguments)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    try:
        _show(given.pid, given.json, given.interval)
    except Unseen as error:
        print(f"tenure top: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except UnicodeEncodeError as error:
        print(f"tenure top: the output takes {error.encoding} alone: write PYTHONIOENCODING=utf-8", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tenure top",
        description="Shows the cached functions of a running process that has TENURE_TOP=1 in its environment, or "
        "calls tenure.configure(top=True).",
    )
    parser.add_argument("pid", metavar="PID", nargs="?", help="the process; may be left out where there is only one")
    parser.add_argument("--json", action="store_true", help="print the figures once, as JSON")
    parser.add_argument(
        "--interval", metavar="SECONDS", type=_interval, default=1.0, help="the time between two looks; 1 unless given"
    )
    return parser


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not LEAST <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {LEAST} to 86400, as in --interval 2")
    return seconds


def _show(named: str | None, as_json: bool, interval: float) -> None:
    first = _only() if named is None else looks.of(_number(named))
    if as_json:
        print(json.dumps(first, indent=2), flush=True)
        return
    try:
        import rich.live
    except ImportError:
        raise Unseen(NO_RICH) from None
    console = rich.get_console()
    if sys.stdin.isatty() and console.is_terminal and not console.is_dumb_terminal:
        _watch(first, interval)
    else:
        _print(first, interval)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise Unseen(f"{text!r} is no number of a process, as in tenure top 4711. `tenure top` alone finds it")


def _only() -> dict[str, Any]:
    """What the only process shows that there is."""
    found = looks.all_shown()
    if len(found) > 1:
        lines = (
            f"  tenure top {pid:<8} {'does not answer' if process is None else program(process)}"
            for pid, process in found.items()
        )
        raise Unseen("\n".join(["there are several processes. Write one of", *lines]))
    ((pid, process),) = found.items()
    # Asked again, one that did not answer says why.
    return process or looks.of(pid)


def _again(process: dict[str, Any]) -> dict[str, Any]:
    """What a process shows now that has been seen before."""
    pid = process["pid"]
    try:
        return looks.of(pid)
    except Unseen:
        raise Unseen(f"process {pid} has ended, or shows its figures no longer") from None


def _print(first: dict[str, Any], interval: float) -> None:
    """Prints the table once, after the time that its hits per second are of."""
    from rich.console import Console

    from tenure._top import table

    time.sleep(interval)
    now = _again(first)
    # As wide as it is: what reads it cuts it as it likes.
    console = Console(width=table.WIDEST, force_terminal=False)
    console.print(table.view(console, now, table.rates(first, now), "hits/s"))


def _watch(first: dict[str, Any], interval: float) -> None:
    """Keeps the table on the screen up to date until somebody quits."""
    from rich.live import Live

    from tenure._top import table

    orders = list(table.ORDERS)
    before = now = first
    with _keys() as pressed, Live(screen=True, auto_refresh=False) as live:
        while True:
            due = time.monotonic() + interval
            functions = table.rates(before, now)
            while True:
                live.update(table.view(live.console, now, functions, orders[0]), refresh=True)
                key = pressed(due - time.monotonic())
                if key is None:
                    break
                if key in ("q", ""):
                    return
                if key == "s":
                    orders.append(orders.pop(0))
            before, now = now, _again(first)


@contextmanager
def _keys() -> Iterator[Callable[[float], str | None]]:
    """Gives what waits for a key so many seconds: `None` where none came, an empty text where none will."""
    import select
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)

    def pressed(seconds: float) -> str | None:
        ready, _, _ = select.select([number], [], [], max(seconds, 0))
        return os.read(number, 1).decode("latin-1") if ready else None

    tty.setcbreak(number)
    try:
        yield pressed
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
