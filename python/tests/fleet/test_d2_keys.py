"""D2: members key equal calls equally, whatever the seed of their hashes; what means something in one process alone is
known as that.
"""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure import _native

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "keys"))

import kinds  # noqa: E402

Told = list[tuple[str, bytes]]


class Writer:
    """A process that writes keys."""

    def __init__(self, seed: int, secret: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, HERE / "alike.py", secret],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def keys(self, asked: Any) -> Told:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(base64.b64encode(pickle.dumps(asked)).decode() + "\n")
        self.process.stdin.flush()
        told: Told = pickle.loads(base64.b64decode(self.process.stdout.readline()))
        return told

    def close(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


SECRET = "a secret that all members share"


@pytest.fixture(scope="module")
def writers() -> Iterator[list[Writer]]:
    writers = [Writer(seed, SECRET) for seed in (1, 2)]
    yield writers
    for writer in writers:
        writer.close()


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_d2_members_write_the_keys_of_each_kind_alike(kind: str, writers: list[Writer]) -> None:
    meanings = set()

    # Both processes answer for each of them.
    @settings(max_examples=settings.default.max_examples // 10)
    @given(st.lists(kinds.of(kind), min_size=1, max_size=10))
    def alike(specs: list[kinds.Spec]) -> None:
        one, other = (writer.keys(specs) for writer in writers)
        assert one == other
        meanings.update(meaning for meaning, _ in one)

    alike()
    assert "process" not in meanings


def test_d2_members_write_alike_what_their_script_and_its_functions_make(writers: list[Writer]) -> None:
    one, other = (writer.keys(None) for writer in writers)
    assert one == other
    meanings = [meaning for meaning, _ in one]
    assert "process" not in meanings
    # Code is compiled by each version in its own way, and so is what a class is made of that its name does not say.
    assert meanings[2:6] == ["version"] * 4
    assert meanings[6:] == ["everywhere"] * 5


def test_d2_another_secret_makes_other_keys_of_what_is_long(writers: list[Writer]) -> None:
    stranger = Writer(1, "the secret of another fleet")
    one, other = writers[0].keys(None), stranger.keys(None)
    stranger.close()
    assert one[-1] != other[-1]


class Held:
    """Has no key by itself."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def test_d2_what_means_something_in_this_process_alone_is_known_as_that() -> None:
    held = Held()
    assert _native._meaning(held, {Held: id}) == "process"
    assert _native._meaning([held], {Held: lambda it: id(it)}) == "process"
    assert _native._meaning(held, {Held: hash}) == "process"
    assert _native._meaning(held, {Held: lambda _: "one"}) == "everywhere"

    def with_lock() -> type:
        class Locked:
            lock = threading.Lock()

        return Locked

    assert _native._meaning(with_lock()()) == "process"
    # Nothing of that stays for what is written next.
    assert _native._meaning([1, "a"]) == "everywhere"


def test_d2_a_class_goes_by_the_package_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """D2: in the standard library, whose versions put it into other private parts, as into `pathlib._local`."""

    def key(module: str, shown_in: str) -> bytes:
        thing = type("Thing", (), {"__module__": module, "__qualname__": "Thing"})
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
        for name in {module, shown_in}:
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
            setattr(sys.modules[name], "Thing", thing)
        return _native._encode(thing)

    # The name of a package of the standard library.
    assert key("antigravity._one", "antigravity") == key("antigravity", "antigravity")
    assert key("antigravity._one", "antigravity") == key("antigravity._other", "antigravity")
    assert key("antigravity.one", "antigravity") != key("antigravity", "antigravity")
    assert key("antigravity._one", "elsewhere") != key("antigravity", "antigravity")
    # In any other package a part may be put in the place of another.
    assert key("parts._one", "parts") != key("parts", "parts")
