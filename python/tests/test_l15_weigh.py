"""L15: what a build has added to a gauge, and what a resource has on graphics cards, as weights."""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any

import pytest

import tenure
from tenure.testing import Clock
from world import give_back_freed_memory

MIB = 2**20


class Meter:
    """A gauge that a build moves."""

    def __init__(self) -> None:
        self.stands = 5 * MIB

    def present(self) -> int:
        return self.stands


def test_l15_a_gauge_is_read_before_and_after_a_build(clock: Clock) -> None:
    meter = Meter()

    @tenure.cache_resource(weight=meter)
    def model(size: int) -> object:
        meter.stands += size
        return object()

    model(3 * MIB)
    model(4 * MIB)
    model(-MIB)
    assert model.info().weight == 7 * MIB


def test_l15_async_builds_are_measured_too(clock: Clock) -> None:
    meter = Meter()

    @tenure.cache_resource(weight=meter)
    async def model(size: int) -> object:
        await asyncio.sleep(0)
        meter.stands += size
        return object()

    asyncio.run(model(3 * MIB))
    assert model.info().weight == 3 * MIB


def test_l15_a_gauge_that_breaks_loses_no_resource(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Meter):
        def present(self) -> int:
            if self.stands == 0:
                raise OSError("no meter")
            self.stands = 0
            return 1

    released: list[object] = []

    @tenure.cache_resource(weight=Broken(), on_release=released.append)
    def model() -> object:
        return object()

    model()
    assert model.info().weight == 0
    assert "a weight could not be measured" in caplog.text
    model.clear()
    assert len(released) == 1


def test_l15_the_memory_of_the_process(clock: Clock) -> None:
    @tenure.cache_resource(weight=tenure.weigh.memory)
    def model() -> list[bytes]:
        return [b"x" * (64 * MIB)]

    give_back_freed_memory()
    model()
    assert 60 * MIB < model.info().weight < 100 * MIB


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A library with PyTorch's classes, as far as they are looked at: its own is large."""
    library: Any = types.ModuleType("torch")

    class Storage:
        def __init__(self, size: int) -> None:
            self.size = size

        def data_ptr(self) -> int:
            return id(self)

        def nbytes(self) -> int:
            return self.size

    class Device:
        def __init__(self, name: str) -> None:
            self.name, self.type = name, name.split(":")[0]

        def __str__(self) -> str:
            return self.name

    class Tensor:
        def __init__(self, size: int, device: str = "cuda:0", of: Any = None) -> None:
            self.storage = Storage(size) if of is None else of.storage
            self.device = Device(device)

        def untyped_storage(self) -> Storage:
            return self.storage

    class Module:
        def __init__(self, *tensors: Tensor) -> None:
            self.tensors = tensors

        def parameters(self) -> Any:
            return iter(self.tensors)

        def buffers(self) -> Any:
            return iter(())

    library.Tensor, library.nn = Tensor, types.SimpleNamespace(Module=Module)
    monkeypatch.setitem(sys.modules, "torch", library)
    return library


def test_l15_bytes_on_each_graphics_card(torch: Any) -> None:
    shared = torch.Tensor(100)
    view = torch.Tensor(0, of=shared)
    model = torch.nn.Module(shared, view, torch.Tensor(7, "cuda:1"), torch.Tensor(1000, "cpu"))
    pipeline = types.SimpleNamespace(model=model, extra={"mask": [torch.Tensor(5)]}, name="no tensor")
    assert tenure.weigh.torch_by_device(pipeline) == {"cuda:0": 105, "cuda:1": 7}
    assert tenure.weigh.torch(pipeline) == 112


def test_l15_what_holds_itself_is_counted_once(torch: Any) -> None:
    circle: dict[str, Any] = {"tensor": torch.Tensor(3)}
    circle["self"] = circle
    assert tenure.weigh.torch(circle) == 3


def test_l15_without_pytorch_there_is_nothing_to_count() -> None:
    assert "torch" not in sys.modules
    assert tenure.weigh.torch(object()) == 0
