"""The Python that README.md and the guide show runs as printed.

All blocks of one page make one program, in order, in a process of its own; a line of the program has the number
that it has on the page, so that a traceback points there. A page that uses a framework runs where that is.
"""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("**/*.md"))]
FRAMEWORKS = {
    "streamlit": "make test-streamlit-one",
    "fastapi": "make test-frameworks",
    "celery": "make test-python",
    "chainlit": "make test-chainlit",
    "django": "make test-python",
    "flask": "make test-python",
    "gradio": "make test-frameworks",
    "mcp": "make test-frameworks",
    "nicegui": "make test-frameworks",
    "panel": "make test-frameworks",
    "shiny": "make test-frameworks",
    "trio": "make test-python",
    "prometheus_client": "make test-python",
    "ray": "make test-cluster",
    "sqlalchemy": "make test-python",
    "aiosqlite": "make test-python",
}
"""What a page may use, and where it runs then."""
FENCE = re.compile(r"^```(\w*)")


def program_of(page: str) -> str:
    """Keeps the lines inside ```python blocks, and blanks all others."""
    lines: list[str] = []
    language: str | None = None
    for line in page.splitlines():
        fence = FENCE.match(line)
        if fence:
            language = fence.group(1) if language is None else None
            lines.append("")
        else:
            lines.append(line if language == "python" else "")
    return "\n".join(lines) + "\n"


def test_program_of_keeps_line_numbers():
    page = "text\n```python\na = 1\n```\n```sh\nmake\n```\n```python\nb = a\n```\n"
    assert program_of(page) == "\n\na = 1\n\n\n\n\n\nb = a\n\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page: Path, tmp_path: Path):
    program = program_of(page.read_text(encoding="utf-8"))
    if not program.strip():
        pytest.skip("this page shows no Python")
    for framework, target in FRAMEWORKS.items():
        # Or in an address, as SQLAlchemy's drivers are.
        uses = rf"^\s*(import|from) {framework}\b|tenure\.{framework}|\+{framework}:"
        if re.search(uses, program, re.MULTILINE) and framework not in packages_distributions():
            pytest.skip(f"this page uses {framework}: `{target}` runs it")
    # Not by the page's own name: a script called streamlit.py would be what `import streamlit` finds.
    script = tmp_path / f"page_{page.stem}.py"
    script.write_text(program, encoding="utf-8")
    # What a page reads from the environment, a reader has set. Ray would take other tests' cluster for the reader's,
    # and Gradio would tell its makers of each app.
    env = {
        **os.environ,
        "CACHE_TOKEN": "a token of the reader's own",
        "RAY_ADDRESS": "local",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_rust_of_a_page_runs_with_the_crates(page: Path):
    if "```rust" in page.read_text(encoding="utf-8"):
        included = (ROOT / "docs" / "examples.rs").read_text(encoding="utf-8")
        assert f'include_str!("{os.path.relpath(page, ROOT / "docs")}")' in included


def test_page_on_async_functions_is_annotated_throughout():
    """What a function yields is read off its annotation by type checkers, so that what is copied has one."""
    page = ROOT / "docs" / "guide" / "async.md"
    functions = [
        it
        for it in ast.walk(ast.parse(program_of(page.read_text(encoding="utf-8"))))
        if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert functions
    for function in functions:
        given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        bare = [it.arg for it in given if it.annotation is None and it.arg != "self"]
        assert function.returns is not None, f"{function.name}, line {function.lineno}"
        assert bare == [], f"{function.name}, line {function.lineno}"


def unfit_connections(program: str) -> list[str]:
    """Cached functions with a plain `sqlite3` connection that two threads may use at once, or one alone may close."""
    tree = ast.parse(program)
    locked = {
        it.name for it in ast.walk(tree) if isinstance(it, ast.ClassDef) and "threading.Lock()" in ast.unparse(it)
    }
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        decorators = [it for it in function.decorator_list if "cache_resource" in ast.unparse(it)]
        opened = [
            it for it in ast.walk(function) if isinstance(it, ast.Call) and "sqlite3.connect" == ast.unparse(it.func)
        ]
        scopes = {
            ast.unparse(given.value)
            for it in decorators
            if isinstance(it, ast.Call)
            for given in it.keywords
            if given.arg == "scope"
        }
        for call in opened if decorators else []:
            given = {it.arg: ast.unparse(it.value) for it in call.keywords}
            if given.get("check_same_thread") != "False":
                found.append(f"{function.name}, line {call.lineno}: no other thread may close it")
            if not scopes & {"'thread'", "'session'", "'loop'"} and given.get("factory") not in locked:
                found.append(f"{function.name}, line {call.lineno}: several threads may use it at once")
    return found


PLAIN = "@cache_resource\ndef f():\n    return sqlite3.connect('a', check_same_thread=False)\n"


def test_a_connection_is_unfit_without_a_scope_or_a_lock():
    lock = "class C(sqlite3.Connection):\n    turn = threading.Lock()\n"
    scoped = PLAIN.replace("resource", "resource(scope='thread')")
    assert unfit_connections(PLAIN) == ["f, line 3: several threads may use it at once"]
    assert unfit_connections(PLAIN.replace("resource", "resource(scope='global')")) == unfit_connections(PLAIN)
    assert unfit_connections(scoped) == []
    assert unfit_connections(lock + PLAIN.replace("False)", "False, factory=C)")) == []
    assert unfit_connections(scoped.replace("=False", "=True")) == ["f, line 3: no other thread may close it"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_shares_a_plain_connection_among_threads(page: Path):
    """From Python 3.12 on threads that do get each other's rows."""
    assert unfit_connections(program_of(page.read_text(encoding="utf-8"))) == []


EXAMPLES = [*sorted((ROOT / "examples").glob("**/*.py")), *sorted((ROOT / "examples").glob("**/*.ipynb"))]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.relative_to(ROOT)))
def test_no_example_shares_a_plain_connection_among_threads(example: Path):
    text = example.read_text(encoding="utf-8")
    if example.suffix == ".ipynb":
        cells = [it["source"] for it in json.loads(text)["cells"] if it["cell_type"] == "code"]
        text = "\n".join("".join(lines) for lines in cells)
    assert unfit_connections(text) == []
