"""Builds every package and checks each as someone without the tree would, in folders of their own.

    python scripts/package.py OUT MATURIN

Writes the crates, the source distribution and a wheel to OUT. Each crate is unpacked beside the others and runs its own
tests there; the wheel is made from the source distribution, installed alone into a new environment, and runs what the
README shows.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# In the order in which they would be published.
CRATES = ("tenure-digest", "tenure-duration", "tenure-macros", "tenure", "tenure-tower", "tenure-fleet")
EVERYWHERE = ("LICENSE-MIT", "LICENSE-APACHE", "README.md")
OF_A_CRATE = ("description", "license", "repository", "homepage", "documentation", "readme", "keywords", "categories")
OF_A_WHEEL = (
    "Summary",
    "License-Expression",
    "License-File",
    "Requires-Python",
    "Classifier",
    "Project-URL",
    "Keywords",
)


def main(out: Path, maturin: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        check_crates(pack_crates(out), Path(folder) / "crates")
        check_wheel(out, maturin, Path(folder) / "python")
    print(
        f"packages that passed their own tests are in {out}:", *sorted(path.name for path in out.iterdir()), sep="\n  "
    )


def pack_crates(out: Path) -> list[Path]:
    """The crates as files, built from what was packed alone."""
    chosen = [word for crate in CRATES for word in ("-p", crate)]
    run("cargo", "package", "--quiet", "--allow-dirty", "--target-dir", out / "build", *chosen, cwd=ROOT)
    packed = []
    for crate in CRATES:
        [path] = (out / "build/package").glob(f"{crate}-[0-9]*.crate")
        packed.append(Path(shutil.move(path, out)))
    shutil.rmtree(out / "build")
    return packed


def check_crates(packed: list[Path], folder: Path) -> None:
    """Unpacks the crates beside each other and runs what each brings of tests."""
    folders = {}
    for path in packed:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        folders[path.name.rsplit("-", 1)[0]] = folder / path.name.removesuffix(".crate")
    for name, crate in folders.items():
        missing(name, [file for file in EVERYWHERE if not (crate / file).is_file()])
        manifest = tomllib.loads((crate / "Cargo.toml").read_text())["package"]
        missing(name, [key for key in OF_A_CRATE if key not in manifest])
        missing(name, ["package.metadata.docs.rs"] if "docs" not in manifest.get("metadata", {}) else [])
    patches = "".join(f'{name} = {{ path = "{crate}" }}\n' for name, crate in folders.items())
    config = folder / ".cargo/config.toml"
    config.parent.mkdir()
    config.write_text(f'[patch.crates-io]\n{patches}\n[build]\ntarget-dir = "{folder}/target"\n')
    for name, crate in folders.items():
        print(f"== {name}: its own tests, from the packed files", flush=True)
        (crate / "Cargo.lock").unlink(missing_ok=True)
        run("cargo", "test", "--quiet", "--all-features", cwd=crate)


def check_wheel(out: Path, maturin: Path, folder: Path) -> None:
    """Builds a wheel from the source distribution alone, and uses it where nothing else is installed."""
    folder.mkdir()
    run(maturin, "sdist", "--manifest-path", "python/Cargo.toml", "--out", out, cwd=ROOT)
    [sdist] = out.glob("*.tar.gz")
    print(f"== {sdist.name}: a wheel from it", flush=True)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, sdist, cwd=folder)
    [wheel] = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [path] = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(path).decode())
    missing(wheel.name, [key for key in OF_A_WHEEL if key not in metadata])
    missing(wheel.name, [file for file in EVERYWHERE[:2] if not any(name.endswith(file) for name in names)])
    missing(wheel.name, [] if any(name.endswith("py.typed") for name in names) else ["py.typed"])
    if "# Tenure" not in metadata.get_payload():
        raise SystemExit(f"{wheel.name} has no readme")

    print(f"== {wheel.name}: what the README shows, in a new environment", flush=True)
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", wheel, cwd=folder)
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        run(python, "-c", code, cwd=folder)


def missing(package: str, what: list[str]) -> None:
    if what:
        raise SystemExit(f"{package} lacks {', '.join(what)}")


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run([str(word) for word in command], cwd=cwd)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(str(word) for word in command)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
