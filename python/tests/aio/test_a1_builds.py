"""A1: one build for all tasks, threads and loops; it belongs to no caller, and a failure reaches all who wait."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import threading
import traceback
import warnings
from typing import Any

import pytest

import tenure
from loops import Loop, closes, closes_generators, on_every_loop, outcome, until, waiting
from tenure import _loops
from world import LOST, Ledger, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


@on_every_loop
def test_a1_one_build_for_all_tasks(run: Any, ledger: Ledger) -> None:
    @tenure.cache_resource
    async def thing(key: int) -> object:
        await asyncio.sleep(0)
        return ledger.build(key)

    async def main() -> None:
        things = await asyncio.gather(*(thing(1) for _ in range(50)))
        assert len({id(it) for it in things}) == 1
        assert await thing(1) is things[0]
        assert await thing(key=1) is things[0]
        assert await thing(2) is not things[0]

    run(main)
    info = thing.info()
    assert (info.builds, info.misses, info.waiting) == (2, 51, 0)


def test_a1_one_build_for_all_threads_and_loops(ledger: Ledger) -> None:
    may_end = threading.Event()

    @tenure.cache_resource
    async def thing() -> object:
        await asyncio.to_thread(may_end.wait, LOST)
        return ledger.build()

    def work(number: int) -> object:
        async def main() -> object:
            if number == 0:
                await waiting(thing, 8)
                may_end.set()
                return await thing()
            return (await asyncio.gather(thing(), thing()))[1]

        return asyncio.run(main())

    assert len(set(map(id, together(5, work)))) == 1
    assert thing.info().builds == 1


def test_a1_other_keys_go_on() -> None:
    async def main() -> None:
        may_end = asyncio.Event()

        @tenure.cache_resource
        async def thing(key: int) -> int:
            if key == 1:
                await may_end.wait()
            return key

        first = asyncio.create_task(thing(1))
        await waiting(thing, 1)
        assert await thing(2) == 2
        may_end.set()
        assert await first == 1

    asyncio.run(main())


@on_every_loop
def test_a1_a_build_has_a_copy_of_its_first_callers_context(run: Any) -> None:
    who = contextvars.ContextVar("who", default="nobody")
    seen = []

    @tenure.cache_resource
    async def thing() -> object:
        seen.append(who.get())
        who.set("the build")
        await asyncio.sleep(0)
        seen.append(who.get())
        return object()

    async def caller(name: str) -> None:
        who.set(name)
        await thing()
        assert who.get() == name

    async def main() -> None:
        await asyncio.gather(caller("ada"), caller("bob"))

    run(main)
    assert seen == ["ada", "the build"]


@on_every_loop
def test_a1_a_build_is_no_task_of_a_callers_group_or_scope(run: Any) -> None:
    """Its first caller's timeout, task group or cancel scope does not hold it."""
    import anyio

    async def main() -> None:
        may_end = asyncio.Event()

        @tenure.cache_resource
        async def thing() -> object:
            await may_end.wait()
            return object()

        with anyio.move_on_after(0):
            await thing()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await thing()

        async def broken_group() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(thing())
                raise OSError

        with pytest.raises(ExceptionGroup):
            await broken_group()
        assert thing.info().waiting == 0
        again = asyncio.create_task(thing())
        await waiting(thing, 1)
        may_end.set()
        await again
        assert thing.info().builds == 1

    run(main)


@on_every_loop
def test_a1_with_nobody_left_it_is_finished_and_kept(run: Any, ledger: Ledger) -> None:
    async def main() -> None:
        may_end = asyncio.Event()

        @tenure.cache_resource
        async def thing() -> object:
            await may_end.wait()
            return ledger.build()

        callers = [asyncio.create_task(thing()) for _ in range(3)]
        await waiting(thing, 3)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert all(caller.cancelled() for caller in callers)
        assert thing.info().waiting == 0
        may_end.set()
        await until(lambda: thing.info().entries == 1)
        assert await thing() is ledger.built[0]
        assert thing.info().builds == 1

    run(main)


class Odd(Exception):
    """Takes other arguments than it keeps."""

    def __init__(self, what: str, *, code: int) -> None:
        super().__init__(f"{what} ({code})")
        self.code = code


class Odder(Exception):
    def __new__(cls, one: int, two: int) -> Odder:
        return super().__new__(cls, one)

    def __init__(self, one: int, two: int) -> None:
        self.sum = one + two


class Slotted(ValueError):
    __slots__ = ("where",)

    def __init__(self, where: str) -> None:
        self.where = where


