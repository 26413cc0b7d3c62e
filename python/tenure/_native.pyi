import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from datetime import timedelta
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, final, overload, type_check_only

from tenure._warm import Warming
from tenure.hosts import Host

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)
_S = TypeVar("_S")

__version__: str

class TenureError(Exception):
    """The root of all errors of Tenure.

    >>> import tenure
    >>> issubclass(tenure.ScopeError, tenure.TenureError)
    True
    """

class UnhashableParamError(TenureError, TypeError):
    """An argument of a cached function has no key.

    >>> import tenure, threading
    >>> @tenure.cache_resource
    ... def worker(lock):
    ...     return object()
    >>> worker(threading.Lock())
    Traceback (most recent call last):
    tenure.UnhashableParamError: no key can be made of the argument `lock` of `worker`: ...
    """

class NestingError(UnhashableParamError, RecursionError):
    """An argument of a cached function is nested too deeply to be read.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def read(tree):
    ...     return object()
    >>> tree = []
    >>> for _ in range(20_000):
    ...     tree = [tree]
    >>> read(tree)
    Traceback (most recent call last):
    tenure.NestingError: ...
    """

class UserHashError(TenureError, RuntimeError):
    """A function given in hash_funcs raised.

    >>> import tenure
    >>> class Tenant:
    ...     pass
    >>> @tenure.cache_resource(hash_funcs={Tenant: lambda tenant: tenant.name})
    ... def connect(tenant):
    ...     return object()
    >>> connect(Tenant())
    Traceback (most recent call last):
    tenure.UserHashError: ...
    """

class CacheCycleError(TenureError, RuntimeError):
    """A cached function needs its own entry to be built.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def itself():
    ...     return itself()
    >>> itself()
    Traceback (most recent call last):
    tenure.CacheCycleError: ...
    """

class ScopeError(TenureError, RuntimeError):
    """Nobody is there for whom a function of this scope could be called: no session, loop or value.

    >>> import tenure
    >>> @tenure.cache_resource(scope="session")
    ... def basket():
    ...     return []
    >>> basket()
    Traceback (most recent call last):
    tenure.ScopeError: ...
    """

class ResourceLost(TenureError, ConnectionError):
    """What a handle stands for was lost with its actor or node; the next call of the function builds anew.

    >>> import tenure
    >>> def predict(text):
    ...     try:
    ...         return model("small").predict(text)     # a function with scope="cluster"
    ...     except tenure.ResourceLost:
    ...         return model("small").predict(text)
    >>> issubclass(tenure.ResourceLost, ConnectionError)
    True
    """

class BuildTimeout(TenureError, TimeoutError):
    """A resource was not built within its function's `build_timeout`; the build goes on.

    >>> import tenure, threading
    >>> ready = threading.Event()
    >>> @tenure.cache_resource(build_timeout="10ms")
    ... def index():
    ...     return ready.wait()
    >>> index()
    Traceback (most recent call last):
    tenure.BuildTimeout: index was not built within 10ms...
    >>> ready.set()
    """

