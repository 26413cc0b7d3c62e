"""H10: what Tenure wraps of Streamlit takes what the original takes, and behaves as it outside of cached functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import elements
import pytest
import stage
from streamlit.runtime import caching

from tenure import _native
from tenure.hosts.streamlit import adapter

pytestmark = pytest.mark.streamlit

WRAPPED = [(owner, name) for owner, name, _ in (adapter.attach(), adapter._replaced)[1]]
"""Whatever `attach` has replaced in this version of Streamlit."""


def _ways(signature: inspect.Signature) -> list[tuple[list[str], list[str]]]:
    """The ways to write a call: which parameters by position, and which by name."""
    parameters = list(signature.parameters.values())
    positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    needed = [p.name for p in parameters if p.default is p.empty]
    ways = [(positional[:n], positional[n:] + by_name) for n in range(len(positional) + 1)]
    return [*ways, ([], needed)]


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[Any, str], list[Any]]]:
    """Attaches anew, with a spy in the place of each original that says what reached it."""
    adapter.detach()
    calls: dict[tuple[Any, str], list[Any]] = {}
    for owner, name in WRAPPED:
        original = getattr(owner, name)
        seen = calls[owner, name] = []

        @functools.wraps(original)
        def spy(*args: Any, seen: list[Any] = seen, **kwargs: Any) -> dict[str, Any]:
            seen.append((args, kwargs))
            return {}

        monkeypatch.setattr(owner, name, spy)
    adapter.attach()
    yield calls
    adapter.detach()


class _Anything:
    """Stands for a watcher, a session or names of families, as far as a wrapper looks at it."""

    id = "nobody"
    _scriptrunner = None
    _pending_evictions: tuple[str, ...] = ()
    _on_path_changed: tuple[Any, ...] = ()

    def __contains__(self, _: object) -> bool:
        return False


def test_h10_every_wrapper_hands_on_what_it_is_given(spied: dict[tuple[Any, str], list[Any]]) -> None:
    """H10: every parameter by position, by name and left out, outside of cached functions."""
    assert len(spied) >= 10
    for (owner, name), seen in spied.items():
        wrapper = getattr(owner, name)
        signature = inspect.signature(wrapper)
        values = {parameter: _Anything() for parameter in signature.parameters}
        for positional, by_name in _ways(signature):
            args = tuple(values[parameter] for parameter in positional)
            kwargs = {parameter: values[parameter] for parameter in by_name}
            wrapper(*args, **kwargs)
            assert seen.pop() == (args, kwargs), f"{name} with {positional} by position"
            assert not seen


def test_h10_every_wrapper_has_the_name_the_signature_and_the_words_of_its_original() -> None:
    for owner, name, original in adapter._replaced:
        wrapper = getattr(owner, name)
        assert inspect.signature(wrapper) == inspect.signature(original)
        assert (wrapper.__name__, wrapper.__qualname__) == (original.__name__, original.__qualname__)
        assert (wrapper.__doc__, wrapper.__module__) == (original.__doc__, original.__module__)


def test_h10_a_call_that_does_not_fit_fails_as_with_the_original() -> None:
    for owner, name, original in adapter._replaced:
        with pytest.raises(TypeError) as theirs:
            original(nothing_known=1)
        with pytest.raises(TypeError) as ours:
            getattr(owner, name)(nothing_known=1)
        assert str(ours.value) == str(theirs.value)


def test_h10_all_is_given_back() -> None:
    before = {(owner, name): original for owner, name, original in adapter._replaced}
    assert before
    adapter.detach()
    for (owner, name), original in before.items():
        assert getattr(owner, name) is original
    assert caching.save_element_message is before[caching, "save_element_message"]


def _page(names: list[str], by_name: bool, decorated: bool) -> None:
    import elements
    import streamlit as st

    import tenure

    if decorated:
        # As soon as a function misses, Tenure is attached.
        tenure.cache_resource(show_spinner=False)(lambda: object())()
    for name in names:
        st.text(f"name: {name}")
        with st.container():
            elements.put(name, elements.ByName(st._main) if by_name else st)
    st.text("name: the end")


@pytest.mark.parametrize("by_name", [False, True], ids=["by position", "by name"])
def test_h10_a_page_of_every_element_is_the_same_with_and_without(app: Callable[..., Any], by_name: bool) -> None:
    """H10: what is sent and which files are kept, in the first run and in the next."""
    left_out = {name for name in elements.ELSEWHERE if name not in elements.REFUSED}
    names = [name for name in elements.NAMES if name not in left_out]
    adapter.detach()
    _native.set_host(None)
    plain = app(_page, names=names, by_name=by_name, decorated=False)
    expected = [plain.run(), plain.run()]
    files = plain.files

    attached = app(_page, names=names, by_name=by_name, decorated=True)
    got = [attached.run(), attached.run()]
    assert _native.get_host() is not None
    assert adapter._replaced
    for turn, (one, other) in enumerate(zip(expected, got, strict=True)):
        assert stage.elements(one)[-1].proto.new_element.text.body == "name: the end"
        assert stage.elements(other) == stage.elements(one), f"run {turn}"
    assert attached.files == files
