"""Tenure's errors as an app catches Streamlit's: each is what Tenure raises elsewhere, and a `StreamlitAPIException`.

The engine raises these in a program that has loaded Streamlit, so that `except StreamlitAPIException` goes on working
there. They stand in a module, and so can be pickled. A cache that needs its own entry has none, since Streamlit hangs
there.
"""

from __future__ import annotations

from streamlit.errors import StreamlitAPIException

from tenure import _native


class UnhashableParamError(_native.UnhashableParamError, StreamlitAPIException):
    """An argument of a cached function has no key."""


class NestingError(_native.NestingError, UnhashableParamError):
    """An argument of a cached function is nested too deeply to be read."""


class UserHashError(_native.UserHashError, StreamlitAPIException):
    """A function given in `hash_funcs` raised."""


class ScopeError(_native.ScopeError, StreamlitAPIException):
    """A session-scoped function was called where there is no session."""


class SettingValueError(StreamlitAPIException, ValueError):
    """A setting has a value that cannot be."""


class SettingTypeError(StreamlitAPIException, TypeError):
    """A setting is of a type that cannot be."""
