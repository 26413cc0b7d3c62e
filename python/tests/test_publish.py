"""The crates are published where the registry does not have them yet: with cargo, to a registry on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import registry as registries
from registry import Registry

ROOT = Path(__file__).resolve().parents[2]
CRATES = ("lower-crate", "upper-crate")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that cargo takes for its own."""
    with registries.running() as running:
        monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))
        monkeypatch.setenv("CARGO_REGISTRIES_HERE_INDEX", f"sparse+{running.address}/")
        monkeypatch.setenv("CARGO_REGISTRIES_HERE_TOKEN", "anything")
        monkeypatch.setenv("CARGO_REGISTRY_DEFAULT", "here")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("CARGO_TARGET_DIR", raising=False)
        yield running


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, which stands beside others with names of one word."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "scripts/package"))
    import publish as module

    yield module
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def workspace(tmp_path: Path, registry: Registry) -> Path:
    """Two crates, of which one needs the other, in a repository of their own."""
    folder = tmp_path / "workspace"
    shared = 'version = "1.0.0"\nedition = "2021"\nlicense = "MIT"\ndescription = "Of a test."\npublish = ["here"]\n'
    needs = '[dependencies]\nlower-crate = { path = "../lower-crate", version = "1.0.0", registry = "here" }\n'
    for name, more in zip(CRATES, ("", needs), strict=True):
        (folder / name / "src").mkdir(parents=True)
        (folder / name / "src/lib.rs").touch()
        (folder / name / "Cargo.toml").write_text(f'[package]\nname = "{name}"\n{shared}\n{more}')
    (folder / "Cargo.toml").write_text('[workspace]\nresolver = "2"\nmembers = ["lower-crate", "upper-crate"]\n')
    (folder / ".gitignore").write_text("target\n")
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    command(folder, "cargo", "generate-lockfile")
    command(folder, "git", "init", "--quiet", ".")
    command(folder, "git", "add", "--all")
    command(folder, "git", *who, "commit", "--quiet", "-m", "the first")
    return folder


def command(folder: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def built(workspace: Path) -> dict[str, Path]:
    """The crates as they were packed for the checks, in a folder that git does not know."""
    chosen = [word for name in CRATES for word in ("-p", name)]
    command(workspace, "cargo", "package", "--locked", "--allow-dirty", "--no-verify", *chosen)
    dist = workspace / "dist"
    dist.mkdir()
    return {
        name: Path(shutil.move(workspace / f"target/package/{name}-1.0.0.crate", dist / f"{name}-1.0.0.crate"))
        for name in CRATES
    }


def test_what_the_registry_has_not_is_published_in_order_and_a_second_run_publishes_nothing(
    publish: ModuleType,
    registry: Registry,
    workspace: Path,
    built: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish.publish(built, registry.address, workspace)
    assert registry.uploads == ["lower-crate", "upper-crate"]
    assert {name: registry.crates[f"{name}/1.0.0"] for name in CRATES} == {
        name: path.read_bytes() for name, path in built.items()
    }
    capsys.readouterr()
    publish.publish(built, registry.address, workspace)
    assert registry.uploads == ["lower-crate", "upper-crate"]
    assert capsys.readouterr().out.splitlines() == [
        "lower-crate-1.0.0.crate is there already, with the same bytes",
        "upper-crate-1.0.0.crate is there already, with the same bytes",
    ]


def test_a_run_after_one_that_stopped_half_way_publishes_the_rest(
    publish: ModuleType, registry: Registry, workspace: Path, built: dict[str, Path]
) -> None:
    registry.refused = {"upper-crate"}
    with pytest.raises(publish.Failed, match="too many new crates"):
        publish.publish(built, registry.address, workspace)
    assert list(registry.index) == ["lower-crate"]
    registry.refused = set()
    registry.uploads.clear()
    publish.publish(built, registry.address, workspace)
    assert registry.uploads == ["upper-crate"]


def test_other_bytes_under_the_same_version_end_it_before_anything_is_uploaded(
    publish: ModuleType, registry: Registry, workspace: Path, built: dict[str, Path]
) -> None:
    registry.add("upper-crate", "1.0.0", b"of somebody else", [])
    with pytest.raises(publish.Failed, match=r"upper-crate 1\.0\.0 is published with other bytes .* raise the version"):
        publish.publish(built, registry.address, workspace)
    assert registry.uploads == []


def test_a_version_that_was_taken_back_is_not_taken_for_a_published_one(
    publish: ModuleType, registry: Registry, workspace: Path, built: dict[str, Path]
) -> None:
    publish.publish(built, registry.address, workspace)
    registry.index["lower-crate"][0]["yanked"] = True
    with pytest.raises(publish.Failed, match=r"lower-crate 1\.0\.0 is published and yanked"):
        publish.publish(built, registry.address, workspace)


def test_another_version_of_a_crate_is_no_reason_to_leave_it_out(
    publish: ModuleType, registry: Registry, workspace: Path, built: dict[str, Path]
) -> None:
    registry.add("lower-crate", "0.9.0", b"the one before", [])
    publish.publish(built, registry.address, workspace)
    assert [line["vers"] for line in registry.index["lower-crate"]] == ["0.9.0", "1.0.0"]


def test_an_index_that_does_not_answer_is_not_an_empty_one(
    publish: ModuleType, registry: Registry, workspace: Path, built: dict[str, Path]
) -> None:
    registry.broken = True
    with pytest.raises(publish.Failed, match="answers 503: nothing can be said"):
        publish.publish(built, registry.address, workspace)
    assert registry.uploads == []


def test_what_is_packed_elsewhere_with_other_bytes_is_not_published(publish: ModuleType, tmp_path: Path) -> None:
    checked, packed = tmp_path / "lower-crate-1.0.0.crate", tmp_path / "again.crate"
    checked.write_bytes(b"checked")
    packed.write_bytes(b"packed by another cargo")
    publish.hold_to({"lower-crate": checked}, {"lower-crate": checked})
    with pytest.raises(publish.Failed, match=r"not what was checked: lower-crate-1\.0\.0\.crate"):
        publish.hold_to({"lower-crate": checked}, {"lower-crate": packed})


def test_a_folder_without_one_of_the_crates_is_refused(publish: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(publish.Failed, match=r"has 0 files tenure-digest-\*\.crate"):
        publish.main(tmp_path)
