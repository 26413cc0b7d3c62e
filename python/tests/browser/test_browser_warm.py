"""A6: what `tenure run --warm` loads as the server starts, as the first users see it."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect

WARM = ("-m", "tenure", "run", "--warm", "models:load")


def test_a6_the_first_user_waits_for_no_more_than_is_being_warmed(serve):
    """A6, C1: who comes too early joins the build with its spinner; who comes later finds everything there."""
    app = serve("warm", command=WARM)
    app.wait_for("waits", kind="large")
    ann = app.tab()
    expect(ann.page.get_by_test_id("stSpinner")).to_contain_text("Loading the model…")
    assert "small" in ann.page.get_by_test_id("stText").first.inner_text()
    app.open_gate()
    ann.ran(1)
    assert app.output.first(lambda line: line.startswith("tenure: warm after ")) is not None
    bob = app.tab().ran(1)
    assert bob.told("ready") == "True"
    assert [bob.told(name) for name in ("small", "large")] == [ann.told(name) for name in ("small", "large")]
    assert len(app.noted("built")) == 2
    lines = [line for line in app.output.all() if line.startswith("tenure: ")]
    assert lines[0] == "tenure: warming models:load (1 of 1)"
    assert lines[-1].startswith("tenure: warm after ")
    assert "failed" not in lines[-1]
