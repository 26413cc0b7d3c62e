"""K18: an object is keyed by its fields only where its class keeps what it is in its fields.

Every case is asked by two tenants, whose name stands in a context variable. What is keyed gives each tenant its own
resource, and the same one for equal calls; what is refused says why. Nobody is ever handed the other's.
"""

from __future__ import annotations

import collections.abc
import enum
import functools
import os
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import attrs
import django.conf
import django.utils.functional
import flask
import peewee
import pydantic
import pytest
import sqlalchemy
import sqlalchemy.orm
import werkzeug.local
from tenants import LOCAL, NAMES, STAND_IN, TENANT, VARIABLE, Current, Make, current_tenant, refused
from tenants import cleared as cleared  # a fixture for all


def tenant_of_the_request() -> str:
    return current_tenant()


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
