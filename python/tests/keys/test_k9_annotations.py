"""K9: from Python 3.14 on annotations are evaluated when somebody reads them, and no key tells whether somebody has.

Without `from __future__ import annotations`, which would have them evaluated by nobody.
"""

import typing

import pytest

import tenure
from tenure._native import _encode


def local_classes(annotation: type = int) -> list[type]:
    class Plain:
        field: annotation = 0

        def method(self, value: annotation) -> annotation:
            return value

    class Record(typing.NamedTuple):
        field: annotation

    class Options(typing.TypedDict):
        field: annotation

    return [Plain, Record, Options]


@pytest.mark.parametrize("at", range(3))
def test_k9_reading_the_annotations_of_a_class_changes_nothing(at: int) -> None:
    before = _encode(local_classes()[at])
    read = local_classes()[at]
    assert read.__annotations__ == {"field": int}
    assert _encode(read) == before
    assert _encode(local_classes(str)[at]) != before


def test_k9_nor_of_one_that_has_none() -> None:
    def without() -> type:
        class Bare:
            field = 0

        return Bare

    before = _encode(without())
    read = without()
    assert read.__annotations__ == {}
    assert _encode(read) == before


def test_k9_reading_those_of_a_function_changes_nothing() -> None:
    def function(value: int) -> int:
        return value

    before = _encode(function)
    assert function.__annotations__ == {"value": int, "return": int}
    assert _encode(function) == before


def test_f1_reading_those_of_what_a_function_is_made_of_makes_no_other_function() -> None:
    def script(read: bool) -> object:
        made_of = local_classes()[0]
        if read:
            assert made_of.__annotations__ == {"field": int}

        @tenure.cache_resource
        def thing() -> object:
            return made_of()

        return thing()

    assert script(read=False) is script(read=True)
