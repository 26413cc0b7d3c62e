"""Two tenants who ask for one thing, for tests of arguments that answer each of them otherwise (K18)."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import werkzeug.local

import tenure

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")
LOCAL = threading.local()
STAND_IN = werkzeug.local.LocalProxy(TENANT)
NAMES = {"north": "n"}
Make = Callable[[], Any]
VARIABLE = "reads the context variable"


def current_tenant() -> str:
    return TENANT.get()


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


class Current:
    @property
    def tenant(self) -> str:
        return TENANT.get()

    def connect(self) -> str:
        return self.tenant
