"""For the tests of programs that use Tenure: time that a test moves by hand.

>>> import tenure, tenure.testing
>>> @tenure.cache_resource(ttl="1h")
... def token():
...     return object()
>>> with tenure.testing.clock() as clock:
...     first = token()
...     clock.advance("59m")
...     assert token() is first
...     clock.advance("1m")
...     assert token() is not first
...     token.info().releases["expired"]
1
"""

from __future__ import annotations

from tenure._native import Clock

__all__ = ["Clock", "clock"]


def clock() -> Clock:
    """A clock that stands still until its `advance` moves it; a context manager.

    Within the block every cached function of the process, on every thread, begins with no entries and with figures of
    its own, and time passes only by `advance(by)`, where `by` has the forms of `ttl`. What has become due then is done
    on the thread that calls: expired and drained resources are released, sessions end, spinners show. At the end of the
    block everything built in it is released, and the program's own entries are there again.

    One clock at a time; a second one raises a `RuntimeError`.

    >>> import tenure, tenure.testing
    >>> with tenure.testing.clock() as clock:
    ...     clock.advance(90)
    """
    return Clock()
