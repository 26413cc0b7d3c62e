"""Jupyter: cells that run again, top-level `await`, interrupts, and every way in which a kernel ends.

A kernel is driven as a notebook drives it, through its shell, control and debugger channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import PREAMBLE, Kernel, running

CELL = """
@tenure.cache_resource(on_release=lambda it: note("released", it[0]))
def connect(number=1):
    note("built", "{text}")
    return ["{text}"]

connect()
"""


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with running(tmp_path_factory.mktemp("kernel")) as kernel:
        yield kernel


@pytest.fixture
def kernel(common: Kernel) -> Kernel:
    """A kernel that goes on after the test."""
    common.begin()
    return common


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel that the test may end."""
    with running(tmp_path) as kernel:
        yield kernel


def test_f3_f6_a_cell_that_runs_again_keeps_its_resource_and_an_edited_one_releases_it(kernel: Kernel) -> None:
    for _ in range(2):
        assert kernel.run(CELL.format(text="first")) == "['first']"
    assert kernel.notes() == ["built first"]
    assert kernel.run(CELL.format(text="second")) == "['second']"
    kernel.await_note("released first")
    assert kernel.run("connect.info().builds, connect.info().entries") == "(1, 1)"
    assert kernel.notes().count("built second") == 1


def test_f7_what_stands_in_one_cell_stands_side_by_side(kernel: Kernel) -> None:
    """F7, F3: IPython compiles each statement by itself, and no function lives between two runs of the cell."""
    lambdas = "cr = tenure.cache_resource(on_release=lambda it: note('released', it))\n" + "".join(
        f"{name} = cr(lambda: note('built', {name!r}) or {name!r})()\n" for name in ("pool", "model")
    )
    named = "\n".join(
        f"@cr\ndef twice():\n    note('built', {name!r})\n    return {name!r}\n{name} = twice()"
        for name in ("one", "other")
    )
    for _ in range(3):
        kernel.run(lambdas)
        kernel.run(named)
    # Lambdas of another cell take no name of theirs.
    kernel.run("third = cr(lambda: note('built', 'third') or 'third')()")
    kernel.run("import gc; _ = gc.collect()")
    assert kernel.notes() == ["built pool", "built model", "built one", "built other", "built third"]


def test_f6_an_edit_is_seen_while_the_debugger_writes_each_cell_to_a_file(kernel: Kernel) -> None:
    """F3, F6: a cell that has a file is typed all the same, and its next version has another file."""
    assert kernel.debug("initialize", {"adapterID": "", "pathFormat": "path"})["success"]
    assert kernel.debug("attach", {})["success"]
    for text in ("first", "first", "second"):
        cell = CELL.format(text=text)
        file = kernel.debug("dumpCell", {"code": cell})["body"]["sourcePath"]
        assert Path(file).read_text() == cell
        assert kernel.run(cell) == f"['{text}']"
        assert kernel.run(f"connect.__wrapped__.__code__.co_filename == {file!r}") == "True"
    kernel.await_note("released first")
    assert kernel.notes().count("built first") == 1


def test_f3_what_is_deleted_or_reset_stays_until_it_is_cleared_and_is_found_again(kernel: Kernel) -> None:
    """F3, F8: nothing tells `del` from a script that is over; a name is not the resource."""
    kernel.run(CELL.format(text="it"))
    kernel.run("del connect\n%reset -f\nimport gc; _ = gc.collect()")
    kernel.run(PREAMBLE)
    assert kernel.run(CELL.format(text="it")) == "['it']"
    assert kernel.notes() == ["built it"]
    # Under another name it is another function, and the old one stays.
    kernel.run(CELL.format(text="other").replace("connect", "dial"))
    assert kernel.notes() == ["built it", "built other"]
    kernel.run("connect.clear(); dial.clear()")
    assert sorted(kernel.notes()[2:]) == ["released it", "released other"]


MODULE = """
import tenure

@tenure.cache_resource(on_release=lambda it: open("notes", "a").write(f"released {{it[0]}}\\n"))
def connect():
    return ["{text}"]
"""


@pytest.mark.parametrize("mode", [2, 3])
def test_f6_autoreload_releases_what_the_old_version_of_a_module_held(
    kernel: Kernel, tmp_path: Path, mode: int
) -> None:
    name = f"parts_{mode}"
    file = tmp_path / f"{name}.py"
    file.write_text(MODULE.format(text="first"))
    kernel.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n%load_ext autoreload\n%autoreload {mode}")
    kernel.run(f"import {name} as parts\nfrom {name} import connect")
    assert kernel.run("parts.connect(), connect()") == "(['first'], ['first'])"
    file.write_text(MODULE.format(text="the second"))
    assert kernel.run("parts.connect()") == "['the second']"
    # A name that was imported stays what it was, and in use, until it is imported again.
    assert kernel.run("connect()") == "['first']"
    assert kernel.notes() == []
    kernel.run(f"from {name} import connect\n%autoreload 0")
    assert kernel.run("connect()") == "['the second']"
    kernel.await_note("released first")


LOOP = """
@tenure.cache_resource(scope="{scope}")
async def {name}():
    yield note("open {name}") or ["{name}"]
    await asyncio.sleep(0.01)           # a goodbye over the network
    note("closed {name}")
"""


