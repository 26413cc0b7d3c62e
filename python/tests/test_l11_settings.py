"""L11: bad settings fail where the decorator stands, with the value, the accepted forms and an example."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tenure
import tenure.asgi
from tenure.testing import Clock
from world import TestHost, releases

BAD = [
    # setting, value, error, what the text must hold
    ("ttl", -1, ValueError, ["-1", "negative", 'ttl="1h30m"']),
    ("ttl", -0.5, ValueError, ["-0.5", "negative"]),
    ("ttl", math.nan, ValueError, ["nan", "ttl="]),
    ("ttl", timedelta(seconds=-1), ValueError, ["timedelta", "negative"]),
    ("ttl", "soon", ValueError, ["soon", "ttl="]),
    ("ttl", "-5m", ValueError, ["-5m"]),
    ("ttl", "NaT", ValueError, ["NaT"]),
    ("ttl", "", ValueError, ["ttl"]),
    ("ttl", True, TypeError, ["True", "timedelta"]),
    ("ttl", [60], TypeError, ["[60]", "timedelta"]),
    ("ttl", b"1h", TypeError, ["b'1h'"]),
    ("drain", -1, ValueError, ["-1", "drain="]),
    ("drain", "later", ValueError, ["later", "drain"]),
    ("drain", object, TypeError, ["drain="]),
    ("max_entries", 0, ValueError, ["0", "from 1 on", "max_entries=8"]),
    ("max_entries", -3, ValueError, ["-3", "max_entries=8"]),
    ("max_entries", 2.5, TypeError, ["2.5", "max_entries=8"]),
    ("max_entries", "8", TypeError, ["'8'", "max_entries=8"]),
    ("max_entries", True, TypeError, ["True", "max_entries=8"]),
    ("scope", "user", ValueError, ["scope='user' is", 'Accepted are "global", "session", "loop", "thread"']),
    ("scope", "Session", ValueError, ["Session", '"session"']),
    ("scope", None, TypeError, ["scope cannot be None. Accepted are", '"global"']),
    ("scope", 1, TypeError, ["1", '"global"']),
    ("validate", True, TypeError, ["True", "validate=lambda"]),
    ("validate", "ping", TypeError, ["'ping'", "validate=lambda"]),
    ("keep_if", False, TypeError, ["False", "keep_if=lambda"]),
    ("on_release", "close", TypeError, ["'close'", "on_release=lambda"]),
    ("on_release", 1, TypeError, ["1", "on_release=lambda"]),
    ("max_entries", 0.0, ValueError, ["0.0", "from 1 on", "max_entries=8"]),
    ("max_entries", math.inf, TypeError, ["inf", "max_entries=8"]),
    ("max_entries", math.nan, TypeError, ["nan", "max_entries=8"]),
    ("max_entries", np.True_, TypeError, ["max_entries=8"]),
    ("max_entries", np.float64(2.5), TypeError, ["2.5", "max_entries=8"]),
    ("show_spinner", 2, TypeError, ["2", "show_spinner="]),
    ("show_spinner", 1.0, TypeError, ["1.0", "show_spinner="]),
    ("show_spinner", None, TypeError, ["None", "show_spinner="]),
    ("show_time", "yes", TypeError, ["'yes'", "show_time=True"]),
    ("show_time", 2, TypeError, ["2", "show_time=True"]),
    ("show_time", None, TypeError, ["None", "show_time=True"]),
    ("refresh_mode", "never", ValueError, ["never", "foreground", 'refresh_mode="background"']),
    ("refresh_mode", "background", ValueError, ["need a ttl", 'ttl="1h"']),
    ("refresh_mode", None, ValueError, ["None", 'refresh_mode="background"']),
    ("refresh_before", "5m", ValueError, ["ttl", 'refresh_before="5m"']),
    ("max_stale", -1, ValueError, ["-1", "max_stale="]),
    ("max_stale", object, TypeError, ["max_stale="]),
    ("max_idle", 0, ValueError, ["0", 'max_idle="15m"']),
    ("max_idle", "soon", ValueError, ["soon", "max_idle"]),
    ("build_timeout", 0, ValueError, ["0", 'build_timeout="30s"']),
    ("build_timeout", True, TypeError, ["True", "build_timeout"]),
    ("max_weight", 8, ValueError, ["weight", "max_weight=8"]),
    ("max_weight", "8GB", TypeError, ["'8GB'", "max_weight=8"]),
    ("max_weight", 0, ValueError, ["0", "max_weight=8"]),
    ("weight", -1, ValueError, ["-1", "weight=lambda"]),
    ("weight", "heavy", TypeError, ["'heavy'", "weight=lambda"]),
    ("weight", True, TypeError, ["True", "weight=lambda"]),
    ("experimental_allow_widgets", 1, TypeError, ["1", "experimental_allow_widgets=True"]),
]


UNKNOWN = [
    # call, its name, the keyword, what the text must say of it
    (tenure.cache_resource, "cache_resource", "on_relase", "; did you mean on_release?"),
    (tenure.cache_resource, "cache_resource", "max_entires", "; did you mean max_entries?"),
    (tenure.cache_resource, "cache_resource", "tag", "; did you mean tags?"),
    (tenure.cache_resource, "cache_resource", "maxsize", "; write max_entries"),
    (tenure.cache_resource, "cache_resource", "ttl_seconds", "; write ttl"),
    (tenure.cache_resource, "cache_resource", "top", "; there are ttl, max_entries, show_spinner, "),
    (tenure.configure, "tenure.configure", "darin", "; did you mean drain?"),
    (tenure.configure, "tenure.configure", "timeout", "; there are drain, session_grace, "),
    (tenure.asgi.lifespan, "tenure.asgi.lifespan", "warn", "; did you mean warm?"),
    (tenure.asgi.lifespan, "tenure.asgi.lifespan", "of", "; there are warm and shutdown"),
    (tenure.asgi.Middleware, "tenure.asgi.Middleware", "idle", "; there are session, warm and shutdown"),
    (tenure.asgi.Cookie, "tenure.asgi.Cookie", "idel", "; did you mean idle?"),
    (tenure.asgi.inspector, "tenure.asgi.inspector", "tokens", "; did you mean token?"),
]


@pytest.mark.parametrize(("call", "name", "keyword", "said"), UNKNOWN)
def test_l11_a_setting_that_there_is_not(call: Callable[..., Any], name: str, keyword: str, said: str) -> None:
    with pytest.raises(TypeError) as raised:
        call(**{keyword: 1})
    assert f"{name} has no setting {keyword!r}{said}" in str(raised.value)


def test_l11_the_signatures_say_what_settings_there_are() -> None:
    """The look at the names of a call is not seen from outside, and positions are Python's own matter."""
    settings = list(inspect.signature(tenure.cache_resource).parameters)
    assert (settings[:3], settings[-1]) == (["func", "ttl", "max_entries"], "fleet_builds")
    assert list(inspect.signature(tenure.asgi.Middleware).parameters) == ["app", "session", "warm", "shutdown"]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'app'"):
        tenure.asgi.Middleware(warm=[])  # type: ignore[call-arg]


