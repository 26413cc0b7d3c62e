"""IPython without a kernel: the shell that runs cells, its loop for top-level `await`, and its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from world import LOST

PROGRAM = '''
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(history_load_length=0)

def cell(text):
    done = shell.run_cell(text, store_history=True)
    done.raise_error()
    return done.result

cell("""
import asyncio, threading, tenure

gone = threading.Event()

def release(it):
    print("released", it[0])
    gone.set()
""")
CELL = """
@tenure.cache_resource(on_release=release)
def connect():
    print("built", "{text}")
    return ["{text}"]

it = connect()
"""
for text in ("first", "first", "second"):
    cell(CELL.format(text=text))
assert cell("gone.wait(60)")
for text in ("connect.info()", "tenure.info()", "tenure.explain(connect)", "tenure.holders(connect)"):
    told = shell.ev(text)
    assert shell.display_formatter.format(told)[0]["text/plain"] == str(told) != repr(told)

cell("""
@tenure.cache_resource(scope="loop")
async def pool():
    print("open")
    yield ["pool"]
    await asyncio.sleep(0)
    print("closed")
""")
cell("mine = await pool()")
assert cell("(await pool()) is mine") is True
'''


def test_f6_a3_cells_share_the_shells_loop_and_its_end_releases_everything(tmp_path: Path) -> None:
    """F3, F6, A3, L6"""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env={"IPYTHONDIR": str(tmp_path)}, capture_output=True, timeout=LOST
    )
    assert done.returncode == 0, done.stderr.decode()
    lines = [line for line in done.stdout.decode().splitlines() if not line.startswith("Out[")]
    assert lines == [
        "built first",
        "built second",
        "released first",
        "open",
        "closed",
        "released second",
    ]
