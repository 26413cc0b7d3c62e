"""The hooks of the site's build: pages by pattern, links that leave the guide, the table of hosts, the search."""

from __future__ import annotations

import logging
import os
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
CRATE = re.compile(r"crates/([a-z-]+)/src/lib\.rs")
SOURCE = "https://github.com/tenure-rs/tenure/blob/main"
RUST = re.compile(r"^```rust[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(r"^[ \t]*#(?: [^\n]*)?\n", re.MULTILINE)
LINK = re.compile(r"(\[[^\]]*\]\()(\.\./[^)\s]+)(\))")
BOOSTS = {
    **dict.fromkeys(("settings.md", "fresh.md", "budgets.md", "connections.md", "hosts/jupyter.md"), 2.0),
    **dict.fromkeys(("from/*.md", "migration.md", "rust/*.md"), 0.5),
}
"""How the search ranks pages: those with a rule first, those for whoever comes from elsewhere last.

Here and not at the top of the pages, where the host of the repository would show it as a table.
"""

log = logging.getLogger("mkdocs.hooks.tenure")
"""The hooks' own log: a warning in it fails a strict build."""


def on_config(config: Any) -> Any:
    """Puts in the place of each pattern of the navigation the pages that are there and stand nowhere else."""
    for pattern in BOOSTS:
        if not any(GUIDE.glob(pattern)):
            log.warning("the search ranks %s, which is not there", pattern)
    listed = set(_listed(config.nav))
    config.nav = _expanded(config.nav, listed)
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leads links that leave the guide to the repository, hides what only a test of Rust needs, and ranks the page."""
    for pattern, boost in BOOSTS.items():
        if fnmatch(page.file.src_uri, pattern):
            page.meta["search"] = {"boost": boost}
    here = (GUIDE / page.file.src_uri).parent

    def led(link: re.Match[str]) -> str:
        path, _, anchor = link[2].partition("#")
        target = (here / path).resolve()
        if target.is_relative_to(GUIDE):
            return link[0]
        if not target.exists():
            log.warning("%s links to %s, which is not there", page.file.src_uri, link[2])
        place = target.relative_to(ROOT)
        crate = CRATE.fullmatch(str(place))
        if crate and os.environ.get("TENURE_RUSTDOC"):
            # As HTML: MkDocs takes no link to what it has not built.
            return f'<a href="{_up(page.url)}rustdoc/{crate[1].replace("-", "_")}/index.html">{link[1][1:-2]}</a>'
        return f"{link[1]}{SOURCE}/{place}{'#' + anchor if anchor else ''}{link[3]}"

    if page.file.src_uri == "hosts/index.md":
        for host in sorted((GUIDE / "hosts").glob("*.md")):
            if host.name != "index.md" and f"({host.name}" not in markdown:
                log.warning("hosts/index.md has no row for %s", host.name)
    markdown = RUST.sub(lambda block: f"```rust\n{HIDDEN.sub('', block[1])}```", markdown)
    return LINK.sub(led, markdown)


def _up(url: str) -> str:
    """From a page to the top of the site."""
    return "../" * url.count("/")


def _listed(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in _listed(part)]


def _expanded(nav: Any, listed: set[str]) -> Any:
    if isinstance(nav, dict):
        return {title: _expanded(part, listed) for title, part in nav.items()}
    if not isinstance(nav, list):
        return nav
    found: list[Any] = []
    for part in nav:
        if isinstance(part, str) and "*" in part:
            pages = sorted(str(page.relative_to(GUIDE)) for page in GUIDE.glob(part))
            found += [page for page in pages if page not in listed]
        else:
            found.append(_expanded(part, listed))
    return found
