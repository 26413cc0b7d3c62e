"""K1 to K9: of every type that has a key, two values have one key if and only if they are equal in type and content."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import KINDS, SPECS, Spec, build, of, strided

from tenure._native import _encode

MOST = settings.default.max_examples
few = settings(max_examples=MOST * 2 // 5 if MOST <= 100 else MOST // 10)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(data=st.data())
def test_k_values_of_one_type_have_one_key_exactly_when_they_are_equal(kind: str, data: st.DataObject) -> None:
    """K1, K2, K4, K5, K6, K7, K8, K9: alone, and inside others."""
    one, two = data.draw(of(kind)), data.draw(of(kind))
    assert (_encode(build(one)) == _encode(build(two))) == (one == two)
    assert _encode(build(one)) == _encode(build(one))
    assert (_encode({"a": [(build(one),)]}) == _encode({"a": [(build(two),)]})) == (one == two)


@given(SPECS, SPECS)
def test_k_values_of_any_types_have_one_key_exactly_when_they_are_equal(one: Spec, two: Spec) -> None:
    """K1, K2: also where one is the beginning of the other."""
    assert (_encode(build(one)) == _encode(build(two))) == (one == two)
    assert (_encode([build(one), build(two)]) == _encode([build(two), build(one)])) == (one == two)
    assert _encode([build(one), [build(two)]]) != _encode([[build(one)], build(two)])


@pytest.mark.parametrize("kind", KINDS)
@few
@given(data=st.data())
def test_k_a_copy_has_the_same_key(kind: str, data: st.DataObject) -> None:
    """K3: a deep copy, where there can be one, is an equal argument."""
    value = build(data.draw(of(kind)))
    try:
        copied = copy.deepcopy(value)
    except (TypeError, pickle.PicklingError):
        return
    assert _encode(copied) == _encode(value)


@given(st.lists(st.integers(0, 5), max_size=5), st.sampled_from(["<i4", ">f8", "S3", "M8[s]"]), st.integers(1, 4))
def test_k5_how_an_array_lies_in_memory_makes_no_difference(numbers: list[int], dtype: str, step: int) -> None:
    """K5"""
    assert _encode(strided(tuple(numbers), dtype, step)) == _encode(strided(tuple(numbers), dtype, 1))
