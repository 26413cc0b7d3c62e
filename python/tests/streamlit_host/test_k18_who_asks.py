"""K18: what Streamlit shows of whoever asks is no argument; what was read from it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import streamlit as st
import streamlit.user_info

import tenure

pytestmark = pytest.mark.streamlit


@tenure.cache_resource
def connect(user: Any) -> list[Any]:
    return [user]


SHOWN: dict[str, Callable[[], Any]] = {
    "user": lambda: st.user,
    "session_state": lambda: st.session_state,
    "query_params": lambda: st.query_params,
    "context": lambda: st.context,
}
AROUND: dict[str, Callable[[Any], Any]] = {
    "alone": lambda it: it,
    "in a list": lambda it: [it],
    "in a dict": lambda it: {"who": it},
    "in a closure": lambda it: lambda: it,
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_k18_what_stands_for_whoever_asks_is_refused(shown: Callable[[], Any], around: Callable[[Any], Any]) -> None:
    """K18: with the parameter, the type and the two ways out, as Streamlit refuses it."""
    builds = connect.info().builds
    for email in ("alice@x", "bob@x"):
        with (
            mock.patch.object(streamlit.user_info, "_get_user_info", lambda email=email: {"email": email}),
            pytest.raises(tenure.UnhashableParamError) as caught,
        ):
            connect(around(shown()))
        for part in ("`user`", type(shown()).__name__, "`_user`", "hash_funcs={"):
            assert part in str(caught.value)
    assert connect.info().builds == builds


def test_k18_what_was_read_of_it_is_an_argument() -> None:
    """K18: a value, and a copy of all of it."""
    for email in ("alice@x", "bob@x"):
        with mock.patch.object(streamlit.user_info, "_get_user_info", lambda email=email: {"email": email}):
            assert connect(st.user.email) == [email]
            assert connect(st.user.to_dict()) == [{"email": email}]
    assert connect("alice@x") is not connect("bob@x")


def test_k18_a_function_of_a_page_does_not_close_over_it() -> None:
    """K18, F1: the decorator says so."""
    user = st.user

    with pytest.raises(tenure.UnhashableParamError, match="a variable of its own"):

        @tenure.cache_resource
        def connection() -> Any:
            return user.email
