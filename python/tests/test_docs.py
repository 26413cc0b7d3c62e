"""The Python that README.md and the guide show runs as printed.

All blocks of one page make one program, in order, in a process of its own; a line of the program has the number
that it has on the page, so that a traceback points there. A page that uses a framework runs where that is.
"""

import ast
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
