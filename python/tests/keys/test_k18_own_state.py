"""K18: an object is keyed by its fields only where its class keeps what it is in its fields.

Every case is asked by two tenants, whose name stands in a context variable. What is keyed gives each tenant its own
resource, and the same one for equal calls; what is refused says why. Nobody is ever handed the other's.
"""

from __future__ import annotations

import argparse
import collections.abc
import contextvars
import enum
import functools
import os
import threading
import types
import unittest.mock
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import addict
import attrs
import box
import celery
import django.conf
import django.utils.functional
import easydict
import flask
import flask_login
import lazy_object_proxy
import lazy_object_proxy.slots
import omegaconf
import peewee
import pluggy
import pydantic
import pytest
import sqlalchemy
import sqlalchemy.orm
import werkzeug.local
import wrapt
import zope.proxy

import tenure
from tenure._native import _encode

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")
LOCAL = threading.local()
STAND_IN = werkzeug.local.LocalProxy(TENANT)
NAMES = {"north": "n"}
Make = Callable[[], Any]


def current_tenant() -> str:
    return TENANT.get()


def tenant_of_the_request() -> str:
    return current_tenant()


@tenure.cache_resource
def connect(user: Any) -> list[str]:
    return [TENANT.get()]


@pytest.fixture(autouse=True)
def cleared() -> Iterator[None]:
    yield
    connect.clear()


def as_tenant(name: str, call: Callable[[], Any]) -> Any:
    """What a call gives with this tenant in the context variable and in the thread-local."""

    def run() -> Any:
        TENANT.set(name)
        LOCAL.tenant = name
        return call()

    return contextvars.copy_context().run(run)


def refused(make: Make, text: str) -> None:
    builds = connect.info().builds
    for tenant in ("a", "b"):
        with pytest.raises(tenure.UnhashableParamError) as caught:
            as_tenant(tenant, lambda: connect(make()))
        for part in ("`user`", "connect", "`_user`", "hash_funcs={", text):
            assert part in str(caught.value)
    assert connect.info().builds == builds


def keyed_by_tenant(make: Make) -> None:
    for tenant in ("a", "b"):
        first = as_tenant(tenant, lambda: connect(make()))
        assert first == [tenant]
        assert as_tenant(tenant, lambda: connect(make())) is first


# --- classes that answer from elsewhere -----------------------------------------------------------


class Current:
    @property
    def tenant(self) -> str:
        return TENANT.get()

    def connect(self) -> str:
        return self.tenant


class WithFields(Current):
    def __init__(self) -> None:
        self.url = "db"


class Slotted:
    __slots__ = ("url",)

    def __init__(self) -> None:
        self.url = "db"

    tenant = property(lambda self: TENANT.get())


class ByFunction(WithFields):
    tenant = property(lambda self: current_tenant())  # type: ignore[assignment]


class ByTwoFunctions(WithFields):
    @property
    def tenant(self) -> str:
        return tenant_of_the_request()


class ByClassAttribute:
    _variable = TENANT

    def __init__(self) -> None:
        self.url = "db"

    @property
    def tenant(self) -> str:
        return self._variable.get()


class ByMethod:
    def __init__(self) -> None:
        self.url = "db"

    def _ask(self) -> str:
        return TENANT.get()

    @property
    def tenant(self) -> str:
        return self._ask()


class ByThreadLocal:
    url = "db"

    def __init__(self) -> None:
        self.n = 1

    @property
    def tenant(self) -> str:
        return LOCAL.tenant  # type: ignore[no-any-return]


class ByStandIn:
    def __init__(self) -> None:
        self.n = 1

    @property
    def tenant(self) -> str:
        return str(STAND_IN)


CURRENT = Current()


class ByOther:
    def __init__(self) -> None:
        self.n = 1

    @property
    def tenant(self) -> str:
        return CURRENT.tenant


class ByImport:
    def __init__(self) -> None:
        self.n = 1

    @property
    def tenant(self) -> Any:
        import threading

        return threading.current_thread().name


class ByHook:
    def __init__(self) -> None:
        self.n = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(TENANT.get(), name)


class ByEveryAttribute:
    def __init__(self) -> None:
        object.__setattr__(self, "n", 1)

    def __getattribute__(self, name: str) -> Any:
        return getattr(TENANT.get(), name)


