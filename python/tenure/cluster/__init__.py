"""Resources that live once in a cluster: `scope="cluster"`, on Ray.

The resource lives in a named actor, wherever it fits, where the function is cached by Tenure as it is anywhere else:
`ttl`, `validate`, `on_release`, `max_idle`, `weight` and `drain` hold there. Callers get a `Handle`, whose calls go
there. Ray is imported when such a function is first called.

1. An actor that holds nothing ends, and gives its node back what it took. One whose last user is gone releases first.
2. What it has ended for it answers with `Over`: nothing was run, so it can be asked of its successor.
3. It is killed by nobody but itself, when all of its users have been told. So a call whose actor is gone, and whose
   user was not told, may have run: it fails, and is not made again.
"""

from __future__ import annotations

from tenure.cluster._adapter import Adapter
from tenure.cluster._handle import Handle

__all__ = ["Adapter", "Handle"]
