"""The wheels: for each Python, on the GNU C library and on musl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import contents
import strangers
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from source import MATURIN
from steps import ROOT, Failed, lacking, run, step


@dataclass(frozen=True)
class Platform:
    """A C library that wheels are built for."""

    target: str
    tag: str


MACHINE = os.uname().machine
GLIBC = Platform(f"{MACHINE}-unknown-linux-gnu", "manylinux_2_17")
MUSL = Platform(f"{MACHINE}-unknown-linux-musl", "musllinux_1_2")
MUSL_LOADER = Path(f"/lib/ld-musl-{MACHINE}.so.1")


def pythons() -> dict[str, Path]:
    """The supported interpreters that are here, by their tags."""
    lines = run(ROOT / "scripts/find-python", "--all", cwd=ROOT).splitlines()
    return {f"cp{minor.replace('.', '')}": Path(path) for minor, path in map(str.split, lines)}


def build(platform: Platform, tree: Path, pythons: dict[str, Path], out: Path, work: Path) -> None:
    """Builds the wheels of one platform from the unpacked source distribution. Zig links against its C library."""
    env = {
        "CARGO_TARGET_DIR": str(work / platform.tag),
        "PATH": f"{MATURIN.parent}:{os.environ['PATH']}",
        # A panic says its place without them, and names of functions stay.
        "CARGO_PROFILE_RELEASE_DEBUG": "false",
        "CARGO_PROFILE_RELEASE_STRIP": "debuginfo",
    }
    for tag, python in pythons.items():
        with step(f"{tag}-{platform.tag}_{MACHINE}: the wheel"):
            run(
                *(MATURIN, "build", "--quiet", "--release", "--zig", "--target", platform.target),
                *("--compatibility", platform.tag, "--interpreter", python, "--out", out),
                cwd=tree,
                env=env,
            )
            contents.check_wheel(wheel_of(tag, platform, out))


def wheel_of(tag: str, platform: Platform, out: Path) -> Path:
    [wheel] = (path for path in out.glob(f"*-{tag}-{tag}-*.whl") if platform.tag in path.name)
    return wheel


def check_glibc(out: Path, pythons: dict[str, Path], folder: Path) -> None:
    """Holds the tags to what the wheels ask of the system, and uses each where nothing else is installed."""
    for tag, python in pythons.items():
        wheel = wheel_of(tag, GLIBC, out)
        with step(f"{wheel.name}: its platform, and what the README shows, in a new environment"):
            audited = json.loads(run(sys.executable, "-m", "auditwheel", "show", "--json", wheel, cwd=ROOT))
            if audited["overall_tag"] != f"{GLIBC.tag}_{MACHINE}":
                raise Failed(f"{wheel.name} is in truth for {audited['overall_tag']}")
            own = strangers.environment(python, folder / tag)
            run(own, "-m", "pip", "install", "--no-index", wheel, cwd=folder)
            strangers.run_readme(own, folder)


def musl(tree: Path, pythons: dict[str, Path], out: Path, work: Path) -> list[str]:
    """Builds the wheels for musl where Rust has its library; gives what was left out."""
    try:
        added = subprocess.run(["rustup", "target", "add", MUSL.target], capture_output=True, text=True, timeout=120)
        why = "" if added.returncode == 0 else added.stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why:
        return [f"wheels for {MUSL.tag}: `rustup target add {MUSL.target}` failed: {why}"]
    build(MUSL, tree, pythons, out, work)
    loader = subprocess.run([ROOT / "scripts/debian", "--optional", MUSL_LOADER, "musl"], capture_output=True)
    if loader.returncode or not MUSL_LOADER.exists():
        return [f"the check of the wheels for {MUSL.tag} against musl itself, which is not installed"]
    for tag in pythons:
        wheel = wheel_of(tag, MUSL, out)
        with step(f"{wheel.name}: every symbol that it asks for is Python's or musl's"):
            check_musl(wheel)
    return []


def check_musl(wheel: Path) -> None:
    """Resolves the symbols of a wheel by hand: what runs Python on musl is no part of this system."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".so"))
        library = Path(archive.extract(name, folder))
        needed, wanted, _ = symbols(library)
    # By this name the linker knows it; musl's loader takes it for itself.
    if needed != {"libc.so"}:
        raise Failed(f"{wheel.name} needs {', '.join(sorted(needed))}")
    _, _, given = symbols(MUSL_LOADER)
    lacking(f"musl, for {wheel.name},", sorted(it for it in wanted - given if not it.startswith(("Py", "_Py"))))


def symbols(library: Path) -> tuple[set[str], set[str], set[str]]:
    """The libraries that a library needs, the symbols that it asks for, and those that it has."""
    with library.open("rb") as opened:
        elf = ELFFile(opened)
        dynamic, table = elf.get_section_by_name(".dynamic"), elf.get_section_by_name(".dynsym")
        assert isinstance(dynamic, DynamicSection)
        assert isinstance(table, SymbolTableSection)
        needed = {tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
        named = [symbol for symbol in table.iter_symbols() if symbol.name]
        wanted = {it.name for it in named if it["st_shndx"] == "SHN_UNDEF" and it["st_info"]["bind"] != "STB_WEAK"}
        return needed, wanted, {it.name for it in named if it["st_shndx"] != "SHN_UNDEF"}
