"""The links of the README lead somewhere, on the registries' pages too."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://github.com/tenure-rs/tenure"
HERE = re.compile(
    rf"(?:{REPOSITORY}/(?:blob|tree)/main|https://raw\.githubusercontent\.com/tenure-rs/tenure/main)/([^#]+)#?(.*)"
)


def links() -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    return found


def headings(page: Path) -> set[str]:
    """The names under which GitHub has the headings of a page."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-") for line in lines}


def test_the_readme_has_no_link_that_only_a_checkout_can_follow() -> None:
    assert [link for link in links() if not link.startswith(("https://", "#"))] == []


def test_what_the_readme_links_to_in_the_repository_is_there() -> None:
    lost = []
    for link in links():
        if link.startswith("#"):
            lost += [] if link[1:] in headings(ROOT / "README.md") else [link]
        elif link.startswith((REPOSITORY, "https://raw.githubusercontent.com/tenure-rs")):
            within = HERE.fullmatch(link)
            there = within is not None and (ROOT / within[1]).exists()
            if not there or (within[2] and within[2] not in headings(ROOT / within[1])):
                lost.append(link)
    assert lost == []
