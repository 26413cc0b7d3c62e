"""The hazards of classes, functions, objects and what is made of them (K7, K8, K9), in the form of `hazards.py`."""

# ruff: noqa: E501
from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import math
import operator
import pathlib
import types
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from typing import Any, NamedTuple, NewType, ParamSpec, TypedDict, TypeVar

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pydantic
from hazards import Line, Plain, held, with_attribute

import tenure


def module(name: str, source: str) -> types.SimpleNamespace:
    """What a module of this name with this source defines, without being importable."""
    names: dict[str, Any] = {"__name__": name}
    # The annotations of this file being strings is no matter of that source.
    exec(compile(source, name, "exec", dont_inherit=True), names)
    return types.SimpleNamespace(**names)


def twice(source: str, expression: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The same expression on what two modules define under one name."""
    return tuple(  # type: ignore[return-value]
        functools.partial(lambda name: eval(expression, vars(module(name, source))), name) for name in ("one", "two")
    )


def within(source: str, expression: str) -> tuple[Callable[[], Any], ...]:
    """The same expression on what two classes of one module, and the module itself, define under one name."""
    inner = source.replace("\n", "\n ")
    whole = f"import collections, dataclasses, enum, typing\n{source}\nclass One:\n {inner}\nclass Two:\n {inner}"
    return tuple(
        functools.partial(lambda place: eval(place + expression, vars(module("one", whole))), place)
        for place in ("", "One.", "Two.")
    )


#: What a class may define inside, and what is looked at.
INNER = [
    ("class A: pass", "A"),
    ("class A: pass", "A()"),
    ("class A(enum.Enum): X = 1", "A.X"),
    ("class A(enum.IntFlag): X = 1", "A.X"),
    ("@dataclasses.dataclass\nclass A: x: int = 1", "A()"),
    ("class A(typing.NamedTuple): x: int = 1", "A()"),
    ("class A(list): pass", "A()"),
]


class Words(list):
    pass


class Table(dict):
    pass


class Name(str):
    pass


class Counts(collections.Counter):
    pass


class Lists(collections.defaultdict):
    pass


class Sorted(collections.OrderedDict):
    pass


#: Classes derived from built-in and standard ones, with what makes an instance.
DERIVED = [
    (type(f"My{base.__name__}", (base,), {"__module__": __name__}), given)
    for base, given in (
        (int, (1,)),
        (float, (1.0,)),
        (complex, (1j,)),
        (bytes, (b"a",)),
        (bytearray, (b"a",)),
        (tuple, ((1,),)),
        (set, ((1,),)),
        (frozenset, ((1,),)),
        (collections.deque, ((1,),)),
        (array.array, ("i", [1])),
        (dt.datetime, (2024, 1, 1)),
        (dt.date, (2024, 1, 1)),
        (dt.timedelta, (1,)),
        (decimal.Decimal, (1,)),
        (fractions.Fraction, (1, 2)),
        (functools.partial, (max,)),
        (ValueError, (1,)),
        (types.SimpleNamespace, ()),
        (collections.UserDict, ()),
    )
]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Config:
    host: str
    port: int = 5432


@dataclass(slots=True)
class Slotted:
    host: str
    port: int = 5432


@attrs.define
class Client:
    url: str
    retries: int = 3


class Person(pydantic.BaseModel):
    name: str
    age: int = 30


class Slots:
    __slots__ = ("url",)


@attrs.define
class SlottedClient(Slots):
    retries: int = 3


@attrs.define
class Measured:
    text: str

    @functools.cached_property
    def size(self) -> int:
        return len(self.text)


@dataclass
class Refusal(Exception):
    code: int


class Units(pd.DataFrame):
    pass


class Readings(pd.Series):
    pass


class Sheet(pl.DataFrame):
    pass


class Metres(np.float64):
    pass


class Masked(np.ma.MaskedArray):
    pass


class LyingQueue(collections.deque):
    def __iter__(self) -> Any:
        return iter(())


class LyingPath(pathlib.PurePosixPath):
    def __str__(self) -> str:
        return "a"


class LyingFraction(fractions.Fraction):
    numerator = denominator = 1  # type: ignore[assignment]


def function(**attributes: Any) -> Callable[[], Any]:
    def made() -> Any:
        return vars(made)

    return with_attribute(made, **attributes)


def closure(value: Any) -> Callable[[], Any]:
    return lambda: value


def default(value: Any) -> Callable[[], Any]:
    def inner(value: Any = value) -> Any:
        return value

    return inner


def local(value: Any, of: str = "closure") -> type:
    """A class that a function makes, which differs from others of its kind in one thing."""
    if of == "closure":

        class Local:
            def method(self) -> Any:
                return value
    elif of == "variable":

        class Local:  # type: ignore[no-redef]
            variable = value
    elif of == "annotation":

        class Local:  # type: ignore[no-redef]
            __annotations__ = {"field": value}
    elif of == "method":

        class Local:  # type: ignore[no-redef]
            locals()[value] = lambda self: __class__  # type: ignore[name-defined]
    elif of == "bases":
        Local = type("Local", (local(value, "variable"),), {})  # type: ignore[misc]
    elif of == "metaclass":
        Local = type("Meta", (type,), {"variable": value})("Local", (), {})  # type: ignore[misc]
    return Local


def row(*names: str) -> Any:
    """A row of a frame, as `itertuples` makes them: of a type of its own, in a module that has none of that name."""
    return next(pd.DataFrame([range(len(names))], columns=list(names)).itertuples(index=False))


#: Ways to make a type at run time, each with another content for each value, and an instance.
MADE: dict[str, Callable[[str], tuple[Any, ...]]] = {
    **{
        f"a local class by its {of}": functools.partial(
            lambda of, text: (local(text, of), local(text, of)()),
            of,
        )
        for of in ("closure", "variable", "annotation", "method", "bases", "metaclass")
    },
    "a row of a frame": lambda text: (type(row(text, "z")), row(text, "z")),
    "namedtuple": lambda text: (it := collections.namedtuple("A", f"z {text}"), it(1, 2)),
    "namedtuple's defaults": lambda text: (it := collections.namedtuple("A", "z", defaults=[text]), it(1)),
    "NamedTuple": lambda text: (it := NamedTuple("A", [(text, int)]), it(1)),  # type: ignore[misc]
    "type()": lambda text: (it := type("A", (), {"n": text}), it()),
    "type() of a built-in class": lambda text: (it := type("A", (dict,), {"n": text}), it(a=1)),
    "new_class": lambda text: (it := types.new_class("A", (), {}, lambda names: names.update(n=text)), it()),
    "an exception": lambda text: (it := type("A", (ValueError,), {"n": text}), it("x")),
    "make_dataclass": lambda text: (it := make_dataclass("A", ["x"], namespace={"n": text}), it(1)),
    "attrs.make_class": lambda text: (it := attrs.make_class("A", ["x", text]), it(1, 2)),
    "create_model": lambda text: (it := pydantic.create_model("A", x=(int, 1), **{text: (int, 2)}), it()),
    "Enum": lambda text: (it := enum.Enum("A", ["x", text]), it(1)),
    "Flag": lambda text: (it := enum.Flag("A", ["x", text]), it(1)),
    "TypedDict": lambda text: (TypedDict("A", {text: int}),),  # type: ignore[misc]
    "NewType": lambda text: (NewType("A", local(text)),),  # type: ignore[valid-newtype]
    "TypeVar": lambda text: (TypeVar("A", bound=local(text)),),  # type: ignore[misc]
    "ParamSpec": lambda text: (ParamSpec("A", bound=local(text)),),  # type: ignore[misc]
    "a type with parameters": lambda text: (list[local(text)], dict[str, local(text) | None]),  # type: ignore[misc]
}


def inside(value: Any) -> tuple[Any, ...]:
    """Places where a value can stand."""
    return (value, [value], {"a": (value,)}, Plain(it=value), functools.partial(max, value))


class Loud(AttributeError):
    __slots__ = ("volume",)


class Sloth:
    __slots__ = ("__speed", "speed")


class Toad(Sloth):
    __slots__ = ("__speed", "speed")

    def __init__(self, speed: int, hidden: int) -> None:
        self.speed = speed
        Sloth.speed.__set__(self, hidden)  # type: ignore[attr-defined]


class Cat(Sloth):
    speed = property(lambda self: 1)  # type: ignore[assignment]

    def __init__(self, hidden: int) -> None:
        Sloth.speed.__set__(self, hidden)  # type: ignore[attr-defined]


Sloth2 = type("Sloth", (Sloth,), {"__slots__": ("_Sloth__speed",)})


def mangled(speed: int, hidden: int) -> Any:
    it = Sloth2()
    it._Sloth__speed = speed
    Sloth.__dict__["_Sloth__speed"].__set__(it, hidden)
    return it


class Numbered(enumerate):
    pass


class NumberedSlots(enumerate):
    __slots__ = ("tenant",)


class Base:
    pass


class Upper(Base):
    def __init__(self, value: Any) -> None:
        self.value = value


class Lower(Upper):
    pass


def error(made: BaseException, **state: Any) -> BaseException:
    for name, part in state.items():
        setattr(made, name, part)
    return made


#: Values of one line are all told apart.
DIFFERENT: list[Line] = [
    ("K7", "classes of one name", twice("class A: pass", "A")),
    ("K7", "instances of classes of one name", twice("class A: pass", "A()")),
    ("K7", "members of enumerations of one name", twice("import enum\nclass A(enum.Enum): X = 1", "A.X")),
    ("K7", "dataclasses of one name", twice("import dataclasses\n@dataclasses.dataclass\nclass A: x: int = 1", "A()")),
    ("K7", "named tuples of one name", twice("import typing\nclass A(typing.NamedTuple): x: int = 1", "A()")),
    ("K7", "attrs classes of one name", twice("import attrs\n@attrs.define\nclass A: x: int = 1", "A()")),
    ("K7", "pydantic models of one name", twice("import pydantic\nclass A(pydantic.BaseModel): x: int = 1", "A()")),
    *(("K7", f"one name in two classes: {expression}", within(source, expression)) for source, expression in INNER),
    ("K7", "a class and those derived from it", (lambda: [1], lambda: Words([1]), lambda: (1, 2), lambda: Point(1, 2))),
    ("K7", "attributes of a list", (lambda: Words([1]), lambda: with_attribute(Words([1]), lang="de"), lambda: with_attribute(Words([1]), lang="en"))),
    ("K7", "attributes of a dict", (lambda: Table(a=1), lambda: with_attribute(Table(a=1), key="x"))),
    ("K7", "attributes of other dicts", tuple(functools.partial(lambda kind, n: with_attribute(kind(), key=n), kind, n) for kind in (Counts, Lists, Sorted) for n in (1, 2))),
    ("K7", "attributes that counts and an ordered dict were given", tuple(functools.partial(lambda kind, n: with_attribute(kind(), key=n), kind, n)
                                                                         for kind in (collections.Counter, collections.OrderedDict) for n in (1, 2))),
    ("K7", "attributes of other values", tuple(functools.partial(lambda kind, given, n: with_attribute(kind(*given), key=n), kind, given, n)
                                               for kind, given in DERIVED for n in (1, 2))),
    ("K7", "attributes of a string", (lambda: Name("a"), lambda: with_attribute(Name("a"), key="x"), lambda: "a")),
    ("K7", "attributes of an instance", (lambda: Plain(a=1), lambda: Plain(b=1), lambda: Plain(a=2), lambda: Plain())),
    ("K7", "fields", (lambda: Config("a"), lambda: Config("b"), lambda: Config("a", 1), lambda: Slotted("a"), lambda: Slotted("a", 1))),
    ("K7", "attributes beside the fields", (lambda: Config("a"), lambda: with_attribute(Config("a"), extra=1))),
    ("K7", "attrs fields", (lambda: Client("a"), lambda: Client("b"), lambda: Client("a", 1))),
    ("K7", "pydantic fields", (lambda: Person(name="a"), lambda: Person(name="b"), lambda: Person(name="a", age=1))),
    ("K7", "members", (lambda: Colour.RED, lambda: Colour.BLUE, lambda: Mode.READ, lambda: Mode.READ | Mode.WRITE, lambda: 1)),
    ("K7", "attributes of frames, series and arrays that derive from them",
     tuple(functools.partial(lambda kind, given, n: with_attribute(kind(given), unit=n), kind, given, n)
           for kind, given in ((Units, {"a": [1]}), (Readings, [1]), (Sheet, {"a": [1]}), (Metres, 1), (Masked, [1])) for n in (1, 2))),
    ("K7", "slots that an attrs class inherits", (lambda: with_attribute(SlottedClient(), url="a"), lambda: with_attribute(SlottedClient(), url="b"), SlottedClient)),
    ("K7", "what an exception holds beside its fields", (lambda: with_attribute(Refusal(1), args=(1,)), lambda: with_attribute(Refusal(1), args=(2,)))),
    ("K7", "instances that lie about what they hold", (lambda: LyingQueue([1]), lambda: LyingQueue([2]), lambda: LyingPath("a"), lambda: LyingPath("b"),
                                                       lambda: LyingFraction(1, 2), lambda: LyingFraction(1, 3))),
    ("K8", "functions of one name in two modules", (lambda: math.pow, lambda: pow, lambda: operator.pow)),
    ("K8", "methods of two lists", (lambda: [1].append, lambda: [2].append, lambda: [1].extend)),
    ("K8", "code", (lambda: lambda x: x + x, lambda: lambda x: x * x)),
    ("K8", "constants in code", (lambda: lambda x: x + 1, lambda: lambda x: x + 2, lambda: lambda x: x + 1.0)),
    ("K8", "names in code", (lambda: lambda x: x.a, lambda: lambda x: x.b)),
    ("K8", "constants in inner code", (lambda: lambda: lambda: 1, lambda: lambda: lambda: 2)),
    ("K8", "what is closed over", (lambda: closure(1), lambda: closure(2), lambda: closure(True))),
    ("K8", "defaults", (lambda: default(1), lambda: default(2), lambda: default(1.0))),
    ("K8", "partials", (lambda: functools.partial(max, 1), lambda: functools.partial(max, 2), lambda: functools.partial(min, 1),
                        lambda: functools.partial(max, key=abs), lambda: max)),
    ("K8", "bound methods", (lambda: Plain(a=1).method, lambda: Plain(a=2).method, lambda: Plain.method)),
    ("K8", "methods of classes", (lambda: str.upper, lambda: str.lower, lambda: bytes.upper, lambda: dict.fromkeys)),
    ("K8", "wrappers that pickle by name", (lambda: functools.cache(closure(1)), lambda: functools.cache(closure(2)),
                                            lambda: tenure.cache_resource(closure(1)), lambda: tenure.cache_resource(closure(2)))),
    ("K8", "modules", (lambda: math, lambda: operator)),
    ("K8", "classes", (lambda: int, lambda: float, lambda: Plain, lambda: type)),
    ("K8", "classes that one function makes", tuple(functools.partial(lambda n: type("A", (), {"__qualname__": "f.<locals>.A", "n": n}), n) for n in (1, 2))),
    ("K8", "classes of one name that are made at run time",
     (lambda: type("A", (), {"n": 1}), lambda: type("A", (), {"n": 2}), lambda: collections.namedtuple("A", "x"), lambda: collections.namedtuple("A", "y"),
      lambda: make_dataclass("A", ["x"]), lambda: make_dataclass("A", ["x", "y"]), lambda: enum.Enum("A", "x"), lambda: enum.Enum("A", "y"),
      lambda: pydantic.create_model("A", x=(int, 1)), lambda: pydantic.create_model("A", x=(int, 2)), lambda: pydantic.create_model("A", x=(str, "1")))),
    ("K8", "kept properties in classes that are made at run time",
     tuple(functools.partial(lambda text: eval(text, {"functools": functools}), f"type('A', (), {{'size': functools.cached_property(lambda self: {n})}})") for n in (1, 2))),
    ("K8", "attributes of functions and partials", (lambda: function(), lambda: function(weight=1), lambda: function(weight=2), lambda: functools.partial(max),
                                                    lambda: with_attribute(functools.partial(max), weight=1), lambda: with_attribute(functools.partial(max), weight=2))),
    ("K8", "types with parameters", (lambda: list[int], lambda: list[str], lambda: dict[str, int], lambda: int | None)),
    ("K8", "what is looked up", (lambda: operator.itemgetter(1), lambda: operator.itemgetter(2), lambda: operator.attrgetter("a"))),
    *(("K7", f"a type made at run time: {what}, {at}, in {place}",
       tuple(functools.partial(lambda make, at, place, text: inside(make(text)[at])[place], make, at, place, text) for text in ("a", "b")))
      for what, make in MADE.items() for at in range(len(make("a"))) for place in range(5)),
    ("K8", "what super() stands for", (lambda: super(Upper, Upper(1)), lambda: super(Upper, Upper(2)), lambda: super(Upper, Lower(1)), lambda: super(Lower, Lower(1)),
                                       lambda: super(Upper, Upper), lambda: super(Upper))),
    ("K8", "how many results a function keeps", tuple(functools.partial(lambda size: functools.lru_cache(maxsize=size)(closure), size) for size in (1, 2, None))),
    ("K9", "what an exception was about", (lambda: AttributeError("x", name="a"), lambda: AttributeError("x", name="b"), lambda: AttributeError("x", obj=1), lambda: AttributeError("x", obj=2))),
    ("K9", "names in exceptions", (lambda: NameError("x", name="a"), lambda: NameError("x", name="b"), lambda: NameError("x"))),
    ("K9", "imports in exceptions", (lambda: ImportError("x", name="a"), lambda: ImportError("x", name="b"), lambda: ImportError("x", path="a"))),
    ("K9", "what an exception gives", tuple(functools.partial(lambda n: error(StopIteration(1), value=n), n) for n in (1, 2))),
    ("K9", "notes on exceptions", (lambda: error(ValueError(1), __notes__=["a"]), lambda: error(ValueError(1), __notes__=["b"]), lambda: ValueError(1))),
    ("K9", "why an exception was raised",
     (lambda: ValueError(1), lambda: error(ValueError(1), __cause__=KeyError(1), __suppress_context__=False), lambda: error(ValueError(1), __cause__=KeyError(2), __suppress_context__=False),
      lambda: error(ValueError(1), __context__=KeyError(1)), lambda: error(ValueError(1), __context__=KeyError(2)), lambda: error(ValueError(1), __suppress_context__=True))),
    ("K9", "slots below what says how an object is pickled", (lambda: error(Loud("x"), volume=1), lambda: error(Loud("x"), volume=2), lambda: Loud("x"))),
    ("K9", "attributes below what says how an object is pickled",
     tuple(functools.partial(lambda kind, n: with_attribute(kind("ab"), tenant=n), kind, n) for kind in (Numbered, NumberedSlots) for n in (1, 2))),
    ("K7", "slots of one name", (lambda: Toad(1, 1), lambda: Toad(1, 2), lambda: Toad(2, 1))),
    ("K7", "private slots of one name", (lambda: mangled(1, 1), lambda: mangled(1, 2), lambda: mangled(2, 1))),
    ("K7", "a slot behind a property", (lambda: Cat(1), lambda: Cat(2))),
    ("K9", "exceptions", (lambda: ValueError(1), lambda: ValueError(2), lambda: TypeError(1))),
    ("K9", "what a reduction gives first", (lambda: ValueError(type("A", (), {"n": 1})), lambda: ValueError(type("A", (), {"n": 2})), lambda: ValueError(int),
     lambda: ValueError(float))),
    ("K9", "random state", (lambda: np.random.default_rng(1), lambda: np.random.default_rng(2))),
    ("K9", "weak references", (lambda: held(Plain(a=1)), lambda: held(Plain(a=2)))),
]  # fmt: skip


def accessed() -> Plain:
    plain = Plain(a=1)
    assert plain.size == 1
    return plain


#: Classes as scripts define them.
CLASSES = [
    "class A: x = 1",
    "class A:\n def f(self): return super().f()",
    "import enum\nclass A(enum.Enum): X = 1",
    "import enum\nclass A(enum.Flag): X = 1; Y = 2",
    "import abc\nclass A(abc.ABC):\n @abc.abstractmethod\n def f(self): ...",
    "import attrs\n@attrs.define\nclass A: x: int = 1",
    "import dataclasses\n@dataclasses.dataclass(slots=True)\nclass A: x: int = 1",
    "import typing\nclass A(typing.NamedTuple): x: int = 1",
    "import typing\nclass A(typing.Protocol):\n def f(self): ...",
    "import typing\nclass A(typing.TypedDict): x: int",
    "import pydantic\nclass A(pydantic.BaseModel): x: int = 1",
    "import functools\nclass A:\n @functools.cache\n def f(self): return 1\n @functools.cached_property\n def g(self): return 1",
]


#: The same, with an instance under `made`.
SCRIPTS = [
    "class A:\n n = 0\n def __init__(self): type(self).n += 1\nmade = A()",
    "import enum\nmade = enum.Enum('A', 'x y').x",
    "import collections\nmade = collections.namedtuple('A', 'x y')(1, 2)",
    "import abc\nclass B(abc.ABC):\n @abc.abstractmethod\n def f(self): ...\nclass A(B):\n def f(self): return super().f()\nmade = A()",
    "class A: pass\nclass B:\n a = A()\n def f(self): return A, B\nA.b = B()\nmade = A()",
    "import logging\nclass A: log = logging.getLogger('a')\nmade = A()",
]


#: Values of one line all have one key.
EQUAL: list[Line] = [
    ("K7", "a result that was kept", (lambda: Plain(a=1), accessed)),
    ("K7", "a result that attrs keeps in a slot", (lambda: Measured("a"), lambda: (it := Measured("a"), it.size)[0])),
    ("K7", "a default left out", (lambda: Person(name="a"), lambda: Person(name="a", age=30))),
    ("K8", "equal closures", (lambda: closure([1]), lambda: closure([1]))),
    ("K8", "functions from equal source", (lambda: module("m", "def f(x=1): return [y for y in x]").f, lambda: module("m", "\n\ndef f(x=1): return [y for y in x]").f)),
    ("K8", "methods of equal objects", (lambda: Plain(a=1).method, lambda: Plain(a=1).method)),
    ("K9", "classes of a script that runs again", (lambda: module("m", "class A:\n x = 1").A(), lambda: module("m", "class A:\n x = 1").A())),
    ("K9", "dataclasses of a script that runs again",
     tuple(lambda: module("m", "import dataclasses\n@dataclasses.dataclass\nclass A: x: int = 1").A() for _ in range(2))),
    ("K9", "members of a script that runs again", tuple(lambda: module("m", "import enum\nclass A(enum.Enum): X = 1").A.X for _ in range(2))),
    ("K9", "classes that a function makes again", tuple(lambda: type("A", (), {"__qualname__": "f.<locals>.A", "n": 1}) for _ in range(2))),
    ("K9", "models that are made at run time again", (lambda: pydantic.create_model("A", x=(int, 1)), lambda: pydantic.create_model("A", x=(int, 1)))),
    *(("K9", f"a class of a script that runs again: {source.splitlines()[-1]}", tuple(functools.partial(lambda source: module("m", source).A, source) for _ in range(2)))
      for source in CLASSES),
    *(("K9", f"a type made at run time again: {what}, {at}", tuple(functools.partial(lambda make, at: make("a")[at], make, at) for _ in range(2)))
      for what, make in MADE.items() for at in range(len(make("a")))),
    *(("K9", f"an instance in a script that runs again: {source.splitlines()[-1]}", tuple(functools.partial(lambda source: module("m", source).made, source) for _ in range(2)))
      for source in SCRIPTS),
    ("K8", "what super() stands for, again", (lambda: super(Upper, Upper(1)), lambda: super(Upper, Upper(1)))),
]  # fmt: skip
