"""The examples in the docstrings of `tenure.asgi` run as they are printed."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

import tenure.asgi
from tenure.hosts.asgi import cookies


@pytest.mark.parametrize("module", [tenure.asgi, cookies], ids=lambda module: module.__name__)
def test_a9_the_examples_run(module: ModuleType) -> None:
    ran = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert ran.attempted > 0
    assert ran.failed == 0
