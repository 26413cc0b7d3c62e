"""Weights for `weight=`: what a build has added to the process, and what a resource has on graphics cards.

>>> import tenure
>>> @tenure.cache_resource(weight=tenure.weigh.memory, max_weight=8 * 2**30)
... def model(name):
...     return b"x" * 2**26
>>> _ = model("small")
>>> model.info().weight >= 2**26
True
>>> model.clear()
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

__all__ = ["Gauge", "memory", "torch", "torch_by_device"]


class Gauge(Protocol):
    """A `weight=` that is read before a build and after it: a resource weighs what has been added, and 0 at least.

    >>> import tenure
    >>> class Arena:
    ...     taken = 0
    ...     def present(self):
    ...         return self.taken
    >>> arena = Arena()
    >>> @tenure.cache_resource(weight=arena, max_weight=2**20)
    ... def table(rows):
    ...     arena.taken += rows * 1024
    ...     return [rows]
    >>> _ = table(4)
    >>> table.info().weight
    4096
    """

    def present(self) -> int:
        """The present amount, in bytes; what a build has added counts in whole KiB."""


class _Memory:
    def present(self) -> int:
        try:
            with open("/proc/self/status", "rb") as status:
                told = dict(line.split(b":", 1) for line in status)
            # In kB, each. Pages of files are none of it: the system takes those back whenever it likes.
            return 1024 * sum(int(told[name].split()[0]) for name in (b"RssAnon", b"RssShmem", b"VmSwap"))
        except (OSError, KeyError):
            return self._most()

    def _most(self) -> int:
        try:
            import resource
        except ImportError as error:
            raise NotImplementedError(
                "tenure.weigh.memory cannot tell the memory of a process on this system. Write a function of the "
                "resource, as in weight=lambda model: model.nbytes"
            ) from error
        # The most that there ever was: in bytes on macOS, elsewhere in kilobytes.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def __repr__(self) -> str:
        return "tenure.weigh.memory"


memory = _Memory()
"""The memory, in bytes, that a build has added to the process, measured.

What other threads and tasks take or give back meanwhile counts too; on Linux files that a library maps do not, nor does
what the process had before and its allocator uses again. For a budget that is kept to the byte write a function of the
resource.

>>> import tenure
>>> @tenure.cache_resource(weight=tenure.weigh.memory, max_weight=8 * 2**30)
... def model(name):
...     return b"x" * 2**26
>>> _ = model("small")
>>> model.info().weight > 0
True
>>> model.clear()
"""


def torch(resource: object) -> int:
    """The bytes that a resource has on graphics cards, all of them together.

    Counted are the parameters and buffers of modules, and tensors, in mappings, sequences and the attributes of an
    object: each storage once. PyTorch is not imported for it: where the program has not, there is nothing to count.

    Parameters
    ----------
    resource
        A module, a tensor, or something made of them.

    Examples
    --------
    >>> import tenure
    >>> tenure.weigh.torch({"no": "tensors"})
    0
    """
    return sum(torch_by_device(resource).values())


def torch_by_device(resource: object) -> dict[str, int]:
    """The bytes that a resource has on each graphics card, by its name in PyTorch, such as `"cuda:1"`.

    Parameters
    ----------
    resource
        As for `torch`.

    Examples
    --------
    >>> import tenure
    >>> tenure.weigh.torch_by_device([])
    {}
    """
    library = sys.modules.get("torch")
    if library is None:
        return {}
    storages: dict[tuple[str, int], int] = {}
    for tensor in _tensors(resource, library, set()):
        if tensor.device.type not in ("cpu", "meta"):
            storage = tensor.untyped_storage()
            storages[str(tensor.device), storage.data_ptr()] = storage.nbytes()
    bytes_on: dict[str, int] = {}
    for (device, _), size in storages.items():
        bytes_on[device] = bytes_on.get(device, 0) + size
    return bytes_on


def _tensors(it: object, library: Any, seen: set[int]) -> Iterator[Any]:
    if id(it) in seen:
        return
    seen.add(id(it))
    if isinstance(it, library.Tensor):
        yield it
        return
    parts: Iterable[object]
    if isinstance(it, library.nn.Module):
        parts = [*it.parameters(), *it.buffers()]
    elif isinstance(it, Mapping):
        parts = it.values()
    elif isinstance(it, (list, tuple, set, frozenset)):
        parts = it
    else:
        # A pipeline that holds its modules, say; not what those hold.
        parts = [part for part in getattr(it, "__dict__", {}).values() if _is_made_of(part, library)]
    for part in parts:
        yield from _tensors(part, library, seen)


def _is_made_of(part: object, library: Any) -> bool:
    return isinstance(part, (library.Tensor, library.nn.Module, dict, list, tuple))
