"""The source distribution, and what a machine does with it for which there is no wheel."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import contents
import strangers
from steps import ROOT, run, step

MATURIN = Path(sys.executable).with_name("maturin")


def pack(out: Path, place: Path) -> tuple[Path, Path]:
    """Gives the source distribution, and the folder that it was unpacked to: from that alone the wheels are built."""
    with step("the source distribution"):
        run(MATURIN, "sdist", "--manifest-path", "python/Cargo.toml", "--out", out, cwd=ROOT)
        [sdist] = out.glob("*.tar.gz")
        tree = unpacked(sdist, place)
        contents.check_metadata(sdist.name, (tree / "PKG-INFO").read_text())
    return sdist, tree


def unpacked(archive: Path, place: Path) -> Path:
    """Unpacks an archive in an empty folder, and gives the one folder that it has."""
    shutil.rmtree(place, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(place, filter="data")
    # Packed files are all of one old time, by which cargo would take those of another run for these.
    for path in place.rglob("*"):
        path.touch()
    [folder] = place.iterdir()
    return folder


def check(sdist: Path, folder: Path, work: Path) -> None:
    """Builds and installs it with pip. Without the optimiser, which the wheels have been through."""
    with step(f"{sdist.name}: built and installed by pip, and what the README shows"):
        python = strangers.environment(Path(sys.executable), folder)
        env = {"MATURIN_PEP517_ARGS": "--profile dev", "CARGO_TARGET_DIR": str(work / "pip")}
        run(python, "-m", "pip", "install", "--no-deps", sdist, cwd=folder, env=env)
        strangers.run_readme(python, folder)