def test_a3_cells_that_await_share_the_kernels_loop_and_its_end_releases_on_it(own: Kernel) -> None:
    """A3, L6: a kernel runs one loop from its start to its end, and leaves it standing still."""
    for name, scope in {"pool": "loop", "client": "global", "second": "loop"}.items():
        own.run(LOOP.format(name=name, scope=scope))
        assert own.run(f"mine_{name} = await {name}()") == ""
    assert own.run("(await pool()) is mine_pool, (await client()) is mine_client") == "(True, True)"
    own.shut_down()
    opened = [note.removeprefix("open ") for note in own.notes() if note.startswith("open ")]
    closed = [note.removeprefix("closed ") for note in own.notes() if note.startswith("closed ")]
    assert opened == ["pool", "client", "second"]
    assert closed == ["second", "client", "pool"]


def test_s3_a_notebook_has_no_sessions(kernel: Kernel) -> None:
    shown = kernel.run('@tenure.cache_resource(scope="session")\ndef mine(): return []\n\nmine()')
    assert shown.startswith("!ScopeError: ")
    assert 'scope="global"' in shown


def test_h3_a_long_build_shows_nothing_and_what_it_shows_itself_is_not_shown_again(kernel: Kernel) -> None:
    """H3: the cell shows by itself that it runs; and a process without a host records nothing."""
    kernel.run(
        '@tenure.cache_resource(show_time=True)\ndef load():\n    time.sleep(1.2)\n    print("loaded")\n    return []'
    )
    assert kernel.run("it = load()") == "loaded\n"
    assert kernel.run("it = load()") == ""


def test_c4_an_interrupt_ends_a_build_and_a_wait(kernel: Kernel) -> None:
    kernel.run("""
go = threading.Event()

@tenure.cache_resource
def load(name):
    note("begins", name)
    assert go.wait(60)
    return [name]

def told_by():
    while load.info().waiting == 0:
        time.sleep(0.001)
    note("waits")
""")
    assert kernel.interrupt_at("begins one", "load('one')").startswith("!KeyboardInterrupt")
    kernel.run("other = threading.Thread(target=load, args=('two',)); other.start()")
    kernel.await_note("begins two")
    assert kernel.interrupt_at("waits", "threading.Thread(target=told_by).start()\nload('two')").startswith(
        "!KeyboardInterrupt"
    )
    # The other thread's build goes on, and nothing is poisoned.
    assert kernel.run("go.set(); other.join(); load('two'), load('one')") == "(['two'], ['one'])"
    assert kernel.notes().count("begins two") == 1


def test_l5_what_ipython_keeps_counts_as_use_until_the_drain_is_over(kernel: Kernel) -> None:
    """L5: the results that `Out` and `_` hold, and the frames of the last traceback."""
    kernel.run("""
class Line: pass

@tenure.cache_resource(drain="1h", on_release=lambda it: note("released", it.name))
def dial(name):
    line = Line()
    line.name = name
    return line
""")
    kernel.run("dial('shown')")
    kernel.run("it = dial('unshown'); del it")
    kernel.run("def fails(line): 1 / 0\n\nit = dial('raised')\nfails(it)")
    kernel.run("del it")
    assert kernel.run("dial.clear(); dial.info().draining") == "2"
    assert kernel.notes() == ["released unshown"]
    # The next traceback takes the place of the last one, whose frames are a cycle by then.
    kernel.run("1 / 0")
    kernel.run("import gc; gc.collect()")
    kernel.await_note("released raised")
    # In this order: `%reset out` leaves the last three results where only IPython finds them.
    for number in range(3):
        kernel.run(str(number))
    kernel.run("%reset -f out")
    kernel.await_note("released shown")


BUILD = CELL.format(text="it")


def assert_released_once(own: Kernel) -> None:
    counted = Counter(own.notes())
    assert counted["built it"] == counted["released it"] == 1, counted


def test_l6_a_restart_releases_everything_and_begins_anew(own: Kernel) -> None:
    own.run(BUILD)
    own.restart()
    assert_released_once(own)
    assert own.run("'tenure' in globals()") == "False"


@pytest.mark.parametrize("stubborn", [False, True], ids=["a cell that can be interrupted", "a cell that cannot"])
def test_l6_a_kernel_that_is_shut_down_while_a_cell_runs_releases_everything(own: Kernel, stubborn: bool) -> None:
    """L6: the manager interrupts the cell, asks, and sends SIGTERM half of its time later."""
    own.run(BUILD)
    catch = "Exception" if not stubborn else "KeyboardInterrupt"
    cell = f"note('runs')\nwhile True:\n    try:\n        time.sleep(60)\n    except {catch}:\n        pass"
    own.client.execute(cell)
    own.await_note("runs")
    own.shut_down()
    assert_released_once(own)


def test_l6_a_release_that_takes_longer_than_the_request_is_waited_for(own: Kernel) -> None:
    """L6: SIGTERM comes while it runs, and starts no second one."""
    own.run(BUILD.replace("lambda it: note(", "lambda it: time.sleep(3) or note("))
    own.shut_down()
    assert_released_once(own)
