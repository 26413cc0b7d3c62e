"""K18: the ways by which a property comes to a context variable: classes, collections, names as texts, getters."""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
from tenants import TENANT, connect, current_tenant, refused
from tenants import cleared as cleared  # a fixture for all

VARIABLE = "context variable"


class Held:
    current = TENANT

    class Inner:
        current = TENANT


REGISTRY = {"tenant": TENANT, "size": 5}
LIST = [TENANT]


class Holder:
    def __init__(self) -> None:
        self.variables = {"tenant": TENANT}


HOLDER = Holder()
LOOKS = {"tenant": current_tenant}
MODULE: Any = types.ModuleType("settings")
MODULE.Held = Held


def look(name: str) -> str:
    return name


class Sized:
    def __init__(self) -> None:
        self.size = 5


class OfClass(Sized):
    @property
    def tenant(self) -> str:
        return Held.current.get()


class OfInnerClass(Sized):
    @property
    def tenant(self) -> str:
        return Held.Inner.current.get()


class OfModulesClass(Sized):
    @property
    def tenant(self) -> str:
        return MODULE.Held.current.get()  # type: ignore[no-any-return]


class OfDict(Sized):
    @property
    def tenant(self) -> Any:
        return REGISTRY["tenant"].get()  # type: ignore[attr-defined]


class OfHolder(Sized):
    @property
    def tenant(self) -> str:
        return HOLDER.variables["tenant"].get()


class OfList(Sized):
    @property
    def tenant(self) -> str:
        return LIST[0].get()


class OfDictOfFunctions(Sized):
    @property
    def tenant(self) -> str:
        return LOOKS["tenant"]()


class OfGlobals(Sized):
    @property
    def tenant(self) -> Any:
        return globals()["TENANT"].get()


class OfModulesAttribute(Sized):
    @property
    def tenant(self) -> Any:
        return getattr(sys.modules[__name__], "TENANT").get()  # noqa: B009


class OfOwnMethod(Sized):
    """There is a function of the module under the name of the method."""

    @property
    def tenant(self) -> str:
        return self.look()

    def look(self) -> str:
        return TENANT.get()


class Private(Sized):
    @property
    def _user(self) -> str:
        return TENANT.get()

    def _ask(self) -> str:
        return TENANT.get()

    @functools.singledispatchmethod
    def _show(self, it: Any) -> str:
        return "n"

    @_show.register
    def _(self, it: str) -> str:
        return TENANT.get()

    def _name(self, prefix: str) -> str:
        return prefix + TENANT.get()

    _named = functools.partialmethod(_name, "n")


class ByGetter(Private):
    tenant = property(operator.attrgetter("_user"))


class ByCaller(Private):
    tenant = property(operator.methodcaller("_ask"))


class ByChoice(Private):
    @property
    def tenant(self) -> str:
        return self._show("a")


class ByPart(Private):
    @property
    def tenant(self) -> str:
        return self._named()


WAYS: list[Callable[[], Any]] = [
    OfClass,
    OfInnerClass,
    OfModulesClass,
    OfDict,
    OfHolder,
    OfList,
    OfDictOfFunctions,
    OfGlobals,
    OfModulesAttribute,
    OfOwnMethod,
    ByGetter,
    ByCaller,
    ByChoice,
    ByPart,
]


@pytest.mark.parametrize("make", WAYS, ids=[way.__name__ for way in WAYS])
def test_k18_a_property_that_reads_a_context_variable_by_any_way_is_refused(make: Callable[[], Any]) -> None:
    refused(make, VARIABLE)


class Asks:
    def __init__(self, looks: Any) -> None:
        self.looks = looks


class AsksEach(Asks):
    @property
    def tenants(self) -> list[str]:
        return [look() for look in self.looks]


class AsksFirst(Asks):
    @property
    def tenant(self) -> str:
        for look in self.looks:
            return str(look())
        return ""


class AsksByName(Asks):
    @property
    def tenant(self) -> str:
        return str(self.looks["tenant"]())


FIELDS: dict[str, Callable[[], Any]] = {
    "a list": lambda: AsksEach([current_tenant]),
    "a tuple": lambda: AsksFirst((current_tenant,)),
    "a dict": lambda: AsksByName({"tenant": current_tenant}),
}


@pytest.mark.parametrize("make", FIELDS.values(), ids=list(FIELDS))
def test_k18_a_field_of_functions_that_a_property_calls_is_refused(make: Callable[[], Any]) -> None:
    refused(make, "its field `looks`")


class Plain(Sized):
    """Reads what is beside the context variables, and calls what has the name of a method of its own."""

    kinds = {"a": 1}

    @property
    def other(self) -> Any:
        return REGISTRY["size"]

    @property
    def title(self) -> str:
        return look("x")

    @property
    def kind(self) -> int:
        return self.kinds["a"]

    width = property(operator.attrgetter("size"))


class Counts(Asks):
    @property
    def total(self) -> int:
        return sum(int(it) for it in self.looks)


def test_k18_what_is_beside_a_context_variable_is_no_reason_to_refuse() -> None:
    TENANT.set("n")
    assert connect(Plain()) is connect(Plain())
    assert connect(Counts([1])) is connect(Counts([1])) is not connect(Counts([2]))
