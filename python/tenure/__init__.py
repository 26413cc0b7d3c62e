"""Tenure keeps expensive things (connections, models, clients): built once, shared safely, released exactly once.

>>> import tenure
>>> @tenure.cache_resource
... def connect(url):
...     return {"url": url}
>>> connect("db.example") is connect("db.example")
True
>>> connect.info().builds
1
"""

from tenure._api import cache_resource, configure
from tenure._native import (
    CacheCycleError,
    EntryInfo,
    NestingError,
    ScopeError,
    TenureError,
    UnhashableParamError,
    UserHashError,
    __version__,
    shutdown,
)

__all__ = [
    "CacheCycleError",
    "EntryInfo",
    "NestingError",
    "ScopeError",
    "TenureError",
    "UnhashableParamError",
    "UserHashError",
    "__version__",
    "cache_resource",
    "configure",
    "shutdown",
]
