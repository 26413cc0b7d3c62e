"""H8: which versions of Streamlit are supported, and that these tests run on them."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
import stage

from tenure.hosts.streamlit import version as streamlit_version

ROOT = Path(__file__).parents[3]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_h8_these_tests_run_on_a_version_that_is_listed():
    assert metadata.version("streamlit") in stage.TESTED
    assert streamlit_version.complaint() is None


def test_h8_the_oldest_and_the_newest_are_tested_and_at_least_three_between():
    assert sorted(stage.TESTED, key=_numbers) == stage.TESTED
    assert _numbers(stage.TESTED[0])[:2] == streamlit_version.OLDEST
    assert len(stage.TESTED) >= 5


@pytest.mark.parametrize("page", ["README.md", "docs/guide/streamlit.md"])
def test_h8_what_is_written_names_the_oldest_version(page: str):
    named = re.findall(r"Streamlit (\d+\.\d+) (?:and|or) newer", (ROOT / page).read_text())
    assert {_numbers(version) for version in named} == {streamlit_version.OLDEST}
