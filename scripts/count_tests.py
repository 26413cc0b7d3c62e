"""Says again which tests failed in a log, and adds up the closing lines of the test runners in one line.

Exits with 1 when a test failed or none ran. Reads `cargo test`, doc tests and pytest.
"""

from __future__ import annotations

import re
import sys

# What `scripts/side-by-side` puts before a line, once for each level.
NAMED = re.compile(r"^(?:[\w.-]+ \| )+")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;")
PYTEST = re.compile(r"^=*\s*((?:\d+ [a-z ]+?(?:, )?)+) in [0-9.]+s\b")
PYTEST_PART = re.compile(r"(\d+) ([a-z ]+)")
# What tells of a failure by itself: pytest's short summary, cargo's line for a test, and where it panicked, with
# the line after it, which says why.
FAILURE = re.compile(r"^(?:FAILED|ERROR) \S|^test .+ \.\.\. FAILED$")
PANIC = re.compile(r"^thread '.*' (?:\(\d+\) )?panicked at ")
GROUP = {
    "passed": "passed",
    "xfailed": "passed",
    "failed": "failed",
    "xpassed": "failed",
    "error": "failed",
    "errors": "failed",
    "skipped": "skipped",
}


def said(raw: str) -> str:
    """A line as its runner printed it."""
    return NAMED.sub("", COLOUR.sub("", raw)).strip()


def failures(lines: list[str]) -> list[str]:
    """The lines that name a failed test, or say why it failed, each with the name of what ran it."""
    told = []
    for number, raw in enumerate(lines):
        line = said(raw)
        if FAILURE.match(line):
            told.append(raw.strip())
        elif PANIC.match(line):
            told += [line.strip() for line in lines[number : number + 2]]
    return told


def count(lines: list[str]) -> dict[str, int]:
    """Sums passed, failed and skipped over every closing line."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for line in map(said, lines):
        if cargo := CARGO.match(line):
            for name, number in zip(total, cargo.groups(), strict=True):
                total[name] += int(number)
        elif pytest := PYTEST.match(line):
            for number, word in PYTEST_PART.findall(pytest.group(1)):
                if word in GROUP:
                    total[GROUP[word]] += int(number)
    return total


def main() -> int:
    """Prints the failures and the sum for the log named on the command line."""
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        lines = log.read().splitlines()
    total = count(lines)
    if total["failed"]:
        print(*failures(lines), sep="\n")
    line = f"{total['passed']} passed, {total['failed']} failed"
    if total["skipped"]:
        line += f", {total['skipped']} skipped"
    print(line)
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
