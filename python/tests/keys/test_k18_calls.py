"""K18: what an object shows by way of code that it calls, and where a stand-in hides behind something else."""

from __future__ import annotations

import contextvars
import dataclasses
import enum
import functools
import threading
import types
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
import sqlalchemy
import sqlalchemy.orm
import wrapt
from werkzeug.local import LocalProxy

import tenure

USER: contextvars.ContextVar[str] = contextvars.ContextVar("USER")
CURRENT = LocalProxy(USER)
ROUTED = sqlalchemy.orm.scoped_session(
    sqlalchemy.orm.sessionmaker(sqlalchemy.create_engine("sqlite://")), scopefunc=USER.get
)


def current() -> str:
    return USER.get()


class Meta(type):
    @property
    def user(cls) -> str:
        return USER.get()


class Auth(metaclass=Meta):
    def method(self) -> str:
        return USER.get()

    @staticmethod
    def static() -> str:
        return USER.get()

    @classmethod
    def of_class(cls) -> str:
        return USER.get()

    def __call__(self) -> str:
        return USER.get()


auth = Auth()


class Getter:
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else self.fetch()

    def fetch(self) -> str:
        return USER.get()


class own_property(property):
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else USER.get()


class Base:
    @property
    def user(self) -> str:
        return USER.get()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return USER.get()


def host(**members: Any) -> Any:
    """An instance with a field, whose class has these members."""
    made = type("Host", (), {"__init__": lambda self: setattr(self, "app", "shop"), **members})
    return made()


class BySuper(Base):
    def __init__(self) -> None:
        self.app = "shop"

    @property
    def user(self) -> str:
        return super().user.strip()

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)


class ByName(Base):
    def __init__(self) -> None:
        self.app = "shop"

    def __getattr__(self, name: str) -> Any:
        return Base.__getattr__(self, name)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    app: str = "shop"

    @property
    def user(self) -> str:
        return current()


class Model(pydantic.BaseModel):
    app: str = "shop"

    @property
    def user(self) -> str:
        return current()


class Role(enum.Enum):
    ME = 1

    @property
    def user(self) -> str:
        return current()


class Problem(Exception):
    @property
    def user(self) -> str:
        return current()


class Wrapped(wrapt.ObjectProxy):  # type: ignore[misc]
    @property
    def user(self) -> str:
        return USER.get()


class Pretending:
    """Answers for every attribute with what a function gives that it does not keep in a field."""

    def __getattribute__(self, name: str) -> Any:
        return getattr(LOOKED_UP["now"], name)


LOOKED_UP: dict[str, Any] = {"now": "ann"}

ASKED: dict[str, Callable[[], Any]] = {
    "a method of another object": lambda: host(user=property(lambda self: auth.method())),
    "a static method": lambda: host(user=property(lambda self: Auth.static())),
    "a class method": lambda: host(user=property(lambda self: Auth.of_class())),
    "an object that is called": lambda: host(user=property(lambda self: auth())),
    "an attribute of a class": lambda: host(user=property(lambda self: Auth.user)),
    "a descriptor's own method": lambda: host(user=Getter()),
    "a property class of one's own": lambda: host(user=own_property(lambda self: "")),
    "what it overrides": BySuper,
    "what another class would answer": ByName,
    "a frozen dataclass with slots": Frozen,
    "a pydantic model": Model,
    "an enumeration": lambda: Role.ME,
    "an exception": Problem,
    "a wrapper's own property": lambda: Wrapped(["shop"]),
    "a scoped session": lambda: host(user=property(lambda self: ROUTED())),
    "every attribute of another object": Pretending,
    "a format": lambda: host(__format__=lambda self, spec: USER.get()),
}


@pytest.mark.parametrize("make", ASKED.values(), ids=ASKED)
def test_k18_what_is_called_is_looked_at(make: Callable[[], Any]) -> None:
    @tenure.cache_resource
    def connection(who: Any) -> object:
        return object()

    USER.set("ann")
    with pytest.raises(tenure.UnhashableParamError, match="does not keep what it is in its own fields"):
        connection(make())


DEFAULTS: dict[str, Callable[[], Any]] = {
    "a field": lambda: types.SimpleNamespace(lock=threading.Lock(), user=CURRENT),
    "after an engine": lambda: (sqlalchemy.create_engine("sqlite://"), CURRENT),
    "after a generator": lambda: [iter(()), (it for it in ()), CURRENT],
    "refused by itself": lambda: [threading.Lock(), host(user=property(lambda self: USER.get()))],
}


@pytest.mark.parametrize("make", DEFAULTS.values(), ids=DEFAULTS)
@pytest.mark.filterwarnings("ignore:.*told apart by its identity")
def test_k16_k18_a_stand_in_beside_something_without_a_key_is_not_the_default(make: Callable[[], Any]) -> None:
    deps = make()

    @tenure.cache_resource
    def connection(deps: Any = deps) -> object:
        return object()

    USER.set("ann")
    with pytest.raises(tenure.UnhashableParamError):
        connection()


def test_k16_a_stand_in_for_nobody_yet_may_be_a_default() -> None:
    @tenure.cache_resource
    def connection(user: Any = CURRENT) -> list[str]:
        return [str(user)]

    def as_user(name: str) -> list[str]:
        def run() -> list[str]:
            USER.set(name)
            return connection()

        return contextvars.Context().run(run)

    assert as_user("ann") == ["ann"]
    assert as_user("ben") == ["ben"]
    assert as_user("ann") is as_user("ann")


class Connector:
    def __init__(self, user: Any) -> None:
        self.user = user

    def __call__(self, db: str) -> list[str]:
        return [str(self.user)]

    def connect(self, db: str) -> list[str]:
        return [str(self.user)]


def wrapped(user: Any) -> Any:
    def function(db: str, **deps: Any) -> list[str]:
        return [str(deps)]

    @functools.wraps(function)
    def inner(db: str) -> list[str]:
        return function(db, user=user)

    return inner


HELD: dict[str, Callable[[Any], Any]] = {
    "an object that is called": Connector,
    "a bound method": lambda user: Connector(user).connect,
    "a wrapper": wrapped,
    "a partial": lambda user: functools.partial(lambda user, db: [str(user)], user),
}


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
def test_k18_what_a_decorated_function_holds_is_read_once_and_so_refused(hold: Callable[[Any], Any]) -> None:
    USER.set("ann")
    with pytest.raises(tenure.UnhashableParamError, match="stands for another object at each call"):
        tenure.cache_resource(hold(CURRENT))


def test_k18_types_without_fields_that_show_what_follows_from_them_have_a_key() -> None:
    import polars
    import sqlalchemy.types

    @tenure.cache_resource
    def table(schema: Any) -> object:
        return object()

    for make in (
        lambda: polars.DataFrame({"a": [1]}).schema,
        lambda: polars.Int8(),
        lambda: sqlalchemy.types.Date(),
        lambda: {"d": sqlalchemy.types.Date()},
    ):
        assert table(make()) is table(make())
    assert table(polars.Int8()) is not table(polars.Int16())


@pytest.mark.parametrize("number", range(8))
def test_k18_what_is_read_first_of_a_captured_object_decides_nothing(number: int) -> None:
    """Attributes are read by the hashes of their names, which are others in each process."""

    class App:
        def __init__(self) -> None:
            setattr(self, f"lock{number}", threading.Lock())
            setattr(self, f"user{number}", CURRENT)

    app = App()

    def captures() -> Any:
        return app

    with pytest.raises(tenure.UnhashableParamError, match="cannot be told from other functions"):
        tenure.cache_resource(captures)
