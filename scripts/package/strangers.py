"""Someone without the tree: a new environment, and what the README shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from steps import ROOT, run


def environment(of: Path, folder: Path) -> Path:
    """Makes a new environment in a new folder and gives its interpreter."""
    folder.mkdir(parents=True)
    run(ROOT / "scripts/make-venv", of, folder / "venv", cwd=ROOT)
    return folder / "venv/bin/python"


def run_readme(python: Path, folder: Path) -> None:
    for code in blocks("python"):
        run(python, "-W", "error", "-c", code, cwd=folder)


def blocks(language: str) -> list[str]:
    """The blocks of the README in a language."""
    found = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    if not found:
        sys.exit(f"README.md shows no {language}")
    return found


if __name__ == "__main__":
    # With the interpreter of an environment made elsewhere: python scripts/package/strangers.py
    run_readme(Path(sys.executable), Path.cwd())