class Computed(collections.abc.Mapping[str, str]):
    def __getitem__(self, name: str) -> str:
        return {"tenant": current_tenant()}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(["tenant"])

    def __len__(self) -> int:
        return 1


class ComputedDict(dict[str, str]):
    def __getitem__(self, name: str) -> str:
        return current_tenant()


class AsText:
    def __init__(self) -> None:
        self.n = 1

    def __str__(self) -> str:
        return TENANT.get()


@dataclass
class Fields:
    url: str = "db"

    @property
    def tenant(self) -> str:
        return TENANT.get()


@attrs.define
class Defined:
    url: str = "db"

    @property
    def tenant(self) -> str:
        return TENANT.get()


class Model(pydantic.BaseModel):
    url: str = "db"

    @property
    def tenant(self) -> str:
        return TENANT.get()


class Names(types.SimpleNamespace):
    @property
    def tenant(self) -> str:
        return TENANT.get()


class Failure(Exception):
    @property
    def tenant(self) -> str:
        return TENANT.get()


class Reading:
    def __get__(self, instance: Any, owner: Any) -> str:
        return TENANT.get()


class ByDescriptor:
    tenant = Reading()

    def __init__(self) -> None:
        self.n = 1


class FromVariable:
    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.variable.get()


class ByHeldVariable:
    tenant = FromVariable(TENANT)

    def __init__(self) -> None:
        self.n = 1


class KeptOnce:
    def __init__(self) -> None:
        self.n = 1

    @functools.cached_property
    def tenant(self) -> str:
        return TENANT.get()


class Lazy:
    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ask(), name)


class LazyEverywhere:
    def __init__(self, ask: Callable[[], Any]) -> None:
        object.__setattr__(self, "_ask", ask)

    def __getattribute__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_ask")(), name)


class LazySlots:
    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask

    def __getattr__(self, name: str) -> Any:
        ask = self._ask
        return getattr(ask(), name)


class LazyByName:
    def __init__(self, ask: Callable[[str], Any]) -> None:
        self.ask = ask

    def __getattr__(self, name: str) -> Any:
        return self.ask(name)


class LazyProperty:
    def __init__(self, ask: Callable[[], Any]) -> None:
        self.ask = ask
        self.n = 1

    @property
    def tenant(self) -> Any:
        return self.ask()


class LazyMapping(collections.abc.Mapping[str, Any]):
    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask

    def __getitem__(self, name: str) -> Any:
        return self._ask()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ask())

    def __len__(self) -> int:
        return len(self._ask())


class Liar:
    def __init__(self) -> None:
        self.n = 1

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return type(TENANT.get())


class OfModule:
    """Holds nothing; a module's variable may be another one at any time."""

    @property
    def names(self) -> dict[str, str]:
        return NAMES


class OfEnvironment:
    def __getattr__(self, name: str) -> str:
        return os.environ[name]


class Region(enum.Enum):
    NORTH = 1

    @property
    def tenant(self) -> str:
        return TENANT.get()


class Partially:
    tenant = property(functools.partial(lambda variable, self: variable.get(), TENANT))

    def __init__(self) -> None:
        self.n = 1


class Meta(type):
    @property
    def tenant(cls) -> str:
        return TENANT.get()


class ByMeta(metaclass=Meta):
    pass


def made_in_a_closure(variable: Any) -> Any:
    class Made:
        def __init__(self) -> None:
            self.n = 1

        @property
        def tenant(self) -> Any:
            return variable.get()

    return Made()


def scoped(scopefunc: Any = None) -> Any:
    return sqlalchemy.orm.scoped_session(sqlalchemy.orm.sessionmaker(), scopefunc)


