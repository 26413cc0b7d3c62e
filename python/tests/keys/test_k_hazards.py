"""K1, K2, K4 to K10, K14: each hazard that the promises name, one line each in `hazards.py` and
`hazard_objects.py`."""

from __future__ import annotations

import itertools

import hazard_objects
import hazards
import pytest

from tenure._native import _encode

DIFFERENT = hazards.DIFFERENT + hazard_objects.DIFFERENT
EQUAL = hazards.EQUAL + hazard_objects.EQUAL


def lines(table: list[hazards.Line]) -> list[object]:
    return [pytest.param(values, id=f"{promise}: {what}") for promise, what, values in table]


@pytest.mark.parametrize("values", lines(DIFFERENT))
def test_k_different_values_have_different_keys(values: tuple[object, ...]) -> None:
    """K1, K2, K4, K5, K6, K7, K8, K9, K10, K14"""
    keys = [_encode(make()) for make in values]  # type: ignore[operator]
    same = [(a, b) for a, b in itertools.combinations(range(len(keys)), 2) if keys[a] == keys[b]]
    assert len(keys) >= 2
    assert not same


@pytest.mark.parametrize("values", lines(EQUAL))
def test_k_equal_values_have_one_key(values: tuple[object, ...]) -> None:
    """K2, K4, K5, K6, K7, K8, K9, K10, K14"""
    keys = {_encode(make()) for make in values}  # type: ignore[operator]
    assert len(values) >= 2
    assert len(keys) == 1


@pytest.mark.parametrize("values", lines(DIFFERENT + EQUAL))
def test_k_each_value_is_equal_to_itself_at_any_depth(values: tuple[object, ...]) -> None:
    """K3: what has a key alone has one inside a container, and keeps it."""
    for make in values:
        value = make()  # type: ignore[operator]
        once, again = ({"a": [(value,)]}, {"a": [(value,)]})
        assert _encode(once) == _encode(again)
        assert _encode(value) == _encode(value)
