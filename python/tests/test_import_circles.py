"""The script that finds circles of imports: what counts as one, and what does not."""

import subprocess
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "scripts" / "import-circles"


@pytest.mark.parametrize(
    ("files", "circles"),
    [
        ({"a": "use crate::b::B;", "b": "use super::a;"}, ["2: a.rs b.rs"]),
        (
            {"a": "fn f() { crate::b::f(); }", "b": "use crate::{c::{self, C}, d};", "c": "use crate::a::*;"},
            ["3: a.rs b.rs c.rs"],
        ),
        ({"a/mod": "mod b;\npub use b::B;\nfn f() { b::f(); }", "a/b": "use super::Other;"}, ["2: a/mod.rs a/b.rs"]),
        ({"a/mod": "mod b;\nmod c;\npub use b::B;", "a/b": "", "a/c": "use super::B;"}, []),
        ({"a": "use crate::b;", "b": '// use crate::a;\nconst A: &str = "crate::a";\npub(in crate::a) fn f() {}'}, []),
        ({"a": "use crate::b;", "b": "#[cfg(test)]\nmod tests { use crate::a; }"}, []),
        ({"a": "use std::b;", "b": "use crate::a;"}, []),
    ],
)
def test_the_circles_of_a_crate(files: dict[str, str], circles: list[str], tmp_path: Path) -> None:
    for name, code in {"lib": "mod a;\nmod b;", **files}.items():
        path = tmp_path / f"{name}.rs"
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    done = subprocess.run([sys.executable, PATH, tmp_path], capture_output=True, text=True)
    assert done.stdout.splitlines() == circles, done.stderr
    assert done.returncode == (1 if circles else 0), done.stderr