VARIABLE = "reads the context variable"
REFUSED: list[tuple[str, Make, str]] = [
    ("a property, without fields", Current, "`tenant` reads the context variable `TENANT`"),
    ("a property, with fields", WithFields, VARIABLE),
    ("a property, with slots", Slotted, VARIABLE),
    ("a function", ByFunction, VARIABLE),
    ("a function of a function", ByTwoFunctions, VARIABLE),
    ("an attribute of the class", ByClassAttribute, "the context variable `_variable`"),
    ("a method", ByMethod, VARIABLE),
    ("a thread-local", ByThreadLocal, "the thread-local `LOCAL`"),
    ("a stand-in", ByStandIn, "the stand-in `STAND_IN`"),
    ("another object", ByOther, "`CURRENT`, whose the attribute `tenant` reads"),
    ("what it imports", ByImport, "the function `current_thread`"),
    ("a hook", ByHook, "`__getattr__` reads"),
    ("every attribute", ByEveryAttribute, "`__getattribute__` reads"),
    ("a mapping", Computed, "`__getitem__` reads"),
    ("a derived dict", lambda: ComputedDict(n="1"), "`__getitem__` reads"),
    ("a text", AsText, "`__str__` reads"),
    ("a dataclass", Fields, VARIABLE),
    ("an attrs class", Defined, VARIABLE),
    ("a pydantic model", Model, VARIABLE),
    ("a derived namespace", lambda: Names(url="db"), VARIABLE),
    ("a derived namespace without fields", Names, VARIABLE),
    ("an exception", lambda: Failure(1), VARIABLE),
    ("a descriptor", ByDescriptor, VARIABLE),
    ("a descriptor that holds a variable", ByHeldVariable, "a context variable"),
    ("a cached property", KeptOnce, VARIABLE),
    ("a class of a closure", lambda: made_in_a_closure(TENANT), "`variable`"),
    ("a metaclass", lambda: ByMeta, VARIABLE),
    ("a proxy over a function", lambda: Lazy(current_tenant), "its field `_ask` gives"),
    ("a proxy over a lambda", lambda: Lazy(lambda: NAMES), "its field `_ask` gives"),
    ("a proxy over a partial", lambda: Lazy(functools.partial(max, 1, 2)), "its field `_ask` gives"),
    ("a proxy over a method", lambda: Lazy(TENANT.get), "its field `_ask` gives"),
    ("a proxy for every attribute", lambda: LazyEverywhere(current_tenant), "its field `_ask` gives"),
    ("a proxy in a slot", lambda: LazySlots(current_tenant), "its field `_ask` gives"),
    ("a proxy that passes the name on", lambda: LazyByName(NAMES.get), "its field `ask` gives"),
    ("a member of an enumeration", lambda: Region.NORTH, VARIABLE),
    ("a property of a partial", Partially, "`tenant` reads the context variable"),
    ("a property over a function", lambda: LazyProperty(current_tenant), "its field `ask` gives"),
    ("a mapping over a function", lambda: LazyMapping(current_tenant), "its field `_ask` gives"),
    ("the class that it claims to be", Liar, "`__class__` reads"),
    ("a module, without fields", OfModule, "has no fields, and the attribute `names` is computed"),
    ("the environment, without fields", OfEnvironment, "has no fields, and `__getattr__` is computed"),
    ("a context variable", lambda: TENANT, "ContextVar"),
    ("a thread-local itself", lambda: LOCAL, "_thread._local"),
    ("werkzeug's local", werkzeug.local.Local, "ContextVar"),
    ("werkzeug's stack", werkzeug.local.LocalStack, "ContextVar"),
    ("flask.request outside of one", lambda: flask.request, "stands for an object that is not there now"),
    ("flask.g outside of an app", lambda: flask.g, "stands for an object that is not there now"),
    ("SQLAlchemy's scoped session", scoped, "its field `registry` gives"),
    ("SQLAlchemy's scoped session by a function", lambda: scoped(current_tenant), "its field `registry` gives"),
    ("peewee's proxy of a database", lambda: peewee_proxy(), "SqliteDatabase"),
    ("Django's lazy text", lambda: django.utils.functional.lazy(lambda: TENANT.get(), str)(), "for whoever has it now"),
]  # fmt: skip


def peewee_proxy() -> Any:
    proxy = peewee.DatabaseProxy()
    proxy.initialize(peewee.SqliteDatabase(":memory:"))
    return proxy


