"""The figures of all cached functions for Prometheus. Neither keys nor arguments are ever among them.

>>> import tenure.metrics
>>> tenure.metrics.text().startswith("# HELP tenure_hits_total ")
True
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tenure import _native

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

__all__ = ["CONTENT_TYPE", "Collector", "register", "text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of what `text` gives."""


def text() -> str:
    """Give the figures of this process in Prometheus' text format, for an endpoint of one's own.

    Functions of one name are summed. A member of a fleet tells how it stands with that too, without asking its server.
    The names of the metrics are in the guide, under "Metrics".
    """
    return _native.report().to_prometheus() + _native.fleet_metrics()


class Collector:
    """A collector for `prometheus_client`: what its registry shows has Tenure's figures among the others.

    Needs `prometheus_client`, which `pip install "tenure[metrics]"` brings. `register` is the short way.
    """

    def collect(self) -> Iterator[Metric]:
        """Give the families as they are now."""
        from prometheus_client.parser import text_string_to_metric_families

        yield from text_string_to_metric_families(text())


def register(registry: CollectorRegistry | None = None) -> Collector:
    """Have a registry of `prometheus_client` show Tenure's figures: its own one, unless another is given.

    Returns the collector, which `registry.unregister` takes.

    Examples
    --------
    >>> import prometheus_client, tenure.metrics
    >>> registry = prometheus_client.CollectorRegistry()
    >>> _ = tenure.metrics.register(registry)
    >>> b"tenure_entries" in prometheus_client.generate_latest(registry)
    True
    """
    import prometheus_client

    collector = Collector()
    (registry or prometheus_client.REGISTRY).register(collector)
    return collector
