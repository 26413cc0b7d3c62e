"""V3: the guide names each metric, and Grafana's dashboard asks for metrics and labels that there are."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import tenure.metrics

DOCS = Path(__file__).parents[2] / "docs"
FLEET = {"tenure_fleet_caught_up", "tenure_fleet_lag_seconds", "tenure_fleet_catch_ups_total"}
# What Prometheus gives to each target that it asks.
OF_PROMETHEUS = {"instance"}


def documented() -> dict[str, set[str]]:
    """The metrics of the guide's table, with their labels."""
    rows = re.findall(r"^\| (`tenure_.*?) \| (.*?) \|", (DOCS / "guide/figures.md").read_text(), re.MULTILINE)
    return {
        name: set(re.findall(r"`(\w+)`", labels)) for names, labels in rows for name in re.findall(r"`(\w+)`", names)
    }


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DOCS / "grafana/tenure.json").read_text())
    return told


def queries(dashboard: dict[str, Any]) -> list[str]:
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [it["definition"] for it in dashboard["templating"]["list"] if it["type"] == "query"]
    return panels + variables


def test_v3_the_guide_names_each_metric_and_no_other() -> None:
    shown = set(re.findall(r"^# TYPE (\w+)", tenure.metrics.text(), re.MULTILINE))
    assert documented().keys() == shown | FLEET


def test_v3_the_dashboard_asks_for_metrics_that_there_are(dashboard: dict[str, Any]) -> None:
    known = documented()
    asked = {name for query in queries(dashboard) for name in re.findall(r"\btenure_\w+", query)}
    parts = {
        f"{name}{part}" for name, labels in known.items() if "le" in labels for part in ("_bucket", "_sum", "_count")
    }
    assert asked <= known.keys() | parts
    assert {"tenure_hits_total", "tenure_misses_total", "tenure_build_duration_seconds_bucket", *FLEET} <= asked


def test_v3_the_dashboard_asks_for_labels_that_there_are(dashboard: dict[str, Any]) -> None:
    known = documented()
    for query in queries(dashboard):
        names = re.findall(r"\btenure_\w+", query)
        of = [re.sub("_(bucket|sum|count)$", "", it) for it in names]
        labels = set().union(*(known.get(it, set()) for it in of)) | OF_PROMETHEUS
        asked = {label for group in re.findall(r"\{(.*?)\}", query) for label in re.findall(r"(\w+)=~", group)}
        asked |= {it.strip() for group in re.findall(r"\bby \((.*?)\)", query) for it in group.split(",")}
        assert asked <= labels, query
        for group in re.findall(r"label_values\(.*, (\w+)\)", query):
            assert group in labels, query


def test_v3_no_panel_of_the_dashboard_covers_another(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(it["x"] + it["w"] <= 24 for it in places)
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
