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

from typing import TYPE_CHECKING, Any

from tenure import _api, hosts
from tenure import _forks as _forks  # Told of each fork from the beginning.
from tenure._api import cache_resource, configure, shutdown_async
from tenure._holders import Held, holders
from tenure._info import Figures, FleetInfo, Member, ProcessInfo, explain, info
from tenure._native import (
    BuildTimeout,
    CacheCycleError,
    EntryInfo,
    Explanation,
    Info,
    NestingError,
    ResourceLost,
    ScopeError,
    TenureError,
    UnhashableParamError,
    UserHashError,
    __version__,
    clear_tag,
    end_scope,
    shutdown,
)
from tenure._warm import Warming, ready

if TYPE_CHECKING:
    from tenure import asgi, metrics, streamlit, testing, weigh

__all__ = [
    "BuildTimeout",
    "CacheCycleError",
    "EntryInfo",
    "Explanation",
    "Figures",
    "FleetInfo",
    "Held",
    "Info",
    "Member",
    "NestingError",
    "ProcessInfo",
    "ResourceLost",
    "ScopeError",
    "TenureError",
    "UnhashableParamError",
    "UserHashError",
    "Warming",
    "__version__",
    "asgi",
    "cache_resource",
    "clear_tag",
    "configure",
    "end_scope",
    "explain",
    "holders",
    "info",
    "metrics",
    "ready",
    "shutdown",
    "shutdown_async",
    "streamlit",
    "testing",
    "weigh",
]

hosts.announce()
_api.show_on_top()


def __getattr__(name: str) -> Any:
    """Import the parts that few programs need when they are first named."""
    if name in ("asgi", "metrics", "streamlit", "testing", "weigh"):
        from importlib import import_module

        return import_module(f"tenure.{name}")
    cure = (
        ". Write tenure.cache_resource.clear() for everything, or f.clear() for one function" if name == "clear" else ""
    )
    raise AttributeError(f"module 'tenure' has no attribute {name!r}{cure}")
