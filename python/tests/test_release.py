"""What stands around a release: its checks, the release before it, and the targets that the texts name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLERS = [
    *sorted((ROOT / ".github/workflows").glob("*.yml")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "RELEASING.md", "CHANGELOG.md")),
]


def targets() -> set[str]:
    """The targets of the Makefile that someone could call, `%` for any name."""
    lines = re.findall(r"^([a-z][a-z0-9.% -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {target for line in lines for target in line.split()}


def called(text: str) -> set[str]:
    """What follows `make` where it is a command: quoted, at the beginning of a line, or after `run:`."""
    return set(re.findall(r"(?:`|^ *|run: )(?:[A-Z_]+=\S+ )*make ([a-z][a-z0-9.-]*)", text, re.MULTILINE))


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_is_there(path: Path) -> None:
    patterns = [re.escape(target).replace("%", ".+") for target in targets()]
    missing = [name for name in called(path.read_text()) if not any(re.fullmatch(it, name) for it in patterns)]
    assert missing == []


def test_a_target_is_found_in_each_form_of_a_call() -> None:
    text = "`make audit`\nmake test   # all\n      - run: make package\n`TENURE_AUDIT=all make lint`, to make sure"
    assert called(text) == {"audit", "test", "package", "lint"}
    assert {"audit", "package", "python-3.%", "test"} <= targets()


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A new repository with one commit."""
    git(tmp_path, "init", "--initial-branch=main", ".")
    git(tmp_path, "commit", "--allow-empty", "-m", "the first")
    return tmp_path


def last_release(folder: Path) -> str:
    script = ROOT / "scripts/last-release"
    return subprocess.run([script], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_first_release_is_compared_with_nothing(repository: Path) -> None:
    assert last_release(repository) == ""
    git(repository, "commit", "--allow-empty", "-m", "the second")
    git(repository, "tag", "v0.1.0")
    assert last_release(repository) == ""


def test_a_tagged_commit_is_compared_with_the_release_before_it(repository: Path) -> None:
    git(repository, "tag", "v0.1.0")
    git(repository, "commit", "--allow-empty", "-m", "the second")
    assert last_release(repository) == "v0.1.0"
    git(repository, "tag", "v0.2.0")
    assert last_release(repository) == "v0.1.0"
    git(repository, "commit", "--allow-empty", "-m", "the third")
    assert last_release(repository) == "v0.2.0"


def test_a_clone_without_history_is_refused(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "--allow-empty", "-m", "the second")
    git(tmp_path, "clone", "--depth=1", repository.as_uri(), "shallow")
    done = subprocess.run([ROOT / "scripts/last-release"], cwd=tmp_path / "shallow", capture_output=True, text=True)
    assert done.returncode == 1
    assert "git fetch --unshallow --tags" in done.stderr


MANIFEST = """
[workspace.package]
version = "0.1.0"

[workspace.dependencies]
tenure = { path = "crates/tenure", version = "0.1.0" }
"""


@pytest.fixture
def release(repository: Path) -> Path:
    """A repository that can be released as v0.1.0."""
    (repository / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/release-check", repository / "scripts")
    (repository / "Cargo.toml").write_text(MANIFEST)
    (repository / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [0.1.0] - 2026-01-31\n")
    (repository / "README.md").write_text("# Tenure\n\n    pip install tenure\n")
    git(repository, "add", "--all")
    return repository


def check(folder: Path, tag: str = "v0.1.0") -> tuple[int, str]:
    done = subprocess.run([folder / "scripts/release-check", tag], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_tag_that_fits_can_be_released(release: Path) -> None:
    assert check(release) == (0, "v0.1.0 can be released\n")


def test_another_tag_than_the_version_is_refused(release: Path) -> None:
    assert check(release, "v0.2.0") == (
        1,
        "the tag is v0.2.0, and Cargo.toml has version 0.1.0: the tag of this version is v0.1.0\n",
    )


def test_a_crate_that_asks_for_another_version_is_refused(release: Path) -> None:
    (release / "Cargo.toml").write_text(MANIFEST.replace('tenure", version = "0.1.0"', 'tenure", version = "0.0.9"'))
    code, said = check(release)
    assert code == 1
    assert 'version = "0.0.9"' in said


@pytest.mark.parametrize(
    "sentence",
    [
        "pip install tenure        # from PyPI, once it is there",
        "Until then it comes from this checkout: `make wheel` builds a wheel",
        'tenure = { path = "/home/you/tenure/crates/tenure" }    # or "0.1", once it is on crates.io',
        "Neither PyPI nor crates.io has Tenure yet.",
        "Tenure comes from a checkout, since crates.io does not have it yet (see",
        'tenure-fleet = { path = "/home/you/tenure/crates/tenure-fleet" }',
    ],
)
def test_no_text_of_a_release_says_that_it_is_not_out_yet(release: Path, sentence: str) -> None:
    (release / "README.md").write_text(f"# Tenure\n\n{sentence}\n")
    code, said = check(release)
    assert code == 1
    assert f"README.md:3:{sentence}" in said


def test_the_pages_that_change_with_the_first_release_are_listed() -> None:
    """RELEASING.md names each page on which the check would fail."""
    script = (ROOT / "scripts/release-check").read_text()
    [pattern] = re.findall(r"^before='(.*)'$", script, re.MULTILINE)
    [pages] = re.findall(r"git grep -niE \"\$before\" -- (.*); then", script)
    words = [word.strip("'") for word in pages.split()]
    found = subprocess.run(["git", "grep", "-liE", pattern, "--", *words], cwd=ROOT, capture_output=True, text=True)
    text = (ROOT / "RELEASING.md").read_text()
    assert [page for page in found.stdout.split() if page not in text] == []


def test_what_is_published_by_hand_is_packed_by_the_workflow_s_rust() -> None:
    """RELEASING.md reads it from the workflow, in which every job that calls cargo installs it."""
    [line] = re.findall(r"^export RUSTUP_TOOLCHAIN=\$\((.*)\)$", (ROOT / "RELEASING.md").read_text(), re.MULTILINE)
    read = subprocess.run(["bash", "-c", line], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", read)
    workflow = (ROOT / ".github/workflows/release.yml").read_text()
    jobs = re.split(r"^  (?=[a-z-]+:$)", workflow.split("\njobs:\n")[1], flags=re.MULTILINE)
    calling = [job for job in jobs if re.search(r"run: .*(make |publish\.py)", job)]
    assert [job.split(":")[0] for job in calling] == ["check", "packages", "crates-io"]
    assert [job for job in calling if 'rustup toolchain install "$RUSTUP_TOOLCHAIN"' not in job] == []
    assert "rustup update" not in workflow
