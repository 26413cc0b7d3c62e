"""C3: recursion through a cached function that has no end raises Python's own error, however little stack there is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from world import LOST

PROGRAMS = {
    "a build": """
@tenure.cache_resource
def f(n):
    return [n, f(n + 1)]
""",
    "a method": """
class Page:
    @tenure.cache_resource
    def f(self, n):
        return [n, self.f(n + 1)]

f = Page().f
""",
    "a generator": """
@tenure.cache_resource
def f(n):
    yield [n, f(n + 1)]
""",
    "tags": """
@tenure.cache_resource(tags=lambda n: [str(f(n))])
def f(n):
    return n
""",
    "a hash function": """
@tenure.cache_resource(hash_funcs={int: lambda n: f(n)})
def f(n):
    return n
""",
    "a scope": """
@tenure.cache_resource(scope=lambda: f(0))
def f(n):
    return n
""",
}

PROGRAM = """
import sys, threading, tenure
{}
def call():
    try:
        f(0)
    except (RecursionError, tenure.UserHashError) as error:
        while error.__cause__ is not None:
            error = error.__cause__
        ended.append(isinstance(error, RecursionError) or repr(error))
    except BaseException as error:
        ended.append(repr(error))

ended = []
sys.setrecursionlimit({})
threading.stack_size({} << 10)
thread = threading.Thread(target=call)
thread.start()
thread.join()
assert ended == [True], ended
"""


@pytest.mark.parametrize("limit", [1_000, 100_000])
@pytest.mark.parametrize("stack", [0, 512], ids=["the usual stack", "little stack"])
@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_c3_recursion_without_an_end_is_an_error_and_no_crash(text: str, stack: int, limit: int) -> None:
    program = PROGRAM.format(text, limit, stack)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LOST, check=False)
    assert done.returncode == 0, done.stderr


def test_c3_recursion_that_ends_is_none() -> None:
    program = """
import tenure

@tenure.cache_resource
def factorial(n):
    return n * factorial(n - 1) if n else 1

assert factorial(100) == factorial(99) * 100
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LOST, check=False)
    assert done.returncode == 0, done.stderr
