"""K10: all Python runs on the thread's own stack, however deep the walk is: finalizers and metaclasses too.

Each program nests deeply in a thread with little stack, so that the walk has long gone on elsewhere when it meets what
switches to another greenlet. On any other memory than the thread's own stack the switch would corrupt both.
"""

from __future__ import annotations

import pytest
import walked

SWITCHES = """
import _thread, os, threading
import tenure
from greenlet import getcurrent, greenlet

other = None
switched = []
asks = False

def answer():
    while True:
        switched.append(True)
        getcurrent().parent.switch()

def switch():
    if asks:
        other.switch()

@tenure.cache_resource
def take(it):
    return 1

class Instance:
    def __init__(self, it):
        self.it = it

class Slotted:
    __slots__ = ("it",)
    def __init__(self, it):
        self.it = it
"""

RUN = """
def ask():
    global other, asks, given           # it ends where there is more room: Python 3.13 needs much
    given = nested(lowest(), 3_000)
    other = greenlet(answer)
    other.switch()
    switched.clear()
    asks = True
    try:
        take(given)
    except tenure.UnhashableParamError as error:
        told.append(str(error))
    asks = False

told = []
threading.stack_size(256 << 10)
thread = threading.Thread(target=ask)
thread.start()
thread.join()
assert switched
"""


def run(text: str) -> None:
    walked.run(SWITCHES + text)


LETS_GO = {
    "list": ("holder = []; holder.append(Last(holder.clear)); return holder", "[it]"),
    "dict": ("holder = {}; holder['it'] = Last(holder.clear); return holder", "{'it': it}"),
    "dict-key": ("holder = {}; holder[Last(holder.clear)] = 1; return holder", "{1: it}"),
    "attribute": ("it = Instance(0); it.it = Last(it.__dict__.clear); return it", "Instance(it)"),
    "attributes": ("it = Instance(0); it.it = Last(lambda: setattr(it, '__dict__', {})); return it", "Instance(it)"),
    "slot": ("it = Slotted(0); it.it = Last(lambda: setattr(it, 'it', 0)); return it", "Slotted(it)"),
    "written-before": (
        "holder = []; big = [holder, b'x' * 40_000]\n"
        "    parts = [big, Last(lambda: (holder.append(Ends()), parts.clear()))]\n"
        "    holder.append(parts); return parts",
        "[it]",
    ),
}


@pytest.mark.parametrize("kind", LETS_GO)
def test_k10_the_last_reference_is_let_go_of_where_python_may_run(kind: str) -> None:
    """K10: what is taken out of its holder while it is read ends on the thread's own stack."""
    lowest, nested = LETS_GO[kind]
    run(f"""
class Ends:
    def __del__(self):
        switch()

class Last(Ends):
    def __init__(self, let_go):
        self.let_go = let_go
    def __reduce__(self):
        self.let_go()
        return Ends, ()

def lowest():
    {lowest}

def nested(it, depth):
    for _ in range(depth):
        it = {nested}
    return it
{RUN}
""")


def test_k10_an_exception_that_ended_a_reading_is_let_go_of_where_python_may_run() -> None:
    """K10: what its traceback holds ends there too."""
    run(f"""
class Ends:
    def __del__(self):
        switch()

class Inner:
    def __reduce__(self):
        held = Ends()
        raise ValueError

class Wrapper:
    def __init__(self, it):
        self.__wrapped__ = len
        self.it = it
    def __call__(self):
        return 1

def lowest():
    return Wrapper(Inner())

def nested(it, depth):
    for _ in range(depth):
        it = [it]
    return it
{RUN}
""")


NAMED = {
    "attribute": "Named(it)",
    "slot": "NamedSlotted(it)",
    "value": "{1: Named(it)}",
    "key": "{Named(it): 1}",
}


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("depth", [1, 3_000])
def test_k10_a_metaclass_tells_the_names_of_an_error_where_python_may_run(kind: str, depth: int) -> None:
    """K10: the way to what has no key is named by classes that answer for their names."""
    run(f"""
class Meta(type):
    def __getattribute__(cls, name):
        if name in ("__qualname__", "__module__"):
            switch()
        return type.__getattribute__(cls, name)

class Named(metaclass=Meta):
    def __init__(self, it):
        self.it = it

class NamedSlotted(metaclass=Meta):
    __slots__ = ("it",)
    def __init__(self, it):
        self.it = it

def lowest():
    return _thread.allocate_lock()

def nested(it, depth):
    for _ in range({depth}):
        it = {NAMED[kind]}
    return Named(it)
{RUN}
assert "lock" in told[0], told
""")