def _takes_nothing() -> bool:
    return True


def _takes_two(one: object, two: object) -> bool:
    return True


def _takes_three(one: object, two: object, three: object) -> None: ...


def _takes_a_keyword(one: object, *, name: str) -> None: ...


MISFITS = [
    # setting, value, what the text must say
    (
        "validate",
        _takes_nothing,
        "validate is called with the resource, and _takes_nothing does not take that: too many",
    ),
    (
        "validate",
        _takes_two,
        "_takes_two does not take that: missing a required argument: 'two'. Example: validate=lambda",
    ),
    ("keep_if", _takes_nothing, "keep_if is called with the resource, and _takes_nothing"),
    ("keep_if", _takes_two, "Example: keep_if=lambda resource"),
    ("weight", _takes_two, "weight is called with the resource, and _takes_two"),
    ("ttl", _takes_nothing, "ttl is called with the resource, and _takes_nothing"),
    ("on_release", _takes_nothing, "on_release is called with the resource, and _takes_nothing"),
    ("on_release", _takes_three, "on_release is called with the resource and the cause, and _takes_three"),
    ("on_release", _takes_a_keyword, "argument: 'name'"),
    ("scope", _takes_two, "scope is called without arguments, and _takes_two does not take that"),
    ("hash_funcs", {Decimal: _takes_nothing}, "hash_funcs[decimal.Decimal] is called with the argument, and"),
]


