"""Looks at the built site in headless Chromium, page by page, light and dark, on a laptop and on a phone.

A request that leaves the site, an error in the console, a page that is wider than a phone and a search that finds
nothing are faults. `look_at_docs.py SITE PICTURES [PAGE...]` puts a picture of each look into PICTURES.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SIZES = {"laptop": (1280, 900), "phone": (390, 844)}


class Quiet(SimpleHTTPRequestHandler):
    """The site's own server, without a line for each request."""

    def log_message(self, *_: object) -> None:
        pass


def look(browser: Browser, origin: str, page: str, pictures: Path) -> list[str]:
    """The faults of one page in all its looks."""
    faults: list[str] = []
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            tab = context.new_page()
            asked: list[str] = []
            said: list[str] = []
            tab.on("request", lambda it, asked=asked: asked.append(it.url))
            tab.on("console", lambda it, said=said: said.append(it.text) if it.type == "error" else None)
            tab.on("pageerror", lambda it, said=said: said.append(str(it)))
            tab.goto(f"{origin}/{page}", wait_until="networkidle")
            faults += [f"{page}: {it}" for it in said]
            faults += [f"{page} asks for {url}" for url in asked if not url.startswith((origin, "data:", "blob:"))]
            wide = tab.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                faults.append(f"{page} is {wide} wide on a {size} of {width}")
            tab.screenshot(path=pictures / f"{page.strip('/').replace('/', '-') or 'index'}-{size}-{scheme}.png")
            context.close()
    return faults


def search(browser: Browser, origin: str) -> list[str]:
    """The faults of the search."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(f"{origin}/", wait_until="networkidle")
    tab.keyboard.press("/")
    tab.keyboard.type("discard", delay=20)
    tab.wait_for_selector(".md-search-result__item", timeout=10_000)
    found = tab.locator(".md-search-result__item").count()
    context.close()
    return [] if found else ["the search finds nothing for `discard`"]


def main(site: str, folder: str, *pages: str) -> int:
    pictures = Path(folder)
    pictures.mkdir(parents=True, exist_ok=True)
    there = sorted(str(page.parent.relative_to(site)) for page in Path(site).rglob("index.html"))
    wanted = [page for page in there if not page.startswith("rustdoc")] if not pages else list(pages)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    chromium = os.environ.get("TENURE_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        faults = search(browser, origin)
        for page in wanted:
            faults += look(browser, origin, "" if page == "." else f"{page}/", pictures)
        browser.close()
    server.shutdown()
    print(*faults, sep="\n")
    print(f"{len(wanted)} pages, {len(SIZES) * 2} looks each, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
