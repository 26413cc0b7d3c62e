"""The host for Streamlit apps.

Nothing of Streamlit's is imported with this package itself: whoever needs it asks `version` first, and `adapter` then.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenure.hosts.streamlit.adapter import StreamlitHost, attach, detach, install, uninstall

__all__ = ["StreamlitHost", "attach", "detach", "find", "install", "uninstall"]


def find() -> StreamlitHost | None:
    """The host of a program that has imported `streamlit.runtime`; None where no app runs that would need it."""
    from tenure.hosts.streamlit import version

    if version.complaint() is not None and not sys.modules["streamlit.runtime"].exists():
        return None  # Too old, but only imported.
    version.require()
    from tenure.hosts.streamlit import adapter

    return adapter.attach()


def __getattr__(name: str) -> Any:
    """Import Streamlit's part when something of it is first named."""
    if name in __all__:
        from tenure.hosts.streamlit import adapter

        return getattr(adapter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