@pytest.mark.parametrize(("setting", "value", "said"), MISFITS)
def test_l11_a_callback_that_cannot_be_called_so(setting: str, value: Any, said: str) -> None:
    with pytest.raises(TypeError) as raised:
        tenure.cache_resource(lambda: 1, **{setting: value})
    assert said in str(raised.value)


def _raising(*args: object) -> Any:
    raise KeyError("inner")


@pytest.mark.parametrize("setting", ["ttl", "weight", "tags", "scope"])
def test_l11_what_a_callback_raises_has_a_note_of_whose_it_is(setting: str) -> None:
    error = KeyError("one object")

    def again(*args: object) -> Any:
        raise error

    def whose() -> list[int]:
        return []

    whose.__qualname__ = f"whose_{setting}"
    for raising in (_raising, again, again):
        with pytest.raises(KeyError) as raised:
            tenure.cache_resource(whose, **{setting: raising})()
        assert raised.value.__notes__ == [f"raised by {setting} of {__name__}.whose_{setting}"]


def test_l11_what_a_callback_gives_that_cannot_be_is_named_with_whose_it_is() -> None:
    def given(number: int) -> list[int]:
        return [number]

    cached = tenure.cache_resource(given, ttl=lambda it: "x")
    said = f'^ttl of {__name__}.*given returned \'x\': ttl="x" has no number .* Example: ttl="1h30m"$'
    with pytest.raises(ValueError, match=said):
        cached(1)
    with pytest.raises(TypeError, match=r"given returned \[1\]: ttl cannot be \[1\]\. Accepted"):
        tenure.cache_resource(given, ttl=lambda it: it)(1)
    with pytest.raises(tenure.ScopeError, match=r"is None here.*<locals>\.<lambda> has to return"):
        tenure.cache_resource(given, scope=lambda: None)(1)


class _Untold:
    """A callable that does not tell what it takes."""

    __signature__ = "none"

    def __call__(self, resource: object) -> bool:
        return True


@pytest.mark.parametrize(
    "fits",
    [bool, callable, print, _Untold(), functools.partial(_takes_two, 1), lambda *args: True, lambda it, more=1: True],
)
def test_l11_a_callback_that_fits_or_does_not_tell(fits: Any) -> None:
    for setting in ("validate", "keep_if", "on_release", "weight", "ttl"):
        tenure.cache_resource(**{setting: fits})
    tenure.cache_resource(lambda: 1, hash_funcs={Decimal: fits})


@pytest.mark.parametrize(("setting", "value", "error", "said"), BAD)
def test_l11_fails_where_the_decorator_stands(
    setting: str, value: object, error: type[Exception], said: list[str]
) -> None:
    with pytest.raises(error) as raised:
        # With arguments: before there is a function to decorate.
        tenure.cache_resource(**{setting: value})
    assert type(raised.value) is error
    for part in [setting, *said]:
        assert part in str(raised.value)
    with pytest.raises(error):
        tenure.cache_resource(lambda: None, **{setting: value})


@pytest.mark.parametrize(
    "ttl",
    [
        90,
        90.0,
        np.int64(90),
        np.float64(90),
        timedelta(seconds=90),
        timedelta(minutes=1, seconds=30),
        "90s",
        "1m30s",
        "1.5 min",
        "00:01:30",
        "PT1M30S",
        "90000000000ns",
    ],
    ids=repr,
)
def test_l11_every_accepted_form_of_a_time_means_the_same(clock: Clock, ttl: object) -> None:
    thing = tenure.cache_resource(ttl=ttl)(lambda: object())
    first = thing()
    clock.advance(timedelta(seconds=90) - timedelta(milliseconds=1))
    assert thing() is first
    clock.advance(timedelta(milliseconds=1))
    assert thing() is not first
    assert releases(thing) == {"expired": 1}


