"""Adds up the closing lines of the test runners in a log and prints one line for all of them.

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
GROUP = {
    "passed": "passed",
    "xfailed": "passed",
    "failed": "failed",
    "xpassed": "failed",
    "error": "failed",
    "errors": "failed",
    "skipped": "skipped",
}


def count(lines: list[str]) -> dict[str, int]:
    """Sums passed, failed and skipped over every closing line."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for raw in lines:
        line = NAMED.sub("", COLOUR.sub("", raw)).strip()
        if cargo := CARGO.match(line):
            for name, number in zip(total, cargo.groups(), strict=True):
                total[name] += int(number)
        elif pytest := PYTEST.match(line):
            for number, word in PYTEST_PART.findall(pytest.group(1)):
                if word in GROUP:
                    total[GROUP[word]] += int(number)
    return total


def main() -> int:
    """Prints the sum for the log named on the command line."""
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        total = count(log.read().splitlines())
    line = f"{total['passed']} passed, {total['failed']} failed"
    if total["skipped"]:
        line += f", {total['skipped']} skipped"
    print(line)
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
