"""V3: the figures as OpenTelemetry has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import tenure
import tenure.metrics
import tenure.testing

GUIDE = Path(__file__).parents[2] / "docs/guide/figures.md"


class Observed:
    """A program's meter, with what its exporter would send."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])
        tenure.metrics.instrument(self.provider.get_meter("test"))

    def points(self) -> list[tuple[str, dict[str, Any], float]]:
        data = self.reader.get_metrics_data()
        assert data is not None
        [resource] = data.resource_metrics
        [scope] = resource.scope_metrics
        return [
            (metric.name, dict(point.attributes), point.value)
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    def told(self, function: str) -> dict[str, float]:
        """The values of a function, with the value of the other attribute behind the name."""
        return {
            " ".join([name, *(str(more) for key, more in attributes.items() if key != "tenure.function")]): value
            for name, attributes, value in self.points()
            if attributes["tenure.function"].endswith(function)
        }


@pytest.fixture
def observed() -> Observed:
    return Observed()


def test_v3_each_figure_has_its_instrument(observed: Observed, clock: tenure.testing.Clock) -> None:
    @tenure.cache_resource(ttl="1 min", max_stale="1 min", weight=lambda it: 5)
    def pool(key: int, _takes: Any = None) -> list[int]:
        if key < 0:
            raise ValueError(key)
        if _takes:
            _takes(key)
        return [key]

    pool(2, clock.advance), pool(2), pool(90, clock.advance)
    with pytest.raises(ValueError, match="-1"):
        pool(-1)
    pool.clear(90)
    pool(90)
    told, info = observed.told(pool.__qualname__), pool.info()
    misses = {f"tenure.misses {reason}": number for reason, number in info.misses_by_reason.items() if number}
    assert told.pop("tenure.build.time miss") == pytest.approx(92, abs=0.001)
    assert told.pop("tenure.oldest_entry") == pytest.approx(90, abs=0.001)
    assert told == {
        **misses,
        "tenure.hits": 1,
        "tenure.builds": 3,
        "tenure.build.failures": 1,
        "tenure.renewals": 0,
        "tenure.ends cleared": 1,
        "tenure.releases cleared": 1,
        "tenure.release.failures": 0,
        "tenure.entries": 2,
        "tenure.entries.idle": 2,
        "tenure.entries.stale": 1,
        "tenure.entries.inherited": 0,
        "tenure.draining": 0,
        "tenure.waiting": 0,
        "tenure.weight": 10,
    }


def test_v3_what_is_observed_next_is_what_there_is_then(observed: Observed) -> None:
    @tenure.cache_resource
    def seen() -> list[int]:
        return []

    for number in range(3):
        seen()
        told = observed.told(seen.__qualname__)
        assert (told["tenure.hits"], told["tenure.builds"]) == (number, 1)


def test_v3_no_argument_is_observed(observed: Observed) -> None:
    @tenure.cache_resource
    def connect(token: str) -> list[str]:
        return [token]

    connect("hunter2")
    assert any(attributes["tenure.function"].endswith("connect") for _, attributes, _ in observed.points())
    assert "hunter2" not in repr(observed.points())


def test_v3_the_guide_names_each_instrument(observed: Observed) -> None:
    rows = re.findall(r"^\| (`tenure\.[^|]*?) \| (.*?) \|", GUIDE.read_text(), re.MULTILINE)
    documented = {
        name: set(re.findall(r"`(tenure\.\w+)`", attributes))
        for names, attributes in rows
        for name in re.findall(r"`(tenure[.\w]+)`", names)
    }
    made = {
        name: {f"tenure.{attribute}"} if attribute else set()
        for _, name, _, _, attribute, _ in tenure.metrics._INSTRUMENTS
    }
    assert documented == made