@pytest.mark.parametrize("ttl", [None, math.inf, 1e300], ids=repr)
def test_l11_what_is_no_bound_is_accepted_too(clock: Clock, ttl: object) -> None:
    thing = tenure.cache_resource(ttl=ttl)(lambda: object())
    first = thing()
    clock.advance("100000D")
    assert thing() is first


@pytest.mark.parametrize("most", [2, 2.0, np.int64(2), np.uint8(2), np.float32(2), Fraction(2), Decimal(2)], ids=repr)
def test_l11_a_whole_number_counts_whatever_its_class(most: Any) -> None:
    """L10, L11: as Streamlit takes it."""
    thing = tenure.cache_resource(max_entries=most)(lambda key: object())
    first = thing(1)
    thing(2)
    assert thing(1) is first
    thing(3)
    assert thing.info().entries == 2
    assert thing(1) is not first


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, True), (False, False), (1, True), (0, False), (np.True_, True), (np.False_, False), (np.int8(1), True)],
    ids=repr,
)
def test_l11_what_shows_may_be_a_number_or_numpys_boolean(host: TestHost, value: Any, shown: bool) -> None:
    """L11, H3: as Streamlit takes it."""
    looks: list[tuple[bool, bool]] = []

    def begin(func: object, text: str | None, show_time: bool, allow_widgets: bool) -> None:
        looks.append((text is not None, show_time))

    host.begin = begin  # type: ignore[method-assign]

    @tenure.cache_resource(show_spinner=value, show_time=value, refresh_mode="foreground")
    def build() -> object:
        return object()

    build.clear()
    build()
    assert looks == [(shown, shown)]


def test_l11_hash_funcs_has_types_and_functions() -> None:
    for wrong in ({1: str}, {int: "str"}, [int], "int"):
        with pytest.raises(TypeError, match="hash_funcs"):
            tenure.cache_resource(lambda: None, hash_funcs=wrong)


@pytest.mark.parametrize("setting", ["drain", "session_grace", "version_grace", "shutdown_timeout"])
@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), ("soon", ValueError), ([], TypeError)])
def test_l11_configure_says_the_same(setting: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=setting):
        tenure.configure(**{setting: value})


def test_l11_configure_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="grace"):
        tenure.configure(grace=1)
    with pytest.raises(ValueError, match="shutdown_timeout needs a time"):
        tenure.configure(shutdown_timeout=None)
    with pytest.raises(TypeError, match="handle_signals must be True or False"):
        tenure.configure(handle_signals="no")


def test_l11_a_setting_that_fails_changes_nothing() -> None:
    with pytest.raises(ValueError, match="session_grace"):
        tenure.configure(drain="1h", session_grace=-1)
    thing = tenure.cache_resource(lambda: [])
    held = thing()
    thing.clear()
    assert sum(thing.info().releases.values()) == 1
    assert held == []


def test_l11_what_is_not_a_function_is_refused() -> None:
    with pytest.raises(TypeError, match="decorates a function"):
        tenure.cache_resource(5)
    with pytest.raises(TypeError, match="decorates a function"):
        tenure.cache_resource(ttl=5)(5)


def test_l11_l12_a_time_without_a_unit_warns_once_at_the_line_that_says_it() -> None:
    def bare() -> None:
        tenure.cache_resource(list, ttl="60")

    def with_settings() -> None:
        tenure.cache_resource(ttl="60")(list)

    def for_all() -> None:
        tenure.configure(drain="60")

    for says in (bare, with_settings, for_all):
        with pytest.warns(UserWarning, match="='60' has no unit and means nanoseconds") as caught:
            says()
        assert [(one.filename, one.lineno) for one in caught] == [(__file__, says.__code__.co_firstlineno + 1)]
    tenure.configure()


@pytest.mark.parametrize(
    "settings",
    [{"ttl": 60, "refresh_mode": "background"}, {"ttl": 60, "refresh_before": 5}, {"build_timeout": 5}],
    ids=str,
)
def test_l11_what_is_built_on_another_thread_is_not_for_one_thread(settings: dict[str, Any]) -> None:
    """A7."""
    with pytest.raises(ValueError, match='scope="thread" keeps a resource for the thread that built it'):
        tenure.cache_resource(scope="thread", **settings)
