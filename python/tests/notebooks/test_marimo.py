"""marimo: cells that run again, several who have one app open, and the ends of kernels and servers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from browsing import Tab, serving

from world import until

NOTEBOOK = """
import marimo

app = marimo.App()

@app.cell
def begin():
    import asyncio, os, threading, time
    import marimo as mo
    import tenure

    def note(*what):
        with open("notes", "a") as notes:
            notes.write(" ".join(map(str, what)) + "\\n")
    return asyncio, mo, note, os, tenure, threading, time

@app.cell
def resources(note, tenure):
    def right(it):
        return bool(note) and it.is_open

    class Thing:
        def __init__(self, name):
            self.name, self.is_open = name, True
            note("built", name)

        def close(self):
            assert self.is_open
            self.is_open = False
            note("released", self.name)

    @tenure.cache_resource(validate=right, on_release=Thing.close)
    def common():
        return Thing("common")

    @tenure.cache_resource(scope="session", on_release=Thing.close)
    def own():
        return Thing("own")
    return common, own

@app.cell
async def loop(asyncio, note, tenure):
    @tenure.cache_resource(scope="loop")
    async def pool():
        yield note("open pool")
        await asyncio.sleep(0.01)
        note("closed pool")

    await pool()
    return (pool,)

@app.cell
def choice(mo):
    slider = mo.ui.slider(1, 10)
    slider
    return (slider,)

@app.cell
def use(common, mo, note, own, slider):
    seen = []
    thread = mo.Thread(target=lambda: seen.append(own()))
    thread.start()
    thread.join()
    assert seen == [own()]
    f"{id(common())} {id(own())} {slider.value} {common().is_open}"
    return

@app.cell
def late(common, mo, note, os, own, time):
    def go_on():
        while not os.path.exists("go"):
            time.sleep(0.01)
        note("late", own().is_open and common().is_open)

    mo.Thread(target=go_on, daemon=True).start()
    return

if __name__ == "__main__":
    app.run()
"""


def ids(tab: Tab) -> list[str]:
    found = re.findall(r"\d+ \d+ \d+ \w+", tab.shows("use"))
    assert found, tab.shown
    return str(found[0]).split()


def assert_all_released(notes: list[str]) -> None:
    counted = Counter(notes)
    for name in ("common", "own"):
        assert counted[f"built {name}"] == counted[f"released {name}"], notes
    assert counted["open pool"] == counted["closed pool"], notes


def test_s2_who_has_an_app_open_is_a_session_and_what_is_global_is_shared(tmp_path: Path) -> None:
    """S1, S2, A3, L1, L6: also once the first of them has gone, whose kernel has defined the callbacks."""
    with serving(tmp_path, NOTEBOOK, "run", "--session-ttl", "0") as server:
        with server.open("ada") as ada:
            first = ids(ada)
            with server.open("ben") as ben:
                second = ids(ben)
                assert second[0] == first[0]
                assert second[1] != first[1]
                slider = re.search(r"object-id='([^']+)'", ben.shows("choice"))
                assert slider is not None
                ben.set(slider[1], 7)
                assert ids(ben) == [second[0], second[1], "7", "True"]
            server.await_note("released own")
            server.await_note("closed pool")
        server.await_note("released own", 2)
        server.await_note("closed pool", 2)
        # Nobody has it open.
        assert server.notes().count("released common") == 0
        with server.open("cleo") as cleo:
            assert ids(cleo)[0] == first[0]
        server.await_note("released own", 3)
        # What still runs for those who have gone builds for nobody.
        (tmp_path / "go").touch()
        server.await_note("late True", 3)
        server.await_note("released own", 6)
        server.stop()
        assert_all_released(server.notes())
        assert server.notes().count("built common") == 1


def test_f6_an_edited_cell_releases_what_its_old_version_held(tmp_path: Path) -> None:
    """F3, F6, C4, L6: in the editor, whose kernel is a process of its own."""
    with serving(tmp_path, NOTEBOOK, "edit") as server:
        with server.open("ada") as ada:
            before = ids(ada)
            ada.run(resources=ada.codes["resources"])
            assert ids(ada) == before
            # A cell before it: the functions are the same, and so are their resources.
            ada.run(begin=ada.codes["begin"])
            assert ids(ada) == before
            assert Counter(server.notes())["built common"] == 1
            ada.run(resources=ada.codes["resources"].replace('Thing("common")', 'Thing("better")'))
            assert ids(ada)[0] != before[0]
            server.await_note("released common")
            built = Counter(server.notes())
            assert (built["built better"], built["released better"]) == (1, 0)

            ada.begin(use="@tenure.cache_resource\ndef slow():\n    note('begins')\n    time.sleep(600)\n\nslow()")
            server.await_note("begins")
            ada.ask("interrupt")
            ada.ended()
            ada.ask("restart_session")
        server.await_note("released better")
        server.await_note("released own")
        with server.open("ada") as ada:
            assert ids(ada)
        server.stop()
        until(lambda: server.notes().count("released common") == 2)
        assert_all_released(server.notes())


def test_s3_a_notebook_that_runs_as_a_script_has_no_session(tmp_path: Path) -> None:
    """S3: who runs it from a program may do so for anybody."""
    (tmp_path / "app.py").write_text(NOTEBOOK)
    done = subprocess.run([sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "ScopeError" in done.stderr
    notes = (tmp_path / "notes").read_text().splitlines()
    assert "built own" not in notes
    assert_all_released(notes)


EXAMPLE = Path(__file__).parents[3] / "examples" / "marimo" / "app.py"


@pytest.fixture
def example() -> str:
    return EXAMPLE.read_text()


def test_the_example_keeps_one_catalogue_for_all_and_a_basket_for_each(tmp_path: Path, example: str) -> None:
    """S1, S2"""
    with serving(tmp_path, example, "run", "--session-ttl", "0") as server:
        with server.open("ada") as ada, server.open("ben") as ben:
            element: Any = re.search(r"object-id='([^']+)'", ada.shows("choice"))
            ada.set(element[1], ["clover"])
            assert "packets of clover, from 80 cents. Looked at: poppy, clover." in ada.shows("offer")
            assert "packets of poppy, from 80 cents. Looked at: poppy." in ben.shows("offer")
        until(lambda: sorted(re.findall(r"gone with \d", server.said())) == ["gone with 1", "gone with 2"])
        server.stop()
        assert "Traceback" not in server.said()