@pytest.mark.parametrize(("make", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_k18_what_answers_from_elsewhere_is_refused(make: Make, text: str) -> None:
    """K18: with the parameter, the type, what was seen, and the two ways out."""
    refused(make, text)


# --- stand-ins that can be asked ------------------------------------------------------------------


class User(flask_login.UserMixin):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        self.id = name


def holder() -> dict[str, str]:
    return {"tenant": TENANT.get()}


class Named(wrapt.ObjectProxy):  # type: ignore[misc]
    pass


def own_field() -> Any:
    proxy = wrapt.ObjectProxy([1])
    proxy._self_tenant = TENANT.get()
    return proxy


STAND_INS: list[tuple[str, Make]] = [
    ("werkzeug, over a variable", lambda: STAND_IN),
    ("werkzeug, over a function", lambda: werkzeug.local.LocalProxy(holder)),
    ("wrapt", lambda: wrapt.ObjectProxy(holder())),
    ("derived from wrapt", lambda: Named(holder())),
    ("wrapt with a field of its own", own_field),
    ("lazy-object-proxy", lambda: lazy_object_proxy.Proxy(holder)),
    ("lazy-object-proxy in Python", lambda: lazy_object_proxy.slots.Proxy(holder)),
    ("Django", lambda: django.utils.functional.SimpleLazyObject(holder)),
    ("zope", lambda: zope.proxy.ProxyBase(holder())),
    ("peewee", lambda: initialized(holder())),
    ("Celery", lambda: celery.local.Proxy(holder)),
]


def initialized(value: Any) -> Any:
    proxy = peewee.Proxy()
    proxy.initialize(value)
    return proxy


@pytest.mark.parametrize("make", [case[1] for case in STAND_INS], ids=[case[0] for case in STAND_INS])
def test_k18_a_stand_in_is_keyed_by_what_it_stands_for_now(make: Make) -> None:
    """K18: equal calls share, and another tenant has another resource."""
    keyed_by_tenant(make)


AROUND: dict[str, Callable[[Any], Any]] = {
    "a list": lambda it: [it],
    "a dict": lambda it: {"user": it},
    "a tuple in a set": lambda it: (frozenset({1}), it),
    "a field": lambda it: Holding(it),
    "a namespace": lambda it: types.SimpleNamespace(user=it),
    "a partial": lambda it: functools.partial(max, it),
    "a closure": lambda it: lambda: it,
    "a default": lambda it: lambda user=it: user,
}


@dataclass
class Holding:
    user: Any
    others: list[int] = field(default_factory=list)


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_k18_what_holds_it_is_treated_alike(around: Callable[[Any], Any]) -> None:
    """K18: at every depth, and in functions."""
    keyed_by_tenant(lambda: around(STAND_IN))
    refused(lambda: around(Current()), VARIABLE)


def test_k18_a_bound_method_is_what_it_is_bound_to() -> None:
    """K18: also where the method is all that is passed."""
    refused(lambda: Current().connect, VARIABLE)


def test_k18_flask_users_never_share() -> None:
    """K18: `flask_login.current_user`, logged in and not."""
    app = flask.Flask(__name__)
    app.secret_key = "s"
    flask_login.LoginManager(app).user_loader(lambda name: None)
    seen = {}
    for name in ("alice", "bob", "", "alice", "bob", ""):
        with app.test_request_context("/"):
            if name:
                flask_login.login_user(User(name))
            TENANT.set(name)
            made = connect(flask_login.current_user)
            assert made == [name]
            assert seen.setdefault(name, made) is made
    with pytest.raises(tenure.UnhashableParamError, match="stands for an object that is not there now"):
        connect(flask.session)


def test_k18_mapped_rows_are_told_apart_whether_loaded_or_not() -> None:
    """K18: an expired row is known by its identity; equal new ones are one."""
    registry = sqlalchemy.orm.registry()

    @registry.mapped
    class Row:
        __tablename__ = "row"
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
        name = sqlalchemy.Column(sqlalchemy.String)

        def __init__(self, id: int, name: str) -> None:
            self.id, self.name = id, name

    assert _encode(Row(1, "a")) == _encode(Row(1, "a")) != _encode(Row(1, "b"))
    engine = sqlalchemy.create_engine("sqlite://")
    registry.metadata.create_all(engine)
    with sqlalchemy.orm.Session(engine) as session:
        rows = [Row(1, "a"), Row(2, "b")]
        session.add_all(rows)
        session.commit()
        assert _encode(rows[0]) != _encode(rows[1])
    engine.dispose()


def test_k18_a_closure_over_it_is_refused_where_it_is_decorated() -> None:
    """K18, F1: which object it is says nothing, since it is one for all who ask."""

    def page(user: Any) -> Any:
        @tenure.cache_resource
        def connection() -> list[Any]:
            return [user, TENANT.get()]

        return connection

    for user in (Current(), STAND_IN, [STAND_IN], functools.partial(print, STAND_IN)):
        with pytest.raises(
            tenure.UnhashableParamError, match=r"it holds is a `function` → its `user`: [^?]*variable of its"
        ):
            as_tenant("a", functools.partial(page, user))


def test_k18_the_users_own_rule_wins() -> None:
    """K12, K18: whoever says what it is keyed by need not be told."""

    @tenure.cache_resource(hash_funcs={Current: lambda current: current.tenant})
    def connection(current: Current) -> list[str]:
        return [current.tenant]

    for tenant in ("a", "b"):
        assert as_tenant(tenant, lambda: connection(Current())) == [tenant]


# --- what keeps what it is in its fields ----------------------------------------------------------


class Dialect:
    """Holds nothing, and shows nothing but constants."""

    @property
    def name(self) -> str:
        return "sqlite"

    @property
    def title(self) -> str:
        return self.name.upper()

    @functools.singledispatchmethod
    def show(self, value: Any) -> str:
        return os.sep

    def quote(self, text: str) -> str:
        return f"{os.sep}{text}"


class Wrapper:
    def __init__(self, func: Any) -> None:
        self.func = func

    def __call__(self) -> Any:
        return self.func()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.func, name)


class Dataset:
    def __init__(self, rows: list[int], transform: Callable[[int], int]) -> None:
        self.rows, self.transform = rows, transform

    def __getitem__(self, at: int) -> int:
        return self.transform(self.rows[at])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first(self) -> int:
        return self.transform(self.rows[0])


class Delegating:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)


