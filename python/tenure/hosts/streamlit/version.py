"""Which Streamlit the host works with, checked before anything of Streamlit's is imported."""

from __future__ import annotations

import re
from importlib import metadata

OLDEST = (1, 53)
"""The first release with session-scoped resources and with elements that come and go without taking a place."""

_HOW = f"pip install 'streamlit>={OLDEST[0]}.{OLDEST[1]}'"


def complaint() -> str | None:
    """What is wrong with the installed Streamlit and what to do about it, or None."""
    needed = f"Tenure needs Streamlit {OLDEST[0]}.{OLDEST[1]} or newer"
    try:
        found = metadata.version("streamlit")
    except metadata.PackageNotFoundError:
        return f"{needed}, and none is installed: {_HOW}"
    numbers = re.match(r"(\d+)\.(\d+)", found)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < OLDEST:
        return f"{needed}, and {found} is installed: {_HOW}"
    return None


def require() -> None:
    """Raises an ImportError that says which version is needed, unless the installed one will do."""
    wrong = complaint()
    if wrong is not None:
        raise ImportError(wrong, name="streamlit")
