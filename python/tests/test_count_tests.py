"""CI's closing line is the sum of what the runners themselves printed."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "scripts" / "count_tests.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("count_tests", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("line", "passed", "failed", "skipped"),
    [
        ("test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out; finished in 0.1s", 12, 0, 3),
        ("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s", 1, 2, 0),
        ("===== 5 passed in 61.02s (0:01:01) =====", 5, 0, 0),
        ("===== 1 failed, 5 passed, 2 skipped, 1 xfailed, 3 warnings, 2 errors in 0.31s =====", 6, 3, 2),
        ("\x1b[32m4 passed\x1b[0m, 3 subtests passed in 1.00s", 4, 0, 0),
        ("rust | test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out", 12, 0, 3),
        ("3.14 | ===== 5 passed in 61.02s (0:01:01) =====", 5, 0, 0),
        ("no tests ran in 0.01s", 0, 0, 0),
        ("it said: 3 passed in 4s", 0, 0, 0),
        ("12 passed, 1 failed", 0, 0, 0),
    ],
)
def test_each_closing_line_counts_once(script, line, passed, failed, skipped):
    assert script.count([line]) == {"passed": passed, "failed": failed, "skipped": skipped}


def test_lines_add_up(script):
    lines = ["test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured", "noise", "1 passed, 1 skipped in 0.10s"]
    assert script.count(lines) == {"passed": 3, "failed": 0, "skipped": 1}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["FAILED tests/test_a.py::test_one[a b] - assert 1 == 2"], [0]),
        (["3.14 | ERROR tests/test_a.py::test_one - OSError: no"], [0]),
        (["rust | test keys::one ... FAILED", "rust | test keys::two ... ok"], [0]),
        (["rust | thread 'one' (12) panicked at src/lib.rs:1:2:", "rust | left != right", "rust | note"], [0, 1]),
        (["E     FAILED test_inner.py::test_one - assert 0", "ERRORS", "FAILED: make test"], []),
    ],
)
def test_a_failure_is_said_again_with_its_reason(script, lines, told):
    assert script.failures(lines) == [lines[number] for number in told]