class OddGroup(ExceptionGroup[Exception]):
    def __new__(cls, errors: list[Exception], code: int) -> OddGroup:
        made = super().__new__(cls, f"code {code}", errors)
        made.code = code
        return made

    def __init__(self, errors: list[Exception], code: int) -> None:
        super().__init__(errors, code)

    code: int


class OddFile(OSError):
    def __init__(self, path: str) -> None:
        super().__init__(2, "not there", path)


def undecodable() -> Exception:
    try:
        b"\xff".decode()
    except UnicodeDecodeError as error:
        return error
    raise AssertionError


def chained() -> Exception:
    error = RuntimeError("outer")
    error.__cause__ = KeyError("inner")
    error.add_note("a note")
    return error


ERRORS = {
    "plain": lambda: ValueError("no", 1),
    "os": lambda: OSError(2, "not there", "/x", None, "/y"),
    "os subclass": lambda: FileNotFoundError(2, "not there", "/x"),
    "os with its own": lambda: OddFile("/x"),
    "undecodable": undecodable,
    "group": lambda: ExceptionGroup("two", [ValueError(1), OSError(2, "x")]),
    "odd group": lambda: OddGroup([ValueError(1)], 7),
    "init": lambda: Odd("what", code=7),
    "new": lambda: Odder(1, 2),
    "slots": lambda: Slotted("here"),
    "chained": chained,
    "import": lambda: ImportError("no", name="x", path="/x"),
    "syntax": lambda: SyntaxError("no", ("f.py", 1, 2, "x =", 1, 3)),
    "key": lambda: KeyError("k"),
    "name": lambda: NameError("no", name="x"),
    "attribute": lambda: AttributeError("no", name="x", obj=3),
    "blocking": lambda: BlockingIOError(11, "again", 5),
    "exits": lambda: SystemError("no"),
}


def shown(error: BaseException) -> Any:
    """What can be seen of an exception."""
    names = ["args", "errno", "strerror", "filename", "filename2", "encoding", "object", "start", "end", "reason"]
    names += ["message", "exceptions", "code", "sum", "where", "name", "path", "msg", "lineno", "text", "obj"]
    names += ["characters_written", "__notes__", "__cause__", "__suppress_context__"]
    return type(error), str(error), {name: getattr(error, name, "none") for name in names}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_a1_a_failure_reaches_all_each_with_a_traceback_of_its_own(make: Any) -> None:
    async def main() -> None:
        may_end = asyncio.Event()
        raised: list[Exception] = []

        @tenure.cache_resource
        async def thing() -> object:
            await may_end.wait()
            raised.append(make())
            raise raised[0]

        async def deep(depth: int) -> None:
            await (deep(depth - 1) if depth else thing())

        callers = [asyncio.create_task(outcome(deep(depth))) for depth in range(4)]
        await waiting(thing, 4)
        may_end.set()
        errors = await asyncio.gather(*callers)
        assert {shown(error).__repr__() for error in errors} == {repr(shown(raised[0]))}
        assert len({id(error) for error in errors}) == 4
        assert any(error is raised[0] for error in errors)
        for depth, error in enumerate(errors):
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            assert names.count("deep") == depth + 1, names
            assert names.count("main") == 0
            # Where it failed is said too.
            assert "thing" in names
        info = thing.info()
        assert (info.failures, info.builds, info.waiting) == (1, 0, 0)

    asyncio.run(main())


def test_a1_a_failure_reaches_every_loop_and_the_next_call_builds_again(ledger: Ledger) -> None:
    may_end = threading.Event()

    @tenure.cache_resource
    async def thing() -> object:
        await asyncio.to_thread(may_end.wait, LOST)
        if thing.info().failures == 0:
            raise OSError("the first fails")
        return ledger.build()

    loops = [Loop() for _ in range(3)]
    callers = [loop.start(outcome(thing())) for loop in loops for _ in range(2)]

    async def all_wait() -> None:
        await waiting(thing, 6)

    asyncio.run(all_wait())
    may_end.set()
    errors = [caller.result(LOST) for caller in callers]
    assert [str(error) for error in errors] == ["the first fails"] * 6
    assert thing.info().failures == 1
    assert loops[0].do(thing()) is ledger.built[0]
    for loop in loops:
        loop.end(closes_generators)