@final
class CachedFunction(Generic[_P, _R_co]):
    """A function whose results are kept. Made by `tenure.cache_resource`.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> connect("db") is connect(host="db")
    True
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[_P, _R_co]
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> CachedFunction[_P, _R_co]: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[Any, _Q], _R_co], instance: object, owner: type[Any] | None = None, /
    ) -> BoundCachedFunction[_Q, _R_co]: ...
    def clear(self, *args: Any, **kwargs: Any) -> None:
        """Clears the entry of a call with these arguments; without arguments, every entry.

        >>> import tenure
        >>> @tenure.cache_resource
        ... def connect(host, port=5432):
        ...     return [host, port]
        >>> _ = connect("db"), connect("mail")
        >>> connect.clear(host="db", port=5432)
        >>> connect.info().entries
        1
        """
    def clear_if(self, predicate: Callable[[_R_co, EntryInfo], bool], /) -> int:
        """Clears the entries that the predicate means, and gives how many those were.

        The predicate is asked of each resource and its figures, and answers `True` or `False`.

        >>> import tenure
        >>> @tenure.cache_resource
        ... def page(number):
        ...     return [number]
        >>> _ = page(1), page(2)
        >>> page.clear_if(lambda resource, info: resource == [1] and info.hits == 0)
        1
        """
    def warm(self, calls: Iterable[Any] | None = None, /) -> Warming:
        """Has resources built in the background, before the first caller comes.

        One for each item: a tuple of the arguments of a call, a dict of them by name, or its one argument. Without
        items, one for a call without arguments. Failures are logged and reported, and raised into no caller.

        >>> import tenure
        >>> @tenure.cache_resource
        ... def encoder(name):
        ...     return [name]
        >>> encoder.warm(["small", "large"]).wait(timeout=60)
        True
        >>> encoder.peek("large")
        ['large']
        """
    def expire(self, *args: Any, **kwargs: Any) -> None:
        """Has the entry of a call with these arguments expire; without arguments, every entry.

        What is expired is handed out for no longer than `max_stale` allows, and is refreshed.

        >>> import tenure
        >>> @tenure.cache_resource
        ... def rates(market):
        ...     return [market]
        >>> _ = rates("tea")
        >>> rates.expire("tea")
        >>> rates.info().releases["expired"]
        1
        """
    def discard(self, resource: object, /) -> None:
        """Gives back a resource that was found broken: the next call builds anew.

        It is released with cause `"invalid"` once its users let go. What its arguments have got since stays.

        >>> import tenure
        >>> @tenure.cache_resource
        ... def connect(host):
        ...     return [host]
        >>> broken = connect("db")
        >>> connect.discard(broken)
        >>> connect("db") is broken
        False
        """
    def info(self) -> Info:
        """The figures of this function: hits, misses, builds, failures, releases by cause, entries.

        >>> import tenure
        >>> @tenure.cache_resource
        ... def connect(host):
        ...     return [host]
        >>> _ = connect("db"), connect("db")
        >>> connect.info().hits, connect.info().misses
        (1, 1)
        """
    def lease(self, *args: _P.args, **kwargs: _P.kwargs) -> Lease[_R_co]:
        """A context manager that gives the resource, and keeps it from being released meanwhile.

        A call that finds none builds one, as any call does.

        >>> import tenure
        >>> @tenure.cache_resource(on_release=list.clear)
        ... def connect(host):
        ...     return [host]
        >>> with connect.lease("db") as connection:
        ...     connect.clear()
        ...     print(connection)       # not released yet
        ['db']
        """
    def peek(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co | None:
        """The resource of a call with these arguments, if it is kept, and `None` otherwise.

        Builds nothing, waits for nothing, asks no `validate`, and counts as no use.

        >>> import tenure
        >>> @tenure.cache_resource
        ... def connect(host):
        ...     return [host]
        >>> connect.peek("db") is None
        True
        >>> connect("db") is connect.peek("db")
        True
        """
    def __reduce__(self) -> str: ...

@type_check_only
class AsyncCachedFunction(Generic[_P, _R_co]):
    """A `CachedFunction` whose calls are awaited: the same class, as type checkers see it.

    >>> import asyncio, tenure
    >>> @tenure.cache_resource
    ... async def connect(host):
    ...     return [host]
    >>> asyncio.run(connect("db"))
    ['db']
    >>> connect.peek("db")          # needs no `await`
    ['db']
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[_P, Any]
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Coroutine[Any, Any, _R_co]: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> AsyncCachedFunction[_P, _R_co]: ...
    @overload
    def __get__(
        self: AsyncCachedFunction[Concatenate[Any, _Q], _R_co], instance: object, owner: type[Any] | None = None, /
    ) -> AsyncCachedFunction[_Q, _R_co]: ...
    def clear(self, *args: Any, **kwargs: Any) -> None:
        """Clears the entry of a call with these arguments; without arguments, every entry.

        Needs no `await`: an async release that it begins goes on by itself, on the loop that built the resource.
        """
    def clear_if(self, predicate: Callable[[_R_co, EntryInfo], bool], /) -> int:
        """Clears the entries that the predicate means, and gives how many those were.

        The predicate is asked of each resource and its figures, and answers `True` or `False`.
        """
    def warm(self, calls: Iterable[Any] | None = None, /) -> Warming:
        """Has resources built in the background, before the first caller comes.

        One for each item: a tuple of the arguments of a call, a dict of them by name, or its one argument. Without
        items, one for a call without arguments. Failures are logged and reported, and raised into no caller.
        """
    def expire(self, *args: Any, **kwargs: Any) -> None:
        """Has the entry of a call with these arguments expire; without arguments, every entry.

        What is expired is handed out for no longer than `max_stale` allows, and is refreshed.
        """
    def discard(self, resource: object, /) -> None:
        """Gives back a resource that was found broken: the next call builds anew.

        It is released with cause `"invalid"` once its users let go. What its arguments have got since stays.
        """
    def info(self) -> Info:
        """The figures of this function: hits, misses, builds, failures, releases by cause, entries."""
    def lease(self, *args: _P.args, **kwargs: _P.kwargs) -> AbstractAsyncContextManager[_R_co, None]:
        """An asynchronous context manager that gives the resource, and keeps it from being released meanwhile.

        A call that finds none has one built, as any call does.
        """
    def peek(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co | None:
        """The resource, not a coroutine, of a call with these arguments, if it is kept, and `None` otherwise.

        Builds nothing, waits for nothing, asks no `validate`, and counts as no use.
        """

@final
class BoundCachedFunction(Generic[_P, _R_co]):
    """A `CachedFunction` as a method of an instance or a class, which is its first argument.

    >>> import tenure
    >>> class Shop:
    ...     @tenure.cache_resource
    ...     def stock(self):
    ...         return ["clover"]
    >>> shop = Shop()
    >>> shop.stock() is shop.stock()
    True
    >>> shop.stock.clear()          # that of this shop
    """

    @property
    def __self__(self) -> object: ...
    @property
    def __func__(self) -> CachedFunction[Concatenate[Any, _P], _R_co]: ...
    @property
    def __doc__(self) -> str | None: ...  # type: ignore[override]
    @property
    def __signature__(self) -> inspect.Signature: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, tuple[object, str]]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    def clear(self, *args: Any, **kwargs: Any) -> None:
        """Clears the entry of a call with these arguments; without arguments, every entry."""
    def clear_if(self, predicate: Callable[[_R_co, EntryInfo], bool], /) -> int:
        """Clears the entries that the predicate means, and gives how many those were.

        The predicate is asked of each resource and its figures, and answers `True` or `False`.
        """
    def warm(self, calls: Iterable[Any] | None = None, /) -> Warming:
        """Has resources built in the background, before the first caller comes.

        One for each item: a tuple of the arguments of a call, a dict of them by name, or its one argument. Without
        items, one for a call without arguments. Failures are logged and reported, and raised into no caller.
        """
    def expire(self, *args: Any, **kwargs: Any) -> None:
        """Has the entry of a call with these arguments expire; without arguments, every entry.

        What is expired is handed out for no longer than `max_stale` allows, and is refreshed.
        """
    def discard(self, resource: object, /) -> None:
        """Gives back a resource that was found broken: the next call builds anew.

        It is released with cause `"invalid"` once its users let go. What its arguments have got since stays.
        """
    def info(self) -> Info:
        """The figures of this function: hits, misses, builds, failures, releases by cause, entries."""
    def lease(self, *args: _P.args, **kwargs: _P.kwargs) -> Lease[_R_co]:
        """A context manager that gives the resource, and keeps it from being released meanwhile.

        A call that finds none builds one, as any call does.
        """
    def peek(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co | None:
        """The resource of a call with these arguments, if it is kept, and `None` otherwise.

        Builds nothing, waits for nothing, asks no `validate`, and counts as no use.
        """

@final
class Lease(Generic[_R_co]):
    """A resource on loan: `with f.lease(args) as resource`, and `async with` for an async function.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> with connect.lease("db") as connection:
    ...     connection
    ['db']
    """

    def __enter__(self) -> _R_co: ...
    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None: ...
    async def __aenter__(self) -> Any: ...
    async def __aexit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None: ...

@final
class Info:
    """The figures of one cached function, over all its scopes. Times are in seconds.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> _ = connect("db"), connect("db")
    >>> info = connect.info()
    >>> info.hits, info.misses_by_reason["absent"], info.releases["cleared"]
    (1, 1, 0)
    """

    @property
    def hits(self) -> int:
        """Calls that were answered from an entry."""
    @property
    def misses(self) -> int:
        """Calls that found no entry, and built or waited."""
    @property
    def misses_by_reason(self) -> dict[str, int]:
        """Calls that found no entry, by the name of the reason.

        `absent`, `building`, `stale`, `apart`, or the cause for which what was kept had ended.
        """
    @property
    def builds(self) -> int:
        """Builds that gave a new resource; those that gave what was kept are `renewals`."""
    @property
    def build_time(self) -> float:
        """The time that the builds took in all that gave a new resource, in seconds."""
    @property
    def build_times(self) -> list[tuple[float, int]]:
        """How many builds took no longer than each bound in seconds; the last bound is infinity."""
    def build_quantile(self, part: float) -> float | None:
        """The bound in seconds that this part of the builds did not exceed: 0.5 for the median.

        `None` where there was none, or where it lies beyond the last bound, five minutes.
        """
    @property
    def failures(self) -> int:
        """Builds that raised."""
    @property
    def run_time(self) -> dict[str, float]:
        """The time that the function ran in all, in seconds, also where it raised.

        By what had it run: `miss`, or `refresh` in the background.
        """
    @property
    def run_times(self) -> dict[str, list[tuple[float, int]]]:
        """How many runs of the function took no longer than each bound in seconds; the last bound is infinity."""
    @property
    def refreshes_itself(self) -> bool:
        """Whether entries are refreshed in the background."""
    @property
    def refreshes(self) -> dict[str, int]:
        """Refreshes in the background, by what became of them.

        `success`, `error`, or `skipped` where no worker was free.
        """
    @property
    def ends(self) -> dict[str, int]:
        """Entries that have ended, by the name of the cause; also those that somebody still uses."""
    @property
    def releases(self) -> dict[str, int]:
        """Releases, by the name of their cause."""
    @property
    def release_failures(self) -> int:
        """Releases whose `on_release` or teardown raised."""
    @property
    def entries(self) -> int:
        """Live entries."""
    @property
    def idle(self) -> int:
        """Live entries that nobody holds."""
    @property
    def stale(self) -> int:
        """Live entries whose time is over, and that are handed out until there is a successor."""
    @property
    def inherited(self) -> int:
        """Live entries of a parent process (`fork="keep"`), which were not built here."""
    @property
    def draining(self) -> int:
        """Resources that the cache has let go and that are still in use."""
    @property
    def renewals(self) -> int:
        """Refreshes that gave the very resource that was kept already."""
    @property
    def weight(self) -> int:
        """What the live entries weigh together, where they have a weight."""
    @property
    def waiting(self) -> int:
        """Callers that wait for a build now."""
    @property
    def ages(self) -> list[float]:
        """The age of each live entry, in seconds, oldest first within each scope."""
    def to_json(self) -> str:
        """The figures as a JSON object, times in seconds."""

@final
class Report:
    def figures(self) -> dict[str, int]: ...
    def by_function(self) -> list[tuple[str, Info]]: ...
    def to_json(self) -> str: ...
    def to_prometheus(self) -> str: ...

@final
class Explanation:
    """What a call would meet: whether it would be a hit, and why not. Its text says it in a sentence.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> why = tenure.explain(connect, "db")
    >>> why.is_hit, why.reason
    (False, 'absent')
    """

    @property
    def function(self) -> str:
        """The function's name."""
    @property
    def is_hit(self) -> bool:
        """Whether the call would have what is kept, if `validate` does not turn it down."""
    @property
    def reason(self) -> str | None:
        """Why the call would be a miss, as `Info.misses_by_reason` names it; `None` for a hit.

        `overridden` where a test has something else in the function's place.
        """
    @property
    def age(self) -> float | None:
        """For a hit, the seconds since it was built; for a miss, since what was kept ended, where that is known."""
    @property
    def by(self) -> str | None:
        """Who ended what was kept, where that is known."""
    @property
    def last_clear(self) -> float | None:
        """For a miss of what nothing is known of, the seconds since all that the function kept was cleared.

        What was kept for this call may have been a part of that. `None` where nothing was.
        """
    @property
    def refreshes(self) -> bool:
        """For a hit, whether the call has a successor built."""
    @property
    def validates(self) -> bool:
        """Whether `validate` is asked before a hit."""
    @property
    def differs(self) -> dict[str, int]:
        """For an absent call, the arguments in which alone calls that are kept differ from it, with how many do.

        Such an argument may be one that ought not to count: its name can begin with an underscore then. Calls of very
        many arguments are not compared.
        """

@final
class EntryInfo:
    """The figures of one entry, as `clear_if` shows them.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> _ = connect("db"), connect("db")
    >>> connect.clear_if(lambda resource, info: info.hits == 1 and info.age < 3600)
    1
    """

    @property
    def age(self) -> float:
        """The time since it was built, in seconds."""
    @property
    def hits(self) -> int:
        """Calls that it has answered."""

@final
class Clock:
    """A clock that stands still until it is advanced. Made by `tenure.testing.clock`.

    >>> import tenure, tenure.testing
    >>> @tenure.cache_resource(ttl="1h")
    ... def token():
    ...     return object()
    >>> with tenure.testing.clock() as clock:
    ...     first = token()
    ...     clock.advance("1h")
    ...     first is token()
    False
    """

    def __new__(cls) -> Clock: ...
    def __enter__(self) -> Clock: ...
    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None: ...
    def __aenter__(self) -> Coroutine[Any, Any, Clock]: ...
    def __aexit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> Coroutine[Any, Any, None]: ...
    def advance(self, by: float | timedelta | str) -> None:
        """Moves the time on, in the forms of `ttl`, and does what has become due on this thread."""

@final
class Isolated:
    def __new__(cls) -> Isolated: ...
    def begin(self) -> None: ...
    def stand_aside(self, stands_aside: bool) -> bool: ...
    def end(self) -> bool: ...
    def left(self) -> list[tuple[str, str, str]]: ...

@final
class Override:
    def __new__(cls, function: object, value: object, /) -> Override: ...
    def begin(self) -> Any: ...
    def end(self) -> None: ...

def trace_builds(is_on: bool, /) -> None: ...

@final
class Inside:
    def end(self) -> None: ...

@final
class LoopState:
    def __new__(cls) -> LoopState: ...
    @property
    def number(self) -> int: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def bound(self) -> int: ...
    def end(self) -> None: ...

@final
class TaskLanding: ...

@final
class TaskWaiter:
    def build(self) -> int: ...
    @property
    def is_beside(self) -> bool: ...
    def circle(self) -> BaseException | None: ...
    def landing(self, wake: Callable[[], object]) -> TaskLanding | None: ...
    def give_up(self) -> None: ...

@final
class TaskBuild:
    @property
    def number(self) -> int: ...
    @property
    def function(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def is_bound(self) -> bool: ...
    def refused(self) -> RuntimeError: ...
    def await_turn(self, told: Callable[[], object]) -> bool: ...
    def make(self) -> Any: ...
    def entered(self, manager: object) -> Any: ...
    def inside(self) -> Inside: ...
    def done(self, resource: list[Any], home: object, keeper: object | None) -> bool: ...
    def failed(self, error: BaseException) -> None: ...
    def interrupted(self, error: BaseException) -> None: ...
    def interruption(self) -> BaseException | None: ...
    def cancelled_within(self, error: BaseException) -> None: ...
    def abandon(self) -> None: ...
    def yielded_never(self) -> RuntimeError: ...

@final
class TaskCall:
    def step(self, home: object) -> tuple[int, Any, Any]: ...
    def landed(self, caller: TaskWaiter) -> tuple[bool, Any]: ...
    def checking(self) -> Inside: ...
    def ask(self, resource: object) -> Any: ...
    def checked(self, home: object, answer: object) -> tuple[bool, Any]: ...
    def check_raised(self, home: object, error: BaseException) -> tuple[bool, Any]: ...
    def end_check(self) -> None: ...
    def no_loop(self) -> RuntimeError: ...

@final
class Releasing:
    @property
    def function(self) -> str: ...
    def failed(self, error: BaseException | None) -> None: ...
    def done(self) -> None: ...
    def has_no_loop(self, on_release: Callable[[], object] | None, is_left: bool, why: str) -> None: ...
    def cut_off(self, why: str) -> None: ...

@final
class PlaceEnds:
    def next(self) -> bool: ...

READY: int
CHECK: int
BUILD: int
WAIT: int
inside: ContextVar[Inside | None]

def in_session() -> Inside | None: ...
def clear_tag(tag: str) -> None:
    """Clears every entry that carries this tag, of every function and in every scope.

    A build under way that carries it goes to those who wait for it, and is not kept.

    >>> import tenure
    >>> @tenure.cache_resource(tags=lambda tenant: [f"tenant:{tenant}"])
    ... def connect(tenant):
    ...     return [tenant]
    >>> _ = connect("7"), connect("8")
    >>> tenure.clear_tag("tenant:7")
    >>> connect.info().entries
    1
    """

def end_scope(value: object) -> None:
    """Ends a value as a scope: what is kept for it is released, in every function whose scope is a callable.

    >>> import contextvars, tenure
    >>> tenant = contextvars.ContextVar("tenant", default="ada")
    >>> @tenure.cache_resource(scope=tenant.get)
    ... def desk():
    ...     return [tenant.get()]
    >>> _ = desk()
    >>> tenure.end_scope("ada")
    >>> desk.info().releases["session_ended"]
    1
    """

def end_scope_named(scope: str) -> None: ...
def end_thread(scope: str) -> None: ...
def begin_thread() -> bool: ...
def end_place(place: int) -> None: ...
def hold_place(place: int, scope: str) -> PlaceEnds: ...
def look_at_place(place: int) -> None: ...
def release_of_keeper(keeper: object) -> None: ...
def tell_teardown(function: str, error: BaseException) -> None: ...
def yielded_twice(function: str) -> RuntimeError: ...
def shutdown_timeout() -> float: ...
def tell_late_tasks(names: list[str], seconds: float) -> None: ...
def tell_leased(function: str, seconds: float) -> None: ...
def cache(func: Callable[..., Any], written: Mapping[str, Any]) -> Any: ...
def check(written: Mapping[str, Any]) -> None: ...
def unknown_setting(of: str, name: str, known: list[str]) -> TypeError: ...
def clear_all() -> None: ...
def configure(**settings: Any) -> None: ...
def end_session(session: str) -> None: ...
def end_session_after(session: str, seconds: float) -> None: ...
def end_session_aside(session: str) -> None: ...
def end_session_beside(session: str, told: Callable[[], object]) -> bool: ...
def resume_session(session: str) -> None: ...
def supersede_modules(names: frozenset[str]) -> None: ...
def register_host(adapter: str, *, framework: str, errors: str | None = None) -> None: ...
def report() -> Report: ...
def info_in_full() -> list[tuple[str, Info]]: ...
def kept() -> list[tuple[str, object]]: ...
def show_arguments(is_on: bool, /) -> None: ...
def listing(at_most: int, show_arguments: bool) -> str: ...
def end_entry(number: int, how: str) -> bool: ...
def end_entries(function: int, how: str) -> bool: ...
def end_all(how: str) -> bool: ...
def fleet_members(bound: float) -> list[tuple[str, bool, str, int, str, int, float | None]]: ...
def fleet_metrics() -> str: ...
def set_host(adapter: Host | None) -> None: ...
def get_host() -> Host | None: ...
def parse_ttl(text: str) -> tuple[int, bool]: ...
def seconds(name: str, value: float | timedelta | str | None) -> float | None: ...
def shutdown() -> bool:
    """Releases everything that is held, the last built first, and tells whether everything that was built has been.

    `False` where callers still hold something, or the time ran out: the log says which functions these are, and why.

    >>> import tenure
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> _ = connect("db")
    >>> tenure.shutdown()
    True
    """

def takes_cause(callback: Callable[..., object]) -> bool: ...
def _inspect() -> dict[str, int]: ...
def _meaning(value: object, hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None) -> str: ...
def _encode(value: object, hash_funcs: Mapping[str | type[Any], Callable[[Any], Any]] | None = None) -> bytes: ...
