"""D6: what carries a tag is cleared together, in every function and every scope."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from typing import Any

import pytest

import tenure
from tenure import _native
from tenure.testing import Clock
from world import LOST, Ledger, TestHost, releases

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def tags_in_use() -> int:
    return _native._inspect()["tags"]


def of_tenant(tenant: str, *_rest: object, **_named: object) -> list[str]:
    return [f"tenant:{tenant}"]


def test_d6_a_list_is_of_all_entries_and_a_callable_of_each(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource(tags=["billing", "eu"], on_release=ledger.release)
    def rates(currency: str) -> Any:
        return ledger.build(("rates", currency))

    @tenure.cache_resource(tags=lambda tenant: [f"tenant:{tenant}", "eu"], on_release=ledger.release)
    def client(tenant: str) -> Any:
        return ledger.build(("client", tenant))

    @tenure.cache_resource(tags=(), on_release=ledger.release)
    def plain(tenant: str) -> Any:
        return ledger.build(("plain", tenant))

    for it in (rates, client, plain):
        it("7"), it("8")
    assert tenure.clear_tag("tenant:7") is None
    assert ledger.names() == [("client", "7")]
    tenure.clear_tag("billing")
    assert ledger.names()[1:] == [("rates", "8"), ("rates", "7")]
    rates("7"), client("7")
    tenure.clear_tag("eu")
    assert releases(rates) == {"cleared": 3}
    assert releases(client) == {"cleared": 3}
    tenure.clear_tag("nobody carries this one")
    assert plain.info().entries == 2
    assert tags_in_use() == 0


def test_d6_a_callable_is_called_as_the_function_is_and_only_before_a_build(clock: Clock) -> None:
    asked: list[Any] = []

    def tags(*args: object, **kwargs: object) -> list[str]:
        asked.append((args, kwargs))
        return ["a"]

    @tenure.cache_resource(tags=tags)
    def client(tenant: str, size: int = 4, *rest: int, _log: object = None, region: str = "eu", **more: int) -> object:
        return object()

    one = client("7")
    assert asked == [(("7", 4), {"_log": None, "region": "eu"})]
    assert client(size=4, tenant="7", _log=print) is one
    assert len(asked) == 1
    client("7", 5, 6, more=7, region="us", _log=8)
    assert asked[1:] == [(("7", 5, 6), {"_log": 8, "region": "us", "more": 7})]
    tenure.clear_tag("a")
    assert client("7") is not one


def test_d6_methods_give_their_instance_too(clock: Clock) -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @tenure.cache_resource(tags=lambda shop, shelf: [shop.name, f"shelf {shelf}"])
        def stock(_self, shelf: int) -> object:  # noqa: N805
            return object()

        @classmethod
        @tenure.cache_resource(tags=lambda cls, shelf: [cls.__name__])
        def of_class(cls, shelf: int) -> object:
            return object()

        @staticmethod
        @tenure.cache_resource(tags=lambda shelf: [f"static {shelf}"])
        def static(shelf: int) -> object:
            return object()

    shop = Shop("north")
    stock, of_class, static = shop.stock(1), Shop.of_class(1), Shop.static(1)
    tenure.clear_tag("north")
    assert shop.stock(1) is not stock
    tenure.clear_tag("shelf 1")
    assert Shop.stock.info().entries == 0
    tenure.clear_tag("Shop")
    assert Shop.of_class(1) is not of_class
    tenure.clear_tag("static 1")
    assert Shop.static(1) is not static


def test_d6_a_tag_reaches_every_session_loop_and_thread(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    @tenure.cache_resource(scope="session", tags=of_tenant, on_release=ledger.release)
    def basket(tenant: str) -> Any:
        return ledger.build(("session", tenant))

    @tenure.cache_resource(scope="thread", tags=["thread"], on_release=ledger.release)
    def handle() -> Any:
        return ledger.build("thread")

    for session in ("ada", "bob"):
        with host.serving(session):
            basket("7"), basket("8")
    both, over = threading.Barrier(3), threading.Event()

    def work() -> None:
        handle()
        both.wait(LOST)
        over.wait(LOST)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    both.wait(LOST)
    tenure.clear_tag("tenant:7")  # from no session
    assert ledger.names() == [("session", "7")] * 2
    tenure.clear_tag("thread")  # from another thread
    assert ledger.names()[2:] == ["thread"] * 2
    over.set()
    for thread in threads:
        thread.join(LOST)
    assert basket.info().entries == 2


def test_d6_a_build_under_way_goes_to_its_callers_and_is_not_kept(clock: Clock, ledger: Ledger) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    credentials = ["old"]

    @tenure.cache_resource(tags=of_tenant, on_release=ledger.release)
    def client(tenant: str) -> Any:
        built = ledger.build(credentials[-1])
        begun.set()
        goes_on.wait(LOST)
        return built

    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(client("7")))
    thread.start()
    assert begun.wait(LOST)
    credentials.append("new")
    tenure.clear_tag("tenant:7")
    goes_on.set()
    thread.join(LOST)
    assert [it.name for it in got] == ["old"]
    assert client("7").name == "new"
    got.clear()
    ledger.built.clear()
    clock.advance(1)
    assert releases(client) == {"orphaned": 1}


def test_d6_a_build_that_clears_its_own_tag_is_kept(clock: Clock) -> None:
    @tenure.cache_resource(tags=["model"])
    def listed(name: str) -> object:
        tenure.clear_tag("model")
        return object()

    @tenure.cache_resource(tags=lambda name: ["model"])
    def asked(name: str) -> object:
        tenure.clear_tag("model")
        return object()

    for model in (listed, asked):
        large = model("large")
        assert model("large") is large
        model("small")
        assert model.info().entries == 1


def test_d6_successors_and_what_is_warmed_carry_the_tags(clock: Clock) -> None:
    @tenure.cache_resource(tags=of_tenant, ttl="1m", refresh_mode="background")
    def client(tenant: str) -> object:
        return object()

    first = client("7")
    clock.advance(61)
    assert client("7") is first
    clock.advance(0)
    assert client("7") is not first
    tenure.clear_tag("tenant:7")
    assert client.peek("7") is None

    warming = client.warm(["7", "8"])
    clock.advance(0)
    assert warming.ready()
    tenure.clear_tag("tenant:7")
    assert client.peek("7") is None
    assert client.peek("8") is not None


def test_d6_async_functions_in_tasks(ledger: Ledger) -> None:
    async def release(thing: Any) -> None:
        ledger.release(thing)

    @tenure.cache_resource(tags=of_tenant, on_release=release)
    async def client(tenant: str) -> Any:
        await asyncio.sleep(0)
        return ledger.build(tenant)

    @tenure.cache_resource(tags=of_tenant, validate=lambda it: it.is_open)
    async def checked(tenant: str) -> Any:
        return ledger.build(("checked", tenant))

    @tenure.cache_resource(tags=lambda tenant: 1 // 0)
    async def fails(tenant: str) -> Any:
        return ledger.build(tenant)

    async def main() -> None:
        one, other = await asyncio.gather(client("7"), client("8"))
        kept = await checked("7")
        tenure.clear_tag("tenant:7")
        while one.is_open:
            await asyncio.sleep(0)
        assert other.is_open
        assert await client("8") is other
        assert await client("7") is not one
        assert await checked("7") is not kept
        with pytest.raises(ZeroDivisionError):
            await fails("7")
        task = asyncio.ensure_future(client("9"))
        await asyncio.sleep(0)
        tenure.clear_tag("tenant:9")
        assert client.peek("9") is None
        await task

    asyncio.run(main())


def test_d6_what_a_callable_raises_comes_out_and_nothing_is_built(clock: Clock) -> None:
    @tenure.cache_resource(tags=lambda tenant: tenants[tenant])  # noqa: F821
    def client(tenant: str) -> object:
        raise AssertionError("not to be built")

    with pytest.raises(NameError, match="tenants"):
        client("7")
    with pytest.raises(NameError, match="tenants"):
        client.warm(["7"])
    assert client.info().builds == 0


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        (lambda tenant: [], r"too many positional arguments"),
        (lambda tenant, size, others: [], r"missing a required .*argument: 'others'"),
        (lambda: [], r"too many positional arguments"),
        (lambda tenant, size: [], r"unexpected keyword argument 'zone'"),
    ],
)
def test_d6_tags_that_do_not_fit_the_function_fail_where_the_decorator_stands(tags: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text) as raised:

        @tenure.cache_resource(tags=tags)
        def client(tenant: str, size: int = 4, *, zone: str = "a") -> object:
            raise AssertionError("not to be built")

    words = str(raised.value)
    assert "client(tenant, size, *, zone) is" in words
    assert "Write tags=lambda tenant, size, *, zone: […]" in words


def test_d6_tags_that_take_more_than_the_function_gives_fit(clock: Clock) -> None:
    class Pools:
        @tenure.cache_resource(tags=lambda *args, **kwargs: [f"{len(args)} {sorted(kwargs)}"])
        def pool(_self, tenant: str, *rest: int, zone: str = "a") -> object:
            return object()

        @tenure.cache_resource(tags=lambda _self, tenant, more=(): [tenant])
        def other(_self, tenant: str) -> object:
            return object()

    pools = Pools()
    pools.pool("7", 1, 2)
    pools.other("7")
    tenure.clear_tag("4 ['zone']")
    tenure.clear_tag("7")
    assert Pools.pool.info().entries == Pools.other.info().entries == 0

    # It does not tell what it takes.
    @tenure.cache_resource(tags=max)
    def untold(tags: tuple[str, ...], others: tuple[str, ...]) -> object:
        return object()

    untold(("a",), ("b",))
    tenure.clear_tag("b")
    assert untold.info().entries == 0


def test_d6_a_tag_that_is_no_text_is_refused_with_what_to_write(clock: Clock) -> None:
    broken = "file-\udcff"

    @tenure.cache_resource(tags=lambda name: [name])
    def opened(name: str) -> object:
        raise AssertionError("not to be built")

    for refused in (
        lambda: opened(broken),
        lambda: tenure.clear_tag(broken),
        lambda: tenure.cache_resource(tags=[broken]),
    ):
        with pytest.raises(ValueError, match="surrogates in it.*Write a tag without them") as raised:
            refused()
        assert "file-" in str(raised.value)


async def _a_coroutine() -> list[str]:
    return ["a"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda: "tenant:7", "returned 'tenant:7', which is no list"),
        (lambda: None, "returned None, which is no list"),
        (lambda: iter(["a"]), "which is no list"),
        (lambda: {"a": 1}, "which is no list"),
        (lambda: ["a", 7], "with 7 in it: each tag is a string"),
        (lambda: [b"a"], "with b'a' in it"),
        (_a_coroutine, "yet to be awaited"),
    ],
)
def test_d6_an_answer_that_is_no_list_of_strings_is_refused(clock: Clock, answer: Any, text: str) -> None:
    @tenure.cache_resource(tags=lambda: answer())
    def client() -> object:
        raise AssertionError("not to be built")

    with pytest.raises(TypeError, match=text) as raised:
        client()
    assert "tags of " in str(raised.value)
    assert "client" in str(raised.value)


@pytest.mark.parametrize("answer", [["a"], ("a",), {"a"}, frozenset({"a"}), ["a", "a"], []])
def test_d6_lists_tuples_and_sets_are_answers(clock: Clock, answer: Any) -> None:
    @tenure.cache_resource(tags=lambda: answer)
    def client() -> object:
        return object()

    @tenure.cache_resource(tags=answer)
    def listed() -> object:
        return object()

    client(), listed()
    tenure.clear_tag("a")
    assert client.info().entries == listed.info().entries == (0 if answer else 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("tenant:7", r"tags='tenant:7' is one text and no list. Write tags=\['tenant:7'\]"),
        (b"a", "tags cannot be b'a'. Accepted are a list of strings"),
        (7, "tags cannot be 7. Accepted are a list of strings"),
        (["a", 7], "tags cannot have 7 in it: each tag is a string"),
        ({"a": 1}, r"tags cannot be \{'a': 1\}"),
        (_a_coroutine, "tags cannot be an async function"),
    ],
)
def test_d6_bad_tags_fail_where_the_decorator_stands(value: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        tenure.cache_resource(tags=value)


def test_d6_clear_tag_takes_one_string() -> None:
    for tag in (["a"], None, 7, b"a"):
        with pytest.raises(TypeError, match="takes one tag, which is a string"):
            tenure.clear_tag(tag)  # type: ignore[arg-type]


def test_d6_other_tags_are_other_settings_and_the_same_ones_are_not(clock: Clock) -> None:
    def decorated(tags: Any) -> Any:
        def client() -> object:
            return object()

        return tenure.cache_resource(client, tags=tags)

    one = decorated(["a", "b"])()
    assert decorated(["b", "a"])() is one
    assert decorated({"a", "b"})() is one
    assert decorated(["a"])() is not one
    assert decorated(lambda: ["a"])() is not decorated(lambda: ["b"])()


def test_d6_a_callable_may_call_cached_functions_and_clear(clock: Clock) -> None:
    @tenure.cache_resource
    def directory() -> dict[str, str]:
        return {"7": "north"}

    @tenure.cache_resource(tags=lambda tenant: [directory()[tenant]])
    def client(tenant: str) -> object:
        return object()

    @tenure.cache_resource(tags=lambda tenant: [tenure.clear_tag("north") or "north"])
    def clears(tenant: str) -> object:
        return object()

    one = client("7")
    clears("7")
    assert client("7") is not one
    assert clears.peek("7") is not None


def test_d6_the_index_follows_the_entries(clock: Clock) -> None:
    @tenure.cache_resource(tags=lambda number: ["all", f"own {number}"], max_entries=10, ttl="1m")
    def client(number: int) -> object:
        return object()

    for number in range(1000):
        client(number)
    assert tags_in_use() == 11
    clock.advance(61)
    assert tags_in_use() == 0
    client(1)
    del client
    gc.collect()
    tenure.cache_resource.clear()
    assert tags_in_use() == 0


def test_d6_the_callable_is_let_go_with_its_function(clock: Clock) -> None:
    class Tags:
        def __call__(self) -> list[str]:
            return ["a"]

    def decorated() -> Any:
        tags = Tags()

        def client() -> object:
            return client, object()

        client = tenure.cache_resource(client, tags=tags)
        client.tags = tags
        return client, weakref.ref(tags)

    client, tags = decorated()
    del client
    gc.collect()
    assert tags() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_d6_a_child_process_clears_what_it_inherits(tmp_path: Any) -> None:
    import subprocess
    import sys

    program = """
import os
import tenure

@tenure.cache_resource(tags=lambda it: [it], fork="keep")
def each(it):
    return [it]

@tenure.cache_resource(tags=["all"], fork="keep")
def listed(it):
    return [it]

mine = {it: (each(it), listed(it)) for it in "ab"}

def child(asks):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if asks:
                assert each("a") is mine["a"][0] and listed("a") is mine["a"][1]
            tenure.clear_tag("a")
            assert each("a") is not mine["a"][0]
            assert each("b") is mine["b"][0]
            tenure.clear_tag("all")
            assert listed("a") is not mine["a"][1]
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

child(False)
child(True)
assert each("a") is mine["a"][0]

def forks(it):
    if os.getpid() == parent:
        pid = os.fork()
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return [it]

parent = os.getpid()

@tenure.cache_resource(tags=forks)
def forked(it):
    return [it]

one = forked("c")
assert forked("c") is one
tenure.clear_tag("c")
assert forked("c") is not one
if os.getpid() != parent:
    os._exit(0)
print("well")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LOST, check=False)
    assert (run.stdout, run.returncode) == ("well\n", 0), run.stderr
