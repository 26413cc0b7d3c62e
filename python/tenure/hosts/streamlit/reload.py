"""What is made of code that Streamlit loads anew: released, so that a class and its cached instances stay together.

After an edit Streamlit unloads every module of the app, changed or not, and the next run of the script imports them
again: their classes are new objects, of which an older instance is none. Functions need nothing here, because a
decorator that runs again tells the engine what its code is now. Resources do: those whose class comes from an unloaded
module are released before the script runs on, with cause `Superseded`, and are built anew from the class as it is then.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from streamlit.watcher.local_sources_watcher import LocalSourcesWatcher

from tenure import _native

UNLOADS = "flush_pending_evictions" if hasattr(LocalSourcesWatcher, "flush_pending_evictions") else "on_path_changed"
"""The method that unloads: from Streamlit 1.58 on at the beginning of a run, before that at once."""


def minding_classes(original: Callable[..., None]) -> Callable[..., None]:
    bind = inspect.signature(original).bind

    def unload(*args: Any, **kwargs: Any) -> None:
        there = set(sys.modules)
        original(*args, **kwargs)
        _unloaded(there)

    def change(*args: Any, **kwargs: Any) -> None:
        try:
            watcher: LocalSourcesWatcher = bind(*args, **kwargs).arguments["self"]
        except TypeError:
            return original(*args, **kwargs)  # Which says what does not fit.
        there = set(sys.modules)

        def tell(_: str) -> None:
            _unloaded(there)

        # First among those who hear of the change: the others ask for a run of the script. The list is replaced and
        # not changed, because other threads may be walking through it.
        watcher._on_path_changed = [tell, *watcher._on_path_changed]
        try:
            original(*args, **kwargs)
        finally:
            watcher._on_path_changed = [heard for heard in watcher._on_path_changed if heard is not tell]

    return change if UNLOADS == "on_path_changed" else unload


def _unloaded(before: set[str]) -> None:
    gone = frozenset(before.difference(sys.modules))
    if gone:
        _native.supersede_modules(gone)
