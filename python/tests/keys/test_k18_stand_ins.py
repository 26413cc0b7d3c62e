"""K18: stand-ins that can be asked are keyed by what they stand for now, and so is what holds one."""

from __future__ import annotations

import collections
import functools
import reprlib
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import celery
import django.conf
import django.http
import django.utils.functional
import flask
import flask_login
import lazy_object_proxy
import lazy_object_proxy.slots
import peewee
import pytest
import sqlalchemy
import sqlalchemy.orm
import werkzeug.local
import wrapt
import zope.proxy
from tenants import STAND_IN, TENANT, VARIABLE, Current, Make, as_tenant, connect, keyed_by_tenant, refused
from tenants import cleared as cleared  # a fixture for all

import tenure
from tenure._native import _encode


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


def test_k18_a_request_of_flask_or_django_is_refused() -> None:
    """K18: it stands for whoever asks now; what was read of it is an argument."""

    class Own(django.http.HttpRequest):
        """A request as a program extends it."""

        def __init__(self) -> None:
            """Django's asks the settings, and nobody has configured them."""

    with flask.Flask(__name__).test_request_context("/"):
        current = flask.request._get_current_object()  # type: ignore[attr-defined]
        for request in (flask.request, current, Own()):
            with pytest.raises(
                tenure.UnhashableParamError, match="which stands for whoever asks now. Pass what counts"
            ):
                connect(request)


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


class ByDefault:
    @property
    def tenant(self, var: Any = TENANT) -> Any:
        return var.get()


class ByNamedDefault:
    @property
    def tenant(self, *, get: Any = TENANT.get) -> Any:
        return get()


class Lookup(dict[str, str]):
    def __getitem__(self, name: str) -> Any:
        return TENANT.get()


@pytest.mark.parametrize(
    "make",
    [
        ByDefault,
        ByNamedDefault,
        lambda: types.MappingProxyType(Lookup(tenant="x")),
        lambda: types.MappingProxyType(collections.ChainMap(Lookup(tenant="x"))),
    ],
)
def test_k18_who_asks_may_stand_in_a_default_or_behind_a_view(make: Callable[[], Any]) -> None:
    """K18: what a getter's parameter is where nobody passes it, and the mapping behind a read-only view."""

    @tenure.cache_resource
    def take(it: Any) -> list[Any]:
        return [it]

    with pytest.raises(tenure.UnhashableParamError, match=r"context variable|does not keep"):
        take(make())


class Abbreviated:
    def __init__(self, value: int) -> None:
        self.value = value

    @reprlib.recursive_repr()
    def __str__(self) -> str:
        return f"<{self.value}>"


def test_k18_what_a_decorator_of_the_standard_library_does_is_the_librarys() -> None:
    """K18: `reprlib` asks which thread it is on, and what it gives does not depend on that."""

    @tenure.cache_resource
    def take(it: Any) -> list[Any]:
        return [it]

    assert take(Abbreviated(1)) is take(Abbreviated(1))
    assert take(Abbreviated(1)) is not take(Abbreviated(2))
