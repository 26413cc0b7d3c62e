"""K5: tensors, through the protocol that torch speaks, without torch.

What is tested here was tried with torch itself as well; a test environment with it would be several gigabytes.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest

from tenure._native import UnhashableParamError, _encode


class Tensor:
    """As much of a tensor as is asked for, over an array."""

    __module__ = "torch"
    layout = "torch.strided"
    is_quantized = False

    def __init__(self, array: Any, device: str = "cpu", requires_grad: bool = False) -> None:
        self.array = np.asarray(array)
        self.device = types.SimpleNamespace(type=device)
        self.requires_grad = requires_grad

    @property
    def dtype(self) -> str:
        return f"torch.{self.array.dtype}"

    def detach(self) -> Tensor:
        return Tensor(self.array, self.device.type)

    def view(self, dtype: Any) -> Tensor:
        return Tensor(self.array.view(dtype))

    def cpu(self) -> Tensor:
        if self.device.type == "lost":
            raise RuntimeError("the device is gone")
        return Tensor(self.array)

    def __dlpack__(self) -> Any:
        assert self.device.type == "cpu"
        return self.array.__dlpack__()


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("torch")
    module.Tensor, module.uint8 = Tensor, np.uint8  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", module)


def test_k5_tensors_are_told_apart_by_everything() -> None:
    """K5: every element, the shape, the dtype, the device, and whether gradients are kept."""
    base = np.arange(60_000, dtype="f4").reshape(200, 300)
    changed = base.copy()
    changed[199, 299] += 1
    tensors = [
        Tensor(base),
        Tensor(changed),
        Tensor(base.reshape(300, 200)),
        Tensor(base.T),
        Tensor(base.astype("f8")),
        Tensor(base, device="cuda"),
        Tensor(base, requires_grad=True),
        Tensor(base.view("i4")),
        Tensor(base > 3),
        Tensor(base[0, 0]),
    ]
    assert len({_encode(tensor) for tensor in tensors}) == len(tensors)
    assert len({_encode(tensor) for tensor in tensors} | {_encode(base)}) == len(tensors) + 1


def test_k5_the_layout_of_a_tensor_makes_no_difference() -> None:
    """K5"""
    base = np.arange(60_000, dtype="f4").reshape(200, 300)
    assert _encode(Tensor(base)) == _encode(Tensor(np.asfortranarray(base))) == _encode(Tensor(base.copy()))


@pytest.mark.parametrize(("device", "says"), [("lost", r"could not be copied.*\.cpu\(\)"), ("meta", "without data")])
def test_k5_a_tensor_out_of_reach_says_so(device: str, says: str) -> None:
    """K5, K9"""
    with pytest.raises(UnhashableParamError, match=says):
        _encode([Tensor(np.zeros(2), device=device)])
