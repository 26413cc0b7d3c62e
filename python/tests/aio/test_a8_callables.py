"""A8: any callable is a scope, ended with `tenure.end_scope(value)`."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

import tenure
from loops import until
from world import Ledger, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")

tenant: contextvars.ContextVar[Any] = contextvars.ContextVar("tenant", default=None)


def as_tenant(who: Any, work: Any) -> Any:
    def run() -> Any:
        tenant.set(who)
        return work()

    return contextvars.copy_context().run(run)


@dataclass(frozen=True)
class Tenant:
    number: int


def test_a8_one_entry_for_each_value(ledger: Ledger) -> None:
    @tenure.cache_resource(scope=tenant.get, on_release=ledger.release)
    def pool(key: int = 0) -> Any:
        return ledger.build((tenant.get(), key))

    ada = as_tenant("ada", pool)
    assert as_tenant("ada", pool) is ada
    bob = as_tenant("bob", pool)
    assert bob is not ada
    as_tenant("ada", lambda: pool(1))
    tenure.end_scope("ada")
    assert set(ledger.names()) == {("ada", 0), ("ada", 1)}
    assert releases(pool) == {"session_ended": 2}
    assert as_tenant("bob", pool) is bob
    assert as_tenant("ada", pool) is not ada
    as_tenant("bob", pool.clear)
    assert not bob.is_open
    tenure.end_scope("ada")
    tenure.end_scope("bob")
    tenure.end_scope("nobody has this one")
    assert pool.info().entries == 0


def test_a8_values_are_keyed_as_arguments_are(ledger: Ledger) -> None:
    @tenure.cache_resource(scope=tenant.get, on_release=ledger.release)
    def pool() -> Any:
        return ledger.build(tenant.get())

    values = [1, "1", 1.0, True, b"1", (1, 2), Tenant(1), Tenant(2), "loop:1", "thread:1", "global"]
    made = [as_tenant(value, pool) for value in values]
    assert len({id(it) for it in made}) == len(values)
    assert as_tenant(Tenant(1), pool) is made[6]
    for value, it in zip(values, made, strict=True):
        assert it.is_open
        tenure.end_scope(value)
        assert not it.is_open
    assert len(ledger.released) == len(values)


def test_a8_none_or_a_value_without_a_key_is_a_clear_error() -> None:
    @tenure.cache_resource(scope=tenant.get)
    def pool() -> object:
        return object()

    with pytest.raises(tenure.ScopeError, match=r"pool.*is None here"):
        pool()
    with pytest.raises(tenure.UnhashableParamError):
        as_tenant((it for it in ()), pool)
    with pytest.raises(tenure.UnhashableParamError):
        tenure.end_scope(it for it in ())

    @tenure.cache_resource(scope=lambda: 1 // 0)
    def fails() -> object:
        return object()

    with pytest.raises(ZeroDivisionError):
        fails()
    for scope in ("tenant", 1, None):
        with pytest.raises((TypeError, ValueError), match="function without"):
            tenure.cache_resource(scope=scope)  # type: ignore[call-overload]


def test_a8_two_functions_with_one_callable_end_together_and_others_stay(ledger: Ledger) -> None:
    def other() -> object:
        return ("other", tenant.get())

    one = tenure.cache_resource(scope=tenant.get, on_release=ledger.release)(lambda: ledger.build("one"))
    two = tenure.cache_resource(scope=tenant.get, on_release=ledger.release)(lambda: ledger.build("two"))
    three = tenure.cache_resource(scope=other, on_release=ledger.release)(lambda: ledger.build("three"))
    for function in (one, two, three):
        as_tenant("ada", function)
    tenure.end_scope("ada")
    assert sorted(map(str, ledger.names())) == ["one", "two"]
    tenure.end_scope(("other", "ada"))
    assert len(ledger.released) == 3


def test_a8_async_functions_with_a_tenant(ledger: Ledger) -> None:
    @tenure.cache_resource(scope=tenant.get)
    async def pool() -> AsyncIterator[Any]:
        it = ledger.build(tenant.get())
        yield it
        await asyncio.sleep(0)
        ledger.release(it)

    async def request(who: str) -> Any:
        tenant.set(who)
        return await pool()

    async def main() -> None:
        ada, bob, again = await asyncio.gather(*(asyncio.create_task(request(who)) for who in ("ada", "bob", "ada")))
        assert ada is again is not bob
        with pytest.raises(tenure.ScopeError, match="is None here"):
            await pool()
        tenure.end_scope("ada")
        await until(lambda: ledger.names() == ["ada"])
        assert await asyncio.create_task(request("bob")) is bob

    asyncio.run(main())
    tenure.end_scope("bob")
    assert ledger.names() == ["ada", "bob"]


def test_a8_a_scope_that_ends_during_a_build_orphans_it(ledger: Ledger) -> None:
    async def main() -> None:
        may_end = asyncio.Event()

        @tenure.cache_resource(scope=tenant.get, on_release=ledger.release)
        async def pool() -> Any:
            await may_end.wait()
            return ledger.build(tenant.get())

        async def request() -> Any:
            tenant.set("ada")
            return await pool()

        caller = asyncio.create_task(request())
        await until(lambda: pool.info().waiting == 1)
        tenure.end_scope("ada")
        may_end.set()
        assert (await caller).is_open
        assert pool.info().entries == 0

    asyncio.run(main())


def test_a8_an_async_function_is_no_scope() -> None:
    async def who() -> str:
        return "ada"

    class Who:
        async def __call__(self) -> str:
            return "ada"

    for scope in (who, Who()):
        with pytest.raises(TypeError, match="scope cannot be an async function.*Write `def` for it.*function without"):
            tenure.cache_resource(scope=scope)


def test_a8_what_is_said_of_a_value_without_a_key_can_be_done() -> None:
    """A scope has no parameter to leave out, and no `hash_funcs`."""

    @tenure.cache_resource(scope=lambda: (it for it in ()))
    def pool() -> object:
        return object()

    def ended() -> None:
        tenure.end_scope({"who": (it for it in ())})

    for use, whose in ((pool, "the scope of `.*pool`"), (ended, "what `tenure.end_scope` was given")):
        with pytest.raises(tenure.UnhashableParamError, match=rf"no key can be made of {whose}: .*generator") as raised:
            use()
        text = str(raised.value)
        assert "have its function return a str, a number" in text
        assert "hash_funcs" not in text
        assert "underscore" not in text


def test_a8_nobody_has_no_scope_to_end() -> None:
    with pytest.raises(tenure.ScopeError, match=r"end_scope\(None\) ends nothing.*Give it the value"):
        tenure.end_scope(None)