def test_a1_a_call_whose_build_exits_counts_as_waiting_no_more() -> None:
    @tenure.cache_resource
    async def exits_at_once() -> object:
        raise SystemExit("the end")

    async def main() -> int:
        # As a program does that is the caller's, and no part of whose code runs the loop.
        _loops.home().meant_for_the_loop = ()
        with pytest.raises(SystemExit) as caught:
            await exits_at_once()
        # The error holds the frames of the call.
        assert caught.value.__traceback__ is not None
        return exits_at_once.info().waiting

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a1_a_build_that_ends_its_loop_is_handed_on(error: type[BaseException], ledger: Ledger) -> None:
    """KeyboardInterrupt and SystemExit end the loop of the build; a caller elsewhere builds anew."""
    begun, may_end = threading.Event(), threading.Event()

    @tenure.cache_resource
    async def thing() -> object:
        if begun.is_set():
            return ledger.build()
        begun.set()
        await asyncio.to_thread(may_end.wait, LOST)
        raise error("the end")

    def work(number: int) -> Any:
        if number == 0:
            with pytest.raises(error, match="the end"):
                asyncio.run(thing())
            return None
        assert begun.wait(LOST)

        async def main() -> object:
            caller = asyncio.create_task(thing())
            await waiting(thing, 2)
            may_end.set()
            return await caller

        return asyncio.run(main())

    assert together(2, work)[1] is ledger.built[0]


def test_a1_a_build_that_awaits_what_is_cancelled_fails_and_says_so() -> None:
    async def main() -> None:
        never = asyncio.get_running_loop().create_future()

        @tenure.cache_resource
        async def thing() -> object:
            return await never

        caller = asyncio.create_task(thing())
        await waiting(thing, 1)
        never.cancel()
        with pytest.raises(RuntimeError, match="cancellation of its own"):
            await caller
        assert thing.info().failures == 1

    asyncio.run(main())


def test_a1_nothing_is_awaited_twice_or_left_unawaited() -> None:
    @tenure.cache_resource
    async def thing() -> object:
        return object()

    async def main() -> None:
        call = thing()
        assert inspect.iscoroutine(call)
        assert call.__name__ == "thing"
        await call
        with pytest.raises(RuntimeError, match="cannot reuse"):
            await call
        again = thing()
        assert inspect.iscoroutine(again)
        await again
        with pytest.raises(RuntimeError, match="cannot reuse"):
            await again

    asyncio.run(main())


def test_a1_what_is_yet_to_be_awaited_is_refused() -> None:
    """Where it was returned: what is yielded has a teardown of its own, and is meant."""

    async def inner() -> int:
        return 1

    @tenure.cache_resource
    async def thing() -> object:
        return asyncio.ensure_future(inner())

    @tenure.cache_resource
    async def other() -> Any:
        yield asyncio.ensure_future(inner())

    async def main() -> None:
        with pytest.raises(TypeError, match="yet to be awaited"):
            await thing()
        assert thing.info().entries == 0
        assert await (await other()) == 1

    asyncio.run(main())


def test_a1_a_synchronous_function_that_gives_an_awaitable_is_refused() -> None:
    async def inner() -> int:
        return 1

    async def main() -> None:
        for make in (inner, lambda: asyncio.ensure_future(inner()), asyncio.get_running_loop().create_future):
            function = tenure.cache_resource(lambda _make: _make())
            with pytest.raises(TypeError, match="yet to be awaited.* Write an `async def` function in its place"):
                function(make)

    asyncio.run(main())


def test_a1_a_refused_function_is_named_as_its_author_writes_it() -> None:
    async def inner() -> int:
        return 1

    @tenure.cache_resource
    def pool() -> Any:
        return inner()

    with pytest.raises(TypeError, match="yet to be awaited.* Write `async def pool` and return"):
        pool()
    # A local function has no path to it in code, and a lambda no name.
    with pytest.raises(TypeError, match=r"To end the entry of a call write pool\.clear\(\.\.\.\)"):
        pool.discard(1)
    with pytest.raises(TypeError, match=r"Example: f\.clear_if\(lambda"):
        tenure.cache_resource(lambda: 1).clear_if(1)  # type: ignore[arg-type]


def test_a1_a_refused_coroutine_is_closed_whatever_it_was_given_for() -> None:
    """Python would warn that it was never awaited, and from a line that is not the program's."""

    async def inner() -> bool:
        return True

    @tenure.cache_resource
    async def result() -> Any:
        return inner()

    validated = tenure.cache_resource(validate=lambda it: inner())(lambda: 1)
    kept = tenure.cache_resource(keep_if=lambda it: inner())(lambda: 1)
    scoped = tenure.cache_resource(scope=lambda: inner())(lambda: 1)

    async def main() -> None:
        with pytest.raises(TypeError, match="result returned .*yet to be awaited"):
            await result()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        validated()
        for function in (validated, kept):
            with pytest.raises(TypeError, match="must return True or False, not .*coroutine"):
                function()
        with pytest.raises(TypeError, match="the scope of .* gave .*coroutine.*Write `def`"):
            scoped()
        gc.collect()


