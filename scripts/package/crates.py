"""The crates: packed, with the tests that each brings, and used by a new program."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import contents
import source
import strangers
from steps import ROOT, Failed, run, step

# In the order in which they are published: each needs only those before it.
CRATES = ("tenure-digest", "tenure-duration", "tenure-macros", "tenure", "tenure-tower", "tenure-fleet")


def pack(out: Path, work: Path) -> dict[str, Path]:
    """The crates as files, by their names. What was packed is compiled below, from these files alone."""
    chosen = [word for crate in CRATES for word in ("-p", crate)]
    packed = {}
    with step("the crates, packed"):
        shutil.rmtree(work / "pack", ignore_errors=True)
        run(
            *("cargo", "package", "--locked", "--allow-dirty", "--no-verify", "--target-dir", work / "pack", *chosen),
            cwd=ROOT,
        )
        for crate in CRATES:
            [path] = (work / "pack/package").glob(f"{crate}-[0-9]*.crate")
            packed[crate] = Path(shutil.copy(path, out))
    return packed


def check(packed: dict[str, Path], folder: Path, work: Path) -> None:
    """Unpacks the crates beside each other, runs what each brings of tests, and has a new program use them."""
    unpacked = {name: source.unpacked(path, work / "crates" / name) for name, path in packed.items()}
    for name, crate in unpacked.items():
        contents.check_crate(name, crate)
        (crate / "Cargo.lock").unlink(missing_ok=True)
    # As if they were on crates.io, where nothing is yet.
    patches = "".join(f'{name} = {{ path = "{crate}" }}\n' for name, crate in unpacked.items())
    members = ", ".join(f'"{crate}"' for crate in unpacked.values())
    workspace = work / "crates/Cargo.toml"
    workspace.write_text(f'[workspace]\nresolver = "3"\nmembers = [{members}]\n\n[patch.crates-io]\n{patches}')
    shutil.copy(ROOT / "Cargo.lock", workspace.parent)
    env = {"CARGO_TARGET_DIR": str(work / "crates-built"), "CARGO_PROFILE_DEV_DEBUG": "false"}
    with step("the crates: their own tests, from the packed files"):
        run(
            "cargo", "test", "--quiet", "--workspace", "--all-features", "--no-fail-fast", cwd=workspace.parent, env=env
        )
    with step("a new cargo project on the crates: what the README shows"):
        folder.mkdir()
        config = folder / "patches.toml"
        config.write_text(f"[patch.crates-io]\n{patches}")
        run_readme(folder, config, env)


def run_readme(folder: Path, config: Path, env: dict[str, str]) -> None:
    [code] = strangers.blocks("rust")
    run("cargo", "new", "--quiet", "--vcs", "none", "newcomer", cwd=folder)
    newcomer = folder / "newcomer"
    # As `cargo add` writes them, which looks on crates.io alone.
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    with (newcomer / "Cargo.toml").open("a") as manifest:
        manifest.writelines(f'{name} = "{version}"\n' for name in ("tenure", "tenure-tower", "tenure-fleet"))
    (newcomer / "src/main.rs").write_text(f"use tenure_fleet as _;\nuse tenure_tower as _;\n{code}")
    said = run("cargo", "--config", config, "run", "--quiet", cwd=newcomer, env=env)
    if said.splitlines() != ["db://here is closed"]:
        raise Failed(f"the README's program wrote {said!r}")
