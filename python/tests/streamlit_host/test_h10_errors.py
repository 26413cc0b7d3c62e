"""H10: where an app catches Streamlit's errors, it goes on catching what Tenure raises in their place."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.errors import StreamlitAPIException

import tenure
import tenure.streamlit

pytestmark = pytest.mark.streamlit


class Raising:
    def __reduce__(self) -> str:
        raise OSError("nothing to pickle")


def _nested() -> list[Any]:
    nest: list[Any] = []
    for _ in range(20_000):
        nest = [nest]
    return nest


def _failing(value: object) -> str:
    raise OSError("no hash")


def _hashing(hash_funcs: Any) -> Any:
    return tenure.cache_resource(lambda it: object(), hash_funcs=hash_funcs)


CASES: list[tuple[str, type[Exception], type[Exception], Callable[[], Any]]] = [
    ("a ttl that is no time", ValueError, ValueError, lambda: tenure.cache_resource(ttl="soon")),
    ("a ttl of another type", TypeError, TypeError, lambda: tenure.cache_resource(ttl=[1])),
    ("an unknown scope", ValueError, ValueError, lambda: tenure.cache_resource(scope="page")),
    ("a bound that keeps nothing", ValueError, ValueError, lambda: tenure.cache_resource(max_entries=0)),
    ("an unknown refresh mode", ValueError, ValueError, lambda: tenure.cache_resource(refresh_mode="never")),
    ("hash functions that are no dict", TypeError, TypeError, lambda: _hashing([1])),
    ("a hash function for no class", TypeError, TypeError, lambda: _hashing({5: str})),
    ("a hash function for half a name", ValueError, ValueError, lambda: _hashing({"Person": str})),
    ("a hash function that is none", TypeError, TypeError, lambda: _hashing({list: None})),
    (
        "no session",
        tenure.ScopeError,
        RuntimeError,
        lambda: tenure.cache_resource(scope="session")(lambda: object())(),
    ),
    (
        "an argument without a key",
        tenure.UnhashableParamError,
        TypeError,
        lambda: tenure.cache_resource(lambda it: object())(Raising()),
    ),
    (
        "an argument that is too deep",
        tenure.NestingError,
        RecursionError,
        lambda: tenure.cache_resource(lambda it: object())(_nested()),
    ),
    (
        "a hash function that fails",
        tenure.UserHashError,
        RuntimeError,
        lambda: tenure.cache_resource(lambda it: object(), hash_funcs={int: _failing})(1),
    ),
]


@pytest.mark.parametrize(("own", "builtin", "fail"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_h10_an_error_is_streamlits_too(
    own: type[Exception], builtin: type[Exception], fail: Callable[[], Any]
) -> None:
    """H10: and what it is elsewhere; made once, and pickled like another."""
    caught: list[Exception] = []
    for error in (StreamlitAPIException, own, builtin):
        with pytest.raises(error) as raised:
            fail()
        caught.append(raised.value)
    assert len({type(one) for one in caught}) == 1
    again = pickle.loads(pickle.dumps(caught[0]))
    assert type(again) is type(caught[0])
    assert str(again) == str(caught[0])
    assert again.args == caught[0].args


def test_h10_what_streamlit_has_no_error_for_is_tenures_alone() -> None:
    @tenure.cache_resource
    def around() -> object:
        return around()

    with pytest.raises(tenure.CacheCycleError) as raised:
        around()
    assert not isinstance(raised.value, StreamlitAPIException)


def test_h10_streamlits_own_decorator_and_tenures_fail_alike() -> None:
    """H10, H2: the same mistakes in an unchanged app are caught by the same line."""
    import streamlit as st

    def caught() -> set[str]:
        mistakes = {
            "scope": lambda: st.cache_resource(scope="page")(lambda: object()),
            "ttl": lambda: st.cache_resource(ttl="soon")(lambda: object()),
            "session": lambda: st.cache_resource(scope="session")(lambda: object())(),
        }
        found = set()
        for name, mistake in mistakes.items():
            with contextlib.suppress(Exception):
                try:
                    mistake()
                except StreamlitAPIException:
                    found.add(name)
        return found

    theirs = caught()
    tenure.streamlit.install()
    # The oldest version does not mind each of them.
    assert theirs
    assert theirs <= caught() == {"scope", "ttl", "session"}


WITHOUT = """
import sys, tenure
caught = []
for fail in (lambda: tenure.cache_resource(ttl="soon"), lambda: tenure.cache_resource(ttl=[1])):
    try:
        fail()
    except Exception as error:
        caught.append(type(error))
try:
    tenure.cache_resource(scope="session")(lambda: 1)()
except tenure.ScopeError as error:
    caught.append(type(error))
assert caught == [ValueError, TypeError, tenure.ScopeError], caught
assert not any(name.partition(".")[0] == "streamlit" for name in sys.modules)

import streamlit.errors
try:
    tenure.cache_resource(scope="session")(lambda: 2)()
except streamlit.errors.StreamlitAPIException as error:
    assert isinstance(error, tenure.ScopeError)
"""


def test_h10_h1_without_streamlit_the_errors_are_pythons_and_nothing_is_imported() -> None:
    """H1, H10: also where Streamlit is loaded later."""
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, timeout=60)