def test_a2_an_async_callback_of_a_blocking_function_is_refused_by_both_names() -> None:
    async def close(it: object) -> None: ...

    with pytest.raises(TypeError, match=r"on_release is an async function and .*<locals>\.pool is not, so nothing"):

        @tenure.cache_resource(on_release=close)
        def pool() -> int:
            return 1

    async def main() -> None:
        other = tenure.cache_resource(lambda: 1)
        with pytest.raises(TypeError, match=r"is not an async function: write `with f\.lease"):
            async with other.lease():
                pass

    asyncio.run(main())


def test_a1_it_is_a_coroutine_function_whatever_it_is_made_of() -> None:
    cache = tenure.cache_resource

    @cache
    async def plain(a: int, b: str = "x") -> int:
        """Its words."""
        return a

    @cache
    async def yields() -> Any:
        yield 1

    class Model:
        @cache
        async def method(self) -> int:
            return 1

        @classmethod
        @cache
        async def of_class(cls) -> int:
            return 2

        @staticmethod
        @cache
        async def static() -> int:
            return 3

    class Callable:
        async def __call__(self) -> int:
            return 4

    async def inner(a: int) -> int:
        return a

    functions = [plain, yields, Model().method, Model.of_class, Model.static, cache(Callable())]
    functions += [cache(functools.partial(inner, 5)), functools.partial(plain, 1), plain.__call__]
    for function in functions[:-1]:
        assert inspect.iscoroutinefunction(function), function
        assert not inspect.isasyncgenfunction(function)
        assert not inspect.isgeneratorfunction(function)
    assert plain.__doc__ == "Its words."
    assert str(inspect.signature(plain)) == "(a: 'int', b: 'str' = 'x') -> 'int'"
    assert not inspect.isasyncgenfunction(inspect.unwrap(yields))
    assert inspect.iscoroutinefunction(inspect.unwrap(yields))

    async def main() -> None:
        assert await Model().method() == 1
        assert await Model.of_class() == 2
        assert await Model.static() == 3
        assert [await function() for function in functions[5:8]] == [4, 5, 1]
        assert await yields() == 1

    asyncio.run(main())


def test_a1_a_call_without_a_loop_says_what_to_write() -> None:
    @tenure.cache_resource
    async def thing() -> object:
        return object()

    call = thing()
    with pytest.raises(RuntimeError, match=r"asyncio\.run\(main\(\)\)"):
        call.send(None)


def test_a1_a_clear_during_a_build_orphans_it(ledger: Ledger) -> None:
    """L8, L13: those who waited get it, and it is released once they let go; a clear by the build itself spares it."""

    async def main() -> None:
        may_end = asyncio.Event()

        @tenure.cache_resource(on_release=ledger.release)
        async def thing() -> object:
            thing.clear()
            await may_end.wait()
            return ledger.build()

        caller = asyncio.create_task(thing())
        await waiting(thing, 1)
        thing.clear()
        may_end.set()
        first = await caller
        assert first.is_open
        assert await thing() is not first
        assert thing.info().entries == 1
        del caller

    asyncio.run(main())


def test_a1_the_loop_of_the_build_may_be_another_threads(ledger: Ledger) -> None:
    """Whoever asks first has it built on his loop; a hit needs that loop no more."""
    loop = Loop()

    @tenure.cache_resource
    async def thing() -> object:
        return ledger.build(asyncio.get_running_loop())

    first = loop.do(thing())
    assert first.name is loop.loop
    assert asyncio.run(thing()) is first
    loop.end(closes)
    assert asyncio.run(thing()) is first
    thing.clear()


def test_a1_a_task_factory_is_for_the_programs_own_tasks() -> None:
    """It may begin tasks at once, refuse a context, or fail: a build depends on none of that."""

    @tenure.cache_resource
    async def thing() -> object:
        return object()

    def factory(loop: asyncio.AbstractEventLoop, work: Any) -> asyncio.Task[Any]:
        work.close()
        raise OSError("no tasks today")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)  # type: ignore[arg-type]
        assert await thing() is await thing()
        thing.clear()
        loop.set_task_factory(None)  # The end of the loop makes tasks of its own.

    asyncio.run(main())
    assert thing.info().releases["cleared"] == 1