class Derived:
    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def short(self) -> str:
        return NAMES.get(self.name, self.name.strip().lower())

    @property
    def _quick(self) -> str:
        return TENANT.get()


class View(collections.abc.Mapping[str, Any]):
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def __getitem__(self, name: str) -> Any:
        return self._content[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


class EmptyModel(pydantic.BaseModel):
    pass


def mocked(url: str) -> Any:
    mock = unittest.mock.NonCallableMock(spec=Derived)
    mock.name = url
    return mock


def twice(n: int) -> int:
    return n * 2


def thrice(n: int) -> int:
    return n * 3


KEPT: list[tuple[str, Make, Make | None]] = [
    ("constants", Dialect, None),
    ("a model without fields", EmptyModel, None),
    ("a wrapper around a function", lambda: Wrapper(twice), lambda: Wrapper(thrice)),
    ("a function among the data", lambda: Dataset([1], twice), lambda: Dataset([1], thrice)),
    ("data beside a function", lambda: Dataset([1], twice), lambda: Dataset([2], twice)),
    ("a hook for its own field", lambda: Delegating([1]), lambda: Delegating([2])),
    ("properties of its own fields", lambda: Derived("a"), lambda: Derived("b")),
    ("a mapping of its own", lambda: View({"a": 1}), lambda: View({"a": 2})),
    ("EasyDict", lambda: easydict.EasyDict(a=1), lambda: easydict.EasyDict(a=2)),
    ("Box", lambda: box.Box(a={"b": 1}), lambda: box.Box(a={"b": 2})),
    ("addict", lambda: addict.Dict(a=1), addict.Dict),
    ("omegaconf", lambda: omegaconf.OmegaConf.create({"a": 1}), lambda: omegaconf.OmegaConf.create({"a": 2})),
    ("argparse", lambda: argparse.Namespace(a=1), lambda: argparse.Namespace(a=2)),
    ("a namespace", lambda: types.SimpleNamespace(a=1), types.SimpleNamespace),
    ("a mock", lambda: unittest.mock.MagicMock(email="a"), lambda: unittest.mock.MagicMock(email="b")),
    ("a mock of a class", lambda: mocked("a"), lambda: mocked("b")),
    (
        "Celery's app",
        lambda: celery.Celery("a", set_as_current=False),
        lambda: celery.Celery("b", set_as_current=False),
    ),
    ("a plugin manager", lambda: pluggy.PluginManager("a"), lambda: pluggy.PluginManager("b")),
    (
        "werkzeug's type of a dict",
        lambda: werkzeug.datastructures.MultiDict({"a": 1}),
        werkzeug.datastructures.MultiDict,
    ),
    ("Flask's anonymous user", flask_login.AnonymousUserMixin, None),
]


@pytest.mark.parametrize(("make", "other"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT])
def test_k18_what_keeps_its_state_goes_on_as_it_was(make: Make, other: Make | None) -> None:
    """K18, K9: hooks and properties over own fields are no reason to refuse."""
    TENANT.set("a")
    assert connect(make()) is connect(make())
    if other is not None:
        assert connect(other()) is not connect(make())
