"""Links in the repository's Markdown lead somewhere, with the anchors that GitHub gives headings.

The site's build checks the guide alone, and by its own rules; these are the links as they are read beside the code.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"target", "node_modules"}
FILES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not path.is_symlink()
    and not any(part in GENERATED or part.startswith(".") for part in path.relative_to(ROOT).parts)
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"#{1,6} +(.*?)#*$")
ON_THE_WEB = (
    "https://github.com/tenure-rs/tenure/blob/main/",
    "https://github.com/tenure-rs/tenure/tree/main/",
    "https://raw.githubusercontent.com/tenure-rs/tenure/main/",
)


def prose(path: Path) -> list[str]:
    """The lines outside of code blocks."""
    lines, inside = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            lines.append(line)
    return lines


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of a page: a heading's text in lower case, without signs, with dashes for spaces."""
    found: set[str] = set()
    for line in prose(path):
        if heading := HEADING.match(line):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            taken = sum(1 for it in found if it == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", it))
            found.add(f"{slug}-{taken}" if taken else slug)
        found |= set(re.findall(r'<a id="([^"]+)"', line))
    return found


def dead(path: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in LINK.findall("\n".join(re.sub(r"`[^`]*`", "``", line) for line in prose(path))):
        place, _, anchor = link.partition("#")
        on_the_web = next(filter(place.startswith, ON_THE_WEB), None)
        if on_the_web is not None:
            target = ROOT / place.removeprefix(on_the_web)
        elif re.match(r"[a-z]+:", place):
            continue
        else:
            target = (path.parent / place).resolve() if place else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    assert dead(path) == []


def test_the_readme_has_no_link_that_only_a_checkout_can_follow() -> None:
    """The registries show it by itself."""
    links = LINK.findall("\n".join(prose(ROOT / "README.md")))
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_what_code_says_of_the_guide_is_there() -> None:
    missing = []
    for folder, kind in (("crates", "*.rs"), ("python/src", "*.rs"), ("python/tenure", "*.py"), ("examples", "*.*")):
        for path in (ROOT / folder).rglob(kind):
            if path.suffix in {".rs", ".py", ".toml"}:
                for page, anchor in re.findall(r"docs/guide/([\w/.-]+\.md)(?:#([\w-]+))?", path.read_text("utf-8")):
                    target = ROOT / "docs" / "guide" / page
                    if not target.exists() or (anchor and anchor not in anchors(target)):
                        missing.append(f"{path.relative_to(ROOT)}: {page}#{anchor}")
    assert missing == []


def test_a_dead_link_and_a_dead_anchor_are_seen(tmp_path: Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# Read: `this`, now\n")
    page.write_text("[a](other.md#read-this-now) [b](other.md#that) [c](none.md)\n```\n[d](no.md)\n```\n`[e](no.md)`\n")
    assert dead(page) == ["other.md#that", "none.md"]
