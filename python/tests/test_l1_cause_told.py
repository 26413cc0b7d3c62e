"""L1: an `on_release` that needs a second argument is told the cause; any other gets the resource alone."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import TestHost

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

TOLD: list[tuple[Any, ...]] = []


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    TOLD.clear()


def tell(*told: Any) -> None:
    TOLD.append(told)


class Closer:
    def method(self, resource: object, cause: str) -> None:
        tell(resource, cause)

    @classmethod
    def of_class(cls, resource: object, cause: str) -> None:
        tell(resource, cause)

    @staticmethod
    def static(resource: object, cause: str) -> None:
        tell(resource, cause)

    def __call__(self, resource: object, cause: str) -> None:
        tell(resource, cause)

    def alone(self, resource: object) -> None:
        tell(resource)


class Record:
    def __init__(self, resource: object, cause: str) -> None:
        tell(resource, cause)


def logged(close: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(close)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        close(*args, **kwargs)

    return wrapper


def injected(close: Callable[..., None]) -> Callable[[Any], None]:
    """Gives what it wraps a second argument of its own."""

    @functools.wraps(close)
    def wrapper(resource: Any) -> None:
        close(resource, "injected")

    return wrapper


class Logged:
    @logged
    def both(self, resource: object, cause: str) -> None:
        tell(resource, cause)

    @logged
    def alone(self, resource: object) -> None:
        tell(resource)

    @logged
    def __call__(self, resource: object, cause: str) -> None:
        tell(resource, cause)


def both(resource: object, cause: str) -> None:
    tell(resource, cause)


def positional_only(resource: object, cause: str, /) -> None:
    tell(resource, cause)


def first_of_three(prefix: str, resource: object, cause: str) -> None:
    tell(resource, cause)


def and_more(resource: object, cause: str, extra: int = 0, *rest: object, flag: bool = False) -> None:
    tell(resource, cause)


WITH_CAUSE: dict[str, Callable[..., Any]] = {
    "function": both,
    "lambda": lambda resource, cause: tell(resource, cause),
    "positional only": positional_only,
    "more with defaults": and_more,
    "method": Closer().method,
    "class method": Closer.of_class,
    "static method": Closer.static,
    "instance": Closer(),
    "class": Record,
    "partial": functools.partial(first_of_three, "closing"),
    "partial by name": functools.partial(and_more, flag=True),
    "wrapped": logged(both),
    "wrapped twice": logged(logged(both)),
    "wrapped method": Logged().both,
    "wrapped call": Logged(),
    "partial of a wrapped one": functools.partial(logged(first_of_three), "closing"),
}


def second_has_a_default(resource: object, force: bool = False) -> None:
    tell(resource)
    assert force is False


def rest(*args: object) -> None:
    tell(*args)


def second_by_name(resource: object, *, cause: str = "none") -> None:
    tell(resource)
    assert cause == "none"


class Silent:
    """Tells no signature."""

    __signature__ = "nonsense"

    def __call__(self, *args: object) -> None:
        tell(*args)


class WrapsItself:
    @property
    def __wrapped__(self) -> WrapsItself:
        return self

    def __call__(self, *args: object) -> None:
        tell(*args)


ALONE: dict[str, Callable[..., Any]] = {
    "function": lambda resource: tell(resource),
    "method": Closer().alone,
    "built-in": TOLD.append,
    "second has a default": second_has_a_default,
    "rest": rest,
    "second by name": second_by_name,
    "partial that fills the second": functools.partial(both, cause="filled"),
    "wrapper that fills the second": injected(both),
    "wrapped wrapper that fills the second": logged(injected(both)),
    "wrapped method": Logged().alone,
    "silent": Silent(),
    "wraps itself": WrapsItself(),
}


@pytest.mark.parametrize("on_release", WITH_CAUSE.values(), ids=WITH_CAUSE.keys())
def test_l1_a_second_parameter_without_a_default_gets_the_cause(clock: Clock, on_release: Any) -> None:
    thing = tenure.cache_resource(on_release=on_release)(lambda: "a resource")
    thing()
    thing.clear()
    assert TOLD == [("a resource", "cleared")]
    assert thing.info().release_failures == 0


@pytest.mark.parametrize("on_release", ALONE.values(), ids=ALONE.keys())
def test_l1_any_other_gets_the_resource_alone(clock: Clock, on_release: Any) -> None:
    thing = tenure.cache_resource(on_release=on_release)(lambda: "a resource")
    thing()
    thing.clear()
    (told,) = TOLD
    assert told in (("a resource",), "a resource", ("a resource", "filled"), ("a resource", "injected"))
    assert thing.info().release_failures == 0


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated where the function stands")
def test_l1_annotations_may_name_what_is_there_for_type_checkers_only(clock: Clock) -> None:
    names: dict[str, Any] = {"tell": tell}
    source = "def close(resource: Missing, cause: str) -> None: tell(resource, cause)"
    exec(compile(source, "<annotated>", "exec", dont_inherit=True), names)
    thing = tenure.cache_resource(on_release=names["close"])(lambda: "a resource")
    thing()
    thing.clear()
    assert TOLD == [("a resource", "cleared")]


def test_l1_built_ins_that_tell_no_signature_get_the_resource_alone(clock: Clock) -> None:
    class Connection:
        closed = False

        def close(self) -> None:
            self.closed = True

    from operator import methodcaller

    thing = tenure.cache_resource(on_release=methodcaller("close"))(lambda: Connection())
    connection = thing()
    thing.clear()
    assert connection.closed


def test_l1_every_cause_is_told_by_its_name(clock: Clock, host: TestHost) -> None:
    def make(**settings: Any) -> Any:
        return tenure.cache_resource(lambda key: [key], on_release=both, **settings)

    evicts = make(max_entries=1)
    evicts("evicted"), evicts(0)
    make(ttl="1m")("expired")
    clock.advance("1m")
    clears = make(drain=0)
    clears("cleared"), clears.clear("cleared")
    checks = make(validate=lambda it: it == [0])
    checks("invalid")
    checks("invalid")
    with host.serving("ada"):
        make(scope="session")("session_ended")
    _native.end_session("ada")
    make(keep_if=lambda it: False)("orphaned")
    clock.advance("1s")
    told = {cause: resource for resource, cause in TOLD}
    assert told == {cause: [cause] for cause in told}
    assert set(told) == {"evicted", "expired", "cleared", "invalid", "session_ended", "orphaned"}
    assert set(told) < set(evicts.info().releases)
    TOLD.clear()
    _native.shutdown()
    assert {cause for _, cause in TOLD} == {"shutdown"}


def test_l3_one_that_raises_is_logged_with_the_cause(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def fail(resource: object, cause: str) -> None:
        raise OSError(cause)

    thing = tenure.cache_resource(on_release=fail)(lambda: [])
    thing()
    with caplog.at_level(logging.ERROR, "tenure"):
        thing.clear()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "cleared"
    assert thing.info().release_failures == 1


def test_l11_a_signature_is_asked_for_once_where_the_decorator_stands(clock: Clock) -> None:
    asked: list[None] = []

    class Counting:
        @property
        def __signature__(self) -> None:
            asked.append(None)

        def __call__(self, resource: object, cause: str) -> None:
            tell(resource, cause)

    thing = tenure.cache_resource(on_release=Counting())(lambda key: [key])
    before = len(asked)
    assert before > 0
    thing(1), thing(2)
    thing.clear()
    assert [cause for _, cause in TOLD] == ["cleared", "cleared"]
    assert len(asked) == before


def test_l11_an_interruption_by_what_tells_the_signature_goes_through() -> None:
    class Stopping:
        @property
        def __signature__(self) -> None:
            raise KeyboardInterrupt

        def __call__(self, resource: object) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        tenure.cache_resource(on_release=Stopping())
