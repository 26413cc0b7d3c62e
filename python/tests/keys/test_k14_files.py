"""K14: files on disk by name, time of change and position; those in memory by content and position."""

from __future__ import annotations

import io
import mmap
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tenure._native import UnhashableParamError, _encode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data.txt"
    path.write_text("one\ntwo\nthree\n")
    os.utime(path, ns=(1, 1))
    return path


MODES = ["r", "rb", "r+", "r+b"]


@pytest.mark.parametrize("mode", MODES)
def test_k14_a_file_opened_twice_is_one_key(path: Path, mode: str) -> None:
    """K14"""
    with open(path, mode) as one, open(path, mode) as two:
        assert _encode(one) == _encode(two)
        assert _encode([one]) == _encode([two])


WAYS: list[dict[str, Any]] = [
    {},
    {"newline": ""},
    {"newline": "\n"},
    {"newline": "\r"},
    {"newline": "\r\n"},
    {"encoding": "latin-1"},
    {"encoding": "utf-16"},
    {"errors": "ignore"},
]


def opened(path: Path, way: dict[str, Any]) -> Any:
    return open(path, **way)


def opened_to_write(path: Path, way: dict[str, Any]) -> Any:
    return open(path, "a", **way)


def wrapped(path: Path, way: dict[str, Any]) -> Any:
    return io.TextIOWrapper(io.BytesIO(b"one"), **way)


@pytest.mark.parametrize("make", [opened, opened_to_write, wrapped])
def test_k14_encoding_errors_and_newline_of_a_text_file_count(
    make: Callable[[Path, dict[str, Any]], Any], path: Path
) -> None:
    """K14"""
    seen = set()
    for way in WAYS:
        with make(path, {"encoding": "utf-8"} | way) as one, make(path, {"encoding": "utf-8"} | way) as two:
            assert _encode(one) == _encode(two)
            seen.add(_encode(one))
    assert len(seen) == len(WAYS)


@pytest.mark.parametrize("newline", [None, "", "\n"])
def test_k14_what_a_text_file_has_decoded_is_not_its_newline(path: Path, newline: str | None) -> None:
    """K14"""
    path.write_bytes(b"\n" * 3)
    with open(path, newline=newline) as read, open(path, newline=newline) as sought:
        for count in (1, 2, 5):
            read.read(count)
            sought.seek(read.tell())
            assert _encode(read) == _encode(sought)


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
def test_k14_a_temporary_text_file_is_known_by_its_encoding_too() -> None:
    """K14"""
    with tempfile.NamedTemporaryFile("w+") as file:
        with open(file.name, "w+", encoding="latin-1", newline="") as other:
            ways = [tempfile._TemporaryFileWrapper(it, file.name, delete=False) for it in (file.file, other)]
            assert _encode(ways[0]) != _encode(ways[1])


@pytest.mark.parametrize("mode", MODES)
def test_k14_position_name_time_and_mode_count(path: Path, mode: str, tmp_path: Path) -> None:
    """K14"""
    with open(path, mode) as file:
        start = _encode(file)
        file.read(2)
        assert _encode(file) != start
        file.seek(0)
        assert _encode(file) == start
        os.utime(path, ns=(1, 2))
        assert _encode(file) != start
    os.utime(path, ns=(1, 1))
    other = tmp_path / "other.txt"
    os.link(path, other)
    with open(other, mode) as file:
        assert _encode(file) != start
    seen = set()
    for other_mode in MODES:
        with open(path, other_mode) as file:
            seen.add(_encode(file))
    assert len(seen) == len(MODES)


def test_k14_a_text_file_that_is_iterated_over(path: Path) -> None:
    """K14: it cannot tell its position itself meanwhile."""
    with open(path) as file:
        start = _encode(file)
        next(file)
        with pytest.raises(OSError):
            file.tell()
        assert _encode(file) != start


def test_k14_what_is_written_shows(path: Path) -> None:
    """K14: also while it is still in the file's buffer."""
    with open(path, "w") as file:
        before = _encode(file)
        file.write("x")
        assert _encode(file) != before


def test_k14_closed_and_unseekable_files(path: Path) -> None:
    """K14: they have a key, and reading it does no harm."""
    with open(path) as file:
        open_key = _encode(file)
    assert _encode(file) != open_key
    assert _encode(file) == _encode(file)
    reading, writing = os.pipe()
    with open(reading, "rb") as one, open(writing, "wb") as two:
        assert _encode(one) == _encode(one) != _encode(two)


def test_k14_temporary_files() -> None:
    """K14"""
    with tempfile.NamedTemporaryFile() as one, tempfile.NamedTemporaryFile() as two:
        assert _encode(one) == _encode(one) != _encode(two)
    with tempfile.SpooledTemporaryFile() as spooled:
        empty = _encode(spooled)
        spooled.write(b"x")
        assert _encode(spooled) != empty


@pytest.mark.parametrize("make", [lambda: io.BytesIO(b"abc"), lambda: io.StringIO("abc")], ids=["bytes", "text"])
def test_k14_files_in_memory(make: Callable[[], Any]) -> None:
    """K14"""
    one, two = make(), make()
    start = _encode(one)
    assert _encode(two) == start
    two.read(1)
    assert _encode(two) != start
    two.seek(0)
    assert _encode(two) == start
    two.write(two.read(1).upper())
    two.seek(0)
    assert _encode(two) != start
    one.close()
    assert _encode(one) != start


def test_k14_mapped_memory() -> None:
    """K14"""
    with mmap.mmap(-1, 8) as one, mmap.mmap(-1, 8) as two:
        start = _encode(one)
        assert _encode(two) == start
        one.read(1)
        assert _encode(one) != start
        one.seek(0)
        one[7] = 1
        assert _encode(one) != start


def test_k14_uploaded_files_count_by_content_position_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """K14: the same file uploaded again is the same argument. Only the class's place is Streamlit's here."""
    module = types.ModuleType("streamlit.runtime.uploaded_file_manager")

    class UploadedFile(io.BytesIO):
        def __init__(self, file_id: str, name: str, data: bytes) -> None:
            super().__init__(data)
            self.file_id, self.name, self.type, self.size = file_id, name, "text/csv", len(data)

    UploadedFile.__module__, UploadedFile.__qualname__ = module.__name__, "UploadedFile"
    module.UploadedFile = UploadedFile  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    first = UploadedFile("1", "a.csv", b"x,y")
    start = _encode(first)
    assert _encode(UploadedFile("2", "a.csv", b"x,y")) == start
    assert _encode(UploadedFile("1", "a.csv", b"x,z")) != start
    assert _encode(UploadedFile("1", "b.csv", b"x,y")) != start
    first.read(1)
    assert _encode(first) != start


def test_k14_what_is_no_file_says_so() -> None:
    """K9, K14"""

    class Odd(io.RawIOBase):
        pass

    with pytest.raises(UnhashableParamError, match="Odd"):
        _encode(Odd())
