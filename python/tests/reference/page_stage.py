"""The stage on which an example of the reference page runs: Streamlit's `AppTest` around the printed text.

An example is a text file in `examples/`, as the page prints it but for one stray leading space. What it leaves
undefined stands in a preamble before it, what it claims is asked in an epilogue after it.

Which function ran, and with what, is seen by the interpreter's profile hook, so the printed functions need no change
and the answer does not come from the cache that is tested.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from streamlit.testing.v1 import AppTest

EXAMPLES = Path(__file__).parent / "examples"

PREAMBLE = """\
import sqlite3
import streamlit as st
import example_probe
example_probe.watch(__file__)
"""


class Model(LogisticRegression):
    """A scikit-learn model in place of one that would be downloaded, with the calls that the page makes on it."""

    def __init__(self, source: str = "") -> None:
        super().__init__(max_iter=500)
        self.source = source

    def eval(self) -> Model:
        """What a torch model does before it is asked."""
        return self


def trained(source: str, **_: Any) -> Model:
    """A model trained on the iris data that ship inside scikit-learn."""
    return Model(source).fit(*load_iris(return_X_y=True))


class Stage:
    """Runs examples, and keeps which of their functions ran."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.slept: list[float] = []

    def modules(self) -> dict[str, types.ModuleType]:
        """Modules by name that stand in for those that download or wait."""
        probe = types.ModuleType("example_probe")
        probe.watch = self.watch

        transformers = types.ModuleType("transformers")
        transformers.pipeline = trained
        transformers.BertModel = types.SimpleNamespace(from_pretrained=trained)

        torchvision = types.ModuleType("torchvision")
        torchvision.models = types.ModuleType("torchvision.models")
        torchvision.models.resnet50 = lambda weights, **settings: trained(weights, **settings)
        torchvision.models.ResNet50_Weights = types.SimpleNamespace(DEFAULT="IMAGENET1K_V2")

        time = types.ModuleType("time")
        time.__dict__.update(vars(sys.modules["time"]))
        time.sleep = self.slept.append
        return {
            "example_probe": probe,
            "transformers": transformers,
            "torchvision": torchvision,
            "torchvision.models": torchvision.models,
            "time": time,
        }

    def watch(self, script: str) -> None:
        """Keep each call of a function of the script, from now to the end of its thread."""

        def look(frame: types.FrameType, event: str, _: Any) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename == script and code.co_flags & OPTIMIZED:
                self.calls.append((code.co_name, dict(frame.f_locals)))

        sys.setprofile(look)

    def ran(self, name: str, *parameters: str) -> list[tuple[Any, ...]]:
        """The parameters' values at each run of the function since this was last asked."""
        found = [tuple(values[p] for p in parameters) for called, values in self.calls if called == name]
        self.calls = [call for call in self.calls if call[0] != name]
        return found


# Set on the code of functions, and not on that of modules and classes.
OPTIMIZED = 0x01


def example(name: str) -> str:
    """The text of an example, as the page prints it."""
    return (EXAMPLES / f"{name}.txt").read_text(encoding="utf-8")


def app(*parts: str) -> AppTest:
    """A new session of an app made of these parts, in this order."""
    return AppTest.from_string("\n".join((PREAMBLE, *parts)), default_timeout=60)


def run(session: AppTest) -> AppTest:
    """Run the session's script, which must not raise."""
    session.run()
    assert not session.exception, session.exception
    return session
