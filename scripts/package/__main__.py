"""Builds every package and checks each as someone without the tree would, in folders of their own.

    python scripts/package OUT WORK

Writes a source distribution, the wheels for each Python that is here and two C libraries, and the crates to OUT. WORK
keeps what the crates of others were compiled to, so that the next run is shorter. `TENURE_PACKAGE=all` has it fail
where something cannot be built on this machine, and is otherwise left out with a line that says so.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import crates
import extras
import source
import wheels
from steps import Failed


def main(out: Path, work: Path) -> None:
    began = time.monotonic()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="tenure-package-") as name:
        folder = Path(name)
        sdist, tree = source.pack(out, work / "source")
        pythons = wheels.pythons()

        def lane(part: Callable[[], list[str]]) -> list[str]:
            try:
                return part()
            except Exception as error:
                # Said now: the other lanes go on for minutes.
                print(f"{part.__name__}: {error}", file=sys.stderr, flush=True)
                raise Failed(f"{part.__name__} failed: see above") from error

        def for_glibc() -> list[str]:
            wheels.build(wheels.GLIBC, tree, pythons, out, work)
            wheels.check_glibc(out, pythons, folder / "glibc")
            extras.check(next(out.glob(f"*-cp{sys.version_info.major}{sys.version_info.minor}-manylinux*.whl")), folder)
            return []

        def for_musl() -> list[str]:
            return wheels.musl(tree, pythons, out, work)

        def without_a_wheel() -> list[str]:
            source.check(sdist, folder / "source", work)
            crates.check(crates.pack(out, work), folder / "crates", work)
            return []

        # The end of a build keeps one core busy, the optimisation of the whole, and so the lanes fill up each other.
        with ThreadPoolExecutor() as lanes:
            left_out = [line for lines in lanes.map(lane, (for_glibc, for_musl, without_a_wheel)) for line in lines]
    print(f"{(time.monotonic() - began) / 60:.1f} minutes. What passed is in {out}:")
    for path in sorted(out.iterdir()):
        print(f"  {path.stat().st_size / 1024:7.0f} KiB  {path.name}")
    for line in left_out:
        print(f"left out: {line}")
    if left_out and os.environ.get("TENURE_PACKAGE") == "all":
        raise Failed("a release has everything")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    except Failed as failed:
        raise SystemExit(str(failed)) from None
