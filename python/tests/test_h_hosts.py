"""The hosts that the package knows are a table of names: another one needs nothing but its place there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OURS = """
from tenure.hosts import Host
import world

def find():
    return host

host = world.TestHost()
"""

ERRORS = """
from framework.errors import FrameworkError
from tenure import _native

class ScopeError(_native.ScopeError, FrameworkError):
    pass
"""

PROGRAM = """
import sys
import tenure
from tenure import _native

_native.register_host("ours", framework="framework.runtime", errors="framework.errors")

@tenure.cache_resource
def pool(url):
    return [url]

@tenure.cache_resource(scope="session")
def own():
    return []

def refused():
    try:
        own()
    except tenure.ScopeError as error:
        return [base.__name__ for base in type(error).__mro__]

pool("a")
print("FrameworkError" in refused(), "ours" in sys.modules, _native.get_host())
import framework.errors
print("FrameworkError" in refused(), "ours" in sys.modules, _native.get_host())
import framework.runtime
pool("b")
import ours
print(_native.get_host() is ours.host, ours.host.noted("begin") != [])
"""


def test_a_host_is_imported_once_the_program_has_imported_its_framework(tmp_path: Path) -> None:
    files = {
        "framework/__init__.py": "",
        "framework/runtime.py": "",
        "framework/errors.py": "class FrameworkError(Exception): pass",
        "ours/__init__.py": OURS,
        "ours/errors.py": ERRORS,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    places = f"import sys; sys.path[:0] = {[str(tmp_path), str(Path(__file__).parent)]!r}\n"
    done = subprocess.run([sys.executable, "-c", places + PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["False False None", "True True None", "True True"], done.stderr


FIRST = """
import sys, threading
import tenure
from tenure import _native
import framework.runtime

_native.register_host("ours", framework="framework.runtime")
gone = threading.Event()
CELL = "@cache_resource(on_release=lambda it: gone.set())\\ndef typed(): return ['{text}']\\ntyped()"
names = {"__name__": "__main__", "cache_resource": tenure.cache_resource, "gone": gone}

import ours
with ours.host.serving("ada"):
    for text in ("first", "second"):
        exec(compile(CELL.format(text=text), "<string>", "exec"), names)
    print(gone.wait(60))
"""


def test_f6_the_first_function_of_a_program_belongs_to_the_session_that_uses_it(tmp_path: Path) -> None:
    """F6: the host is found by then, so that an edit in the same session outdates it."""
    (tmp_path / "framework").mkdir()
    (tmp_path / "framework" / "__init__.py").touch()
    (tmp_path / "framework" / "runtime.py").touch()
    (tmp_path / "ours.py").write_text(OURS)
    places = f"import sys; sys.path[:0] = {[str(tmp_path), str(Path(__file__).parent)]!r}\n"
    done = subprocess.run([sys.executable, "-c", places + FIRST], capture_output=True, text=True, timeout=100)
    assert done.stdout == "True\n", done.stderr


def test_importing_tenure_imports_no_framework() -> None:
    code = "import sys, tenure; print([name for name in sys.modules if name.partition('.')[0] == 'streamlit'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
