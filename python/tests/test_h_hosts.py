"""The hosts that the package knows are a table of names: another one needs nothing but its place there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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

import ours
runs = []
with ours.host.serving("ada"):
    for text in ("first", "second"):
        # Both stay, so that no run takes the other's address, by which it would be the same one.
        names = {"__name__": "__main__", "cache_resource": tenure.cache_resource, "gone": gone}
        runs.append(names)
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


NO_SESSION = """
import sys, types
import tenure

@tenure.cache_resource(scope="session")
def own():
    return []

def refused():
    try:
        own()
    except tenure.ScopeError as error:
        return str(error)

print(refused())
sys.modules["framework"] = types.ModuleType("framework")
ours = sys.modules["ours"] = types.ModuleType("ours")
ours.ADVICE = "In the framework call it in a page."
tenure.hosts.FRAMEWORKS["framework"] = "ours"
print(refused())
sys.modules["ipykernel"] = types.ModuleType("ipykernel")
print(refused())
"""


def test_s3_where_there_is_no_session_the_error_says_what_to_write_in_the_programs_own_framework() -> None:
    done = subprocess.run([sys.executable, "-c", NO_SESSION], capture_output=True, text=True, timeout=60)
    without, within, notebook = done.stdout.splitlines()
    assert "`app.add_middleware(tenure.asgi.Middleware)` in FastAPI" in without
    assert "`served = tenure.asgi.Middleware(app)`" in without
    assert "In Streamlit" in without
    assert "runs in no session. In the framework call it in a page. On an ASGI server" in within
    assert within.endswith('Or use scope="global".')
    assert notebook.endswith('The kernel of a notebook has one user, and no sessions. Use scope="global".')


IMPORTED = """
import sys, types
import tenure

for name in sys.argv[1:]:
    sys.modules[name] = types.ModuleType(name)

@tenure.cache_resource(scope="session")
def own():
    return []

try:
    own()
except tenure.ScopeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("imported", "said"),
    [
        (["flask"], ["In Flask", "@app.teardown_request"]),
        (["celery"], ["In a Celery task", "signals.task_postrun"]),
        (["django"], ["In Django under WSGI", "tenure.end_scope(value)"]),
        (["celery", "django"], ["In a Celery task", "In Django under WSGI"]),
        (["django", "django.core.asgi"], ["In Django under WSGI", "On an ASGI server"]),
        (["flask", "fastapi"], ["In Flask", "On an ASGI server"]),
        (["flask", "quart"], ["On an ASGI server"]),
        (["fastapi"], ["On an ASGI server"]),
        (["streamlit", "starlette"], ["In Streamlit", "On an ASGI server"]),
        (["streamlit"], ["In Streamlit"]),
    ],
    ids=lambda it: " ".join(it),
)
def test_s3_the_error_says_what_to_write_where_a_framework_has_no_sessions(
    imported: list[str], said: list[str]
) -> None:
    """S3: who is told to put a middleware around an app of Flask gets one that cannot be called."""
    done = subprocess.run([sys.executable, "-c", IMPORTED, *imported], capture_output=True, text=True, timeout=60)
    assert all(it in done.stdout for it in said), done.stdout + done.stderr
    others = {"In Flask", "In a Celery task", "In Django", "On an ASGI server", "In Streamlit"}
    assert not any(it in done.stdout for it in others if not any(it in these for these in said)), done.stdout
    assert done.stdout.endswith('Or use scope="global".\n')


SEVERAL = """
import sys, types
from tenure import _native, hosts
import tenure
from tenure.hosts import sessions

@tenure.cache_resource(scope="session")
def own():
    return []

around, within = sessions.Session("around"), sessions.Session("within")
with sessions.serving(sessions.Visit(around)):
    first = own()
    framework = sys.modules["framework"] = types.ModuleType("framework")
    ours = sys.modules["ours"] = types.ModuleType("ours")
    ours.ADVICE = ""
    ours.present = lambda: None
    hosts.FRAMEWORKS["framework"] = "ours"
    assert own() is first, "the framework serves nobody here"
    sessions._tellers.clear()
    ours.present = lambda: within
    second = own()
    assert second is not first, "what the framework says comes first"
    with sessions.serving(sessions.Visit(sessions.Session("innermost"))):
        assert own() is not second, "a visit that began within what it says is no part of that"
    assert own() is second
    sessions._tellers.clear()
    ours.present = lambda: None
    with sessions.serving(sessions.Visit(sessions.Session("innermost"))):
        assert own() is not first, "the innermost visit counts"
    with sessions.serving(None):
        try:
            own()
        except tenure.ScopeError:
            print("nobody")
    assert own() is first
"""


def test_s1_of_several_frameworks_the_one_that_knows_whom_it_serves_comes_first_and_the_innermost_visit_next() -> None:
    done = subprocess.run([sys.executable, "-c", SEVERAL], capture_output=True, text=True, timeout=60)
    assert done.stdout == "nobody\n", done.stderr


OWN_MODULE = """
import {name}
import tenure

@tenure.cache_resource
def pool():
    return []

@tenure.cache_resource(scope="session")
def own():
    return []

assert pool() is pool()
try:
    own()
except tenure.ScopeError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["panel", "mcp", "nicegui", "shiny", "chainlit", "gradio"])
def test_a_module_of_the_program_that_is_called_like_a_framework_is_none(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("")
    places = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", places + OWN_MODULE.format(name=name)], capture_output=True, text=True, timeout=60
    )
    assert "scope=" in done.stdout, done.stderr


def test_a_framework_that_another_thread_imports_is_asked_once_it_is_there() -> None:
    """What is half imported would be taken for another version, for good."""
    code = """
import sys, types
from importlib.machinery import ModuleSpec
import tenure
from tenure.hosts import sessions

half = types.ModuleType("panel")
half.__spec__ = ModuleSpec("panel", None)
half.__spec__._initializing = True
sys.modules["panel"] = half

@tenure.cache_resource
def pool():
    return []

pool()
print("panel" in sessions._tellers)
half.__spec__._initializing = False
pool.clear()
pool()
print("panel" in sessions._tellers)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True"], done.stderr
