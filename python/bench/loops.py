"""How time is taken: generated loops as `timeit` makes them, interleaved rounds, medians.

1. Every peer runs the same loop; what the empty loop costs is subtracted from each.
2. A round measures every peer once, and each round begins with another one, so that drift of the machine spreads
   over all.
3. Garbage collection rests while a loop runs.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

Loop = Callable[[int], float]

_TEMPLATE = """
def make(f, values, repeat, clock):
    {names} = values
    {kind} loop(n):
        turns = repeat(None, n)
        start = clock()
        for _ in turns:
            {body}
        return clock() - start
    return loop
"""


def call_loop(function: Callable[..., Any], arguments: Mapping[str, Any], *, keywords: bool = False) -> Loop:
    """Makes a loop that calls `function` with these arguments and returns the seconds that n calls took."""
    names = list(arguments)
    call = ", ".join(f"{name}={name}" for name in names) if keywords else ", ".join(names)
    return _compile(f"f({call})", names, function, tuple(arguments.values()))


def await_loop(
    run: Callable[[Coroutine[Any, Any, float]], float], function: Callable[..., Any], arguments: Mapping[str, Any]
) -> Loop:
    """Makes a loop that awaits what `function` gives for these arguments, within one task that `run` carries."""
    names = list(arguments)
    body = f"await f({', '.join(names)})"
    loop = _compile(body, names, function, tuple(arguments.values()), kind="async def")
    return lambda n: run(loop(n))


def empty_loop() -> Loop:
    """Makes the loop that does nothing."""
    return _compile("pass", [], lambda: None, ())


def _compile(
    body: str, names: Sequence[str], function: Callable[..., Any], values: tuple[Any, ...], kind: str = "def"
) -> Any:
    source = _TEMPLATE.format(names=", ".join(names) + "," if names else "()", body=body, kind=kind)
    space: dict[str, Any] = {}
    exec(source, space)
    return space["make"](function, values, itertools.repeat, time.perf_counter)


def quiet(run: Callable[[], float]) -> float:
    """Runs it with garbage collection at rest."""
    gc.collect()
    gc.disable()
    try:
        return run()
    finally:
        gc.enable()


def turns_for(loop: Loop, seconds: float) -> int:
    """Finds a number of turns that takes about this long, at least one."""
    turns = 1
    while True:
        taken = loop(turns)
        if taken >= seconds or (turns == 1 and taken >= seconds / 2):
            return turns
        turns = max(turns * 2, int(turns * seconds / taken * 1.1)) if taken > 0 else turns * 10


def interleaved(rounds: int, measures: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Takes each measure once a round and gives the median of each."""
    names = list(measures)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            taken[name].append(quiet(measures[name]))
    return {name: statistics.median(values) for name, values in taken.items()}


def per_call(rounds: int, loops: Mapping[str, Loop], seconds: float) -> dict[str, float]:
    """Gives the seconds of one call for each loop, less what the empty loop costs."""
    empty = empty_loop()

    def measure(loop: Loop, turns: int) -> Callable[[], float]:
        return lambda: (loop(turns) - empty(turns)) / turns

    return interleaved(rounds, {name: measure(loop, turns_for(loop, seconds)) for name, loop in loops.items()})
