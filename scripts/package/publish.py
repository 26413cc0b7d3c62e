"""Publishes the crates that were built and checked, those that the registry does not have yet.

    python scripts/package/publish.py DIST

DIST has the `.crate` files. They are packed again first, since cargo uploads only what it has packed itself: other
bytes end it before anything is published, and so does a version that the registry has with other bytes. What it has
already stays as it is, so that this can be run again where it has stopped half-way.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import crates
from steps import ROOT, Failed, run, step

CRATES_IO = "https://index.crates.io"
WAIT = 600.0
"""Seconds in which a registry lists what was uploaded. Usually it takes a few."""


def main(dist: Path) -> None:
    built = {name: only(dist, name) for name in crates.CRATES}
    with tempfile.TemporaryDirectory(prefix="tenure-publish-") as name:
        again = Path(name)
        hold_to(built, crates.pack(again, again / "work"))
    publish(built, CRATES_IO, ROOT)


def only(dist: Path, name: str) -> Path:
    found = list(dist.glob(f"{name}-[0-9]*.crate"))
    if len(found) != 1:
        raise Failed(f"{dist} has {len(found)} files {name}-*.crate, and one is to be published")
    return found[0]


def hold_to(built: Mapping[str, Path], packed: Mapping[str, Path]) -> None:
    """Refuses to go on where cargo would upload something else than what was checked."""
    other = [path.name for name, path in built.items() if checksum(path) != checksum(packed[name])]
    if other:
        raise Failed(
            f"packed here, these are not what was checked: {', '.join(other)}. "
            "It takes a clean checkout of the tag, and the Rust that `release.yml` names"
        )


def publish(built: Mapping[str, Path], index: str, root: Path) -> None:
    """Publishes in the order given what the index does not list. Everything is compared before anything is uploaded."""
    missing = [name for name, path in built.items() if not is_listed(name, path, index)]
    for name, path in built.items():
        if name not in missing:
            print(f"{path.name} is there already, with the same bytes", flush=True)
    for name in missing:
        with step(f"{built[name].name}: published"):
            run("cargo", "publish", "--locked", "--no-verify", "-p", name, cwd=root)
            # Cargo waits too, and ends well where it has waited in vain.
            await_listed(name, built[name], index)


def await_listed(name: str, path: Path, index: str) -> None:
    deadline = time.monotonic() + WAIT
    while not is_listed(name, path, index):
        if time.monotonic() > deadline:
            raise Failed(f"{path.name} was uploaded, and is not listed after {WAIT:.0f} s: run this again later")
        time.sleep(1)


def is_listed(name: str, path: Path, index: str) -> bool:
    """Whether the index has a crate in this version. With other bytes, or taken back, it stands in the way for good."""
    version = path.name.removeprefix(f"{name}-").removesuffix(".crate")
    for line in lines(name, index):
        if line["vers"] != version:
            continue
        if line["cksum"] != checksum(path):
            raise Failed(
                f"{name} {version} is published with other bytes than {path}. What is published stays: "
                "raise the version and release that, and yank this one where it is wrong"
            )
        if line["yanked"]:
            raise Failed(f"{name} {version} is published and yanked: raise the version and release that")
        return True
    return False


def lines(name: str, index: str) -> list[dict[str, object]]:
    """What a sparse index says of a crate: one line for each version, none where the registry does not know it."""
    url = f"{index}/{name[:2]}/{name[2:4]}/{name}"
    # crates.io answers nobody who does not say who asks.
    request = urllib.request.Request(url, headers={"User-Agent": "tenure-release (github.com/tenure-rs/tenure)"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return [json.loads(line) for line in answer.read().splitlines() if line]
    except urllib.error.HTTPError as error:
        error.close()
        # So says cargo's manual of an index: not there, gone, or not to be had for legal reasons.
        if error.code in (404, 410, 451):
            return []
        raise Failed(f"{url} answers {error.code}: nothing can be said of what is published") from None
    except OSError as error:
        raise Failed(f"{url} cannot be reached: {error}") from None


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except Failed as failed:
        raise SystemExit(str(failed)) from None
