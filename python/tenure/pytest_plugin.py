"""The plugin that pytest finds by itself: it isolates tests, and brings the fixtures `tenure_clock` and
`tenure_override` and the option `--tenure-leaks`. The guide page is docs/guide/testing.md.

A test has an engine of its own, which begins once the fixtures of wider scopes are set up, and ends when everything of
the test has been torn down. So what a module's or a session's fixture has built lives as long as the fixture, where no
test's calls find it, or end it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from tenure import _native, testing

__all__ = ["tenure_clock", "tenure_override"]

_OPTION = "tenure_isolation"
_ISOLATIONS = ("test", "off")
_MARK = "tenure_shared"

_here = pytest.StashKey[_native.Isolated]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tenure", "cached functions (tenure)")
    group.addoption(
        "--tenure-leaks",
        action="store_true",
        default=False,
        help="fail a test that leaves resources unreleased, and say where they were built",
    )
    group.addoption(
        "--tenure-isolation",
        choices=_ISOLATIONS,
        default=None,
        help="whether each test begins with no entries and leaves none: test (default) or off",
    )
    parser.addini(_OPTION, "whether each test begins with no entries and leaves none: test or off", default="test")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{_MARK}: the test finds what wider fixtures have built, and is not isolated")
    isolation = config.getini(_OPTION)
    if isolation not in _ISOLATIONS:
        raise pytest.UsageError(f'{_OPTION} is {isolation!r}. Write {_OPTION} = "test" or {_OPTION} = "off"')
    if config.getoption("--tenure-leaks"):
        if not _isolates(config):
            raise pytest.UsageError("--tenure-leaks looks at what an isolated test leaves. Leave out isolation off")
        _native.trace_builds(True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.getoption("--tenure-leaks"):
        _native.trace_builds(False)


def _isolates(config: pytest.Config) -> bool:
    return bool((config.getoption("--tenure-isolation") or config.getini(_OPTION)) == "test")


@pytest.fixture(autouse=True)
def _tenure_isolated(request: pytest.FixtureRequest) -> Iterator[None]:
    """An engine for this test. It is set up after the fixtures of wider scopes and before all others of the test."""
    node = request.node
    if not _isolates(request.config) or node.get_closest_marker(_MARK) is not None:
        yield
        return
    it = _native.Isolated()
    it.begin()
    node.stash[_here] = it
    try:
        yield
    finally:
        del node.stash[_here]
        left = it.left()
        try:
            testing._release_on_loops()
        finally:
            it.end()
    if left:
        pytest.fail(_told(left), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Has a fixture of a wider scope that a test asks for late built outside of that test."""
    if fixturedef.scope == "function":
        return (yield)
    it = request._pyfuncitem.stash.get(_here, None)
    if it is None:
        return (yield)
    # One that another such fixture has asked for is outside already, and leaves that one there.
    stood_aside = it.stand_aside(True)
    try:
        return (yield)
    finally:
        it.stand_aside(stood_aside)


def _told(left: list[tuple[str, str, str]]) -> str:
    """What a test has left, by function: how many, why, and where each was built."""
    by_function: dict[str, list[str]] = {}
    for function, site, why in left:
        by_function.setdefault(function, []).append(f"    {why}" + (f", built by {site}" if site else ""))
    lines = ["this test leaves what is not released (--tenure-leaks):"]
    for function, sites in by_function.items():
        lines.append(f"  {function}: {len(sites)}")
        lines.extend(sites)
    lines.append("Release it in the test: f.clear() ends what f keeps, and a lease ends with its block")
    return "\n".join(lines)


@pytest.fixture
def tenure_clock() -> Iterator[testing.Clock]:
    """Time that stands still until the test moves it: `tenure_clock.advance("1h")`.

    >>> import tenure
    >>> @tenure.cache_resource(ttl="1h")
    ... def token():
    ...     return object()
    >>> def test_a_token_expires(tenure_clock):
    ...     first = token()
    ...     tenure_clock.advance("1h")
    ...     assert token() is not first
    """
    with testing.clock() as clock:
        yield clock


@pytest.fixture
def tenure_override() -> Iterator[Callable[[Any, Any], Any]]:
    """Puts something in the place of a cached function for the rest of the test: `tenure_override(f, value)`.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def token():
    ...     return "the real one"
    >>> def test_login(tenure_override):
    ...     tenure_override(token, "secret")
    ...     assert token() == "secret"
    """
    begun: list[testing.Override] = []

    def override(function: Any, value: Any) -> Any:
        it = testing.override(function, value)
        begun.append(it)
        return it.__enter__()

    try:
        yield override
    finally:
        for it in reversed(begun):
            it.__exit__(None, None, None)
