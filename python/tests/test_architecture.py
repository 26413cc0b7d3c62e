"""ARCHITECTURE.md: the map and the tree are the same, and what it says of imports is so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

MAPPED = ["crates/tenure/src", "crates/tenure-digest/src", "crates/tenure-fleet/src", "python/src"]
"""The folders of which every file stands in the map, by itself or with its folder."""

SOURCES = sorted(str(place.parent.relative_to(ROOT)) for place in ROOT.glob("crates/*/src/lib.rs")) + ["python/src"]
"""Where the sources of each crate are, and those of the binding."""


def mapped() -> tuple[set[Path], set[Path]]:
    """The files and folders that the map names, and the folders that have names under them, which are indented more."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    block = text.split("```")[1]
    named: set[Path] = set()
    opened: set[Path] = set()
    folders: list[tuple[int, Path]] = []
    for line in block.strip("\n").splitlines():
        indent = len(line) - len(line.lstrip())
        folders = [(depth, folder) for depth, folder in folders if depth < indent]
        base = folders[-1][1] if folders else ROOT
        opened.add(base)
        names = line.strip().split("  ")[0].split()
        # Further names of a line stand beside the first one.
        first, *others = names
        named |= {
            base / first,
            *(base / other if "/" in other[:-1] else (base / first).parent / other for other in others),
        }
        if first.endswith("/"):
            folders.append((indent, base / first))
    return named, opened


def test_everything_on_the_map_is_there() -> None:
    assert [str(path) for path in sorted(mapped()[0]) if not path.exists()] == []


@pytest.mark.parametrize("folder", MAPPED)
def test_everything_that_is_there_is_on_the_map(folder: str) -> None:
    named, opened = mapped()

    def missing(of: Path) -> list[str]:
        found = []
        for path in sorted(of.iterdir()):
            if path in named:
                found += missing(path) if path in opened else []
            elif path.name not in ("lib.rs", "mod.rs"):
                found.append(str(path.relative_to(ROOT)))
        return found

    assert missing(ROOT / folder) == []


@pytest.mark.parametrize("folder", SOURCES)
def test_no_two_files_import_each_other(folder: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "import-circles", ROOT / folder], capture_output=True, text=True
    )
    assert done.stdout == "", done.stdout
