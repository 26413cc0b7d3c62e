"""The figures of all cached functions for Prometheus and OpenTelemetry. Neither keys nor arguments are ever among them.

>>> import tenure.metrics
>>> tenure.metrics.text().startswith("# HELP tenure_hits_total ")
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tenure import _native

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from tenure import Info

__all__ = ["CONTENT_TYPE", "Collector", "instrument", "register", "text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of what `text` gives."""


def text() -> str:
    """Give the figures of this process in Prometheus' text format, for an endpoint of one's own.

    Functions of one name are summed. A member of a fleet tells how it stands with that too, without asking its server.
    The names of the metrics are in the guide, under "Metrics".

    >>> import tenure, tenure.metrics
    >>> @tenure.cache_resource
    ... def connect(host):
    ...     return [host]
    >>> _ = connect("db")
    >>> "tenure_builds_total" in tenure.metrics.text()
    True
    """
    return _native.report().to_prometheus() + _native.fleet_metrics()


class Collector:
    """A collector for `prometheus_client`: what its registry shows has Tenure's figures among the others.

    Needs `prometheus_client`, which `pip install "tenure[metrics]"` brings. `register` is the short way.

    >>> import prometheus_client, tenure.metrics
    >>> registry = prometheus_client.CollectorRegistry()
    >>> registry.register(tenure.metrics.Collector())
    """

    def collect(self) -> Iterator[Metric]:
        """Give the families as they are now."""
        from prometheus_client.parser import text_string_to_metric_families

        yield from text_string_to_metric_families(text())

    def describe(self) -> Iterator[Metric]:
        """Give the families for their names: a registry refuses those that another collector has, or this one twice."""
        return self.collect()


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


_Values = Callable[["Info"], Mapping[str, float]]
"""The values of a function's instrument, by that of its attribute; by an empty text where it has none."""

_INSTRUMENTS: tuple[tuple[str, str, str, str, str, _Values], ...] = (
    ("counter", "tenure.hits", "{call}", "Calls that were answered from an entry.", "", lambda it: {"": it.hits}),
    ("counter", "tenure.misses", "{call}", "Calls that found no entry.", "reason", lambda it: it.misses_by_reason),
    ("counter", "tenure.builds", "{build}", "Builds that gave a new resource.", "", lambda it: {"": it.builds}),
    ("counter", "tenure.build.failures", "{build}", "Builds that failed.", "", lambda it: {"": it.failures}),
    ("counter", "tenure.build.time", "s", "How long builds took in all.", "trigger", lambda it: it.run_time),
    ("counter", "tenure.refreshes", "{build}", "Refreshes in the background.", "result", lambda it: it.refreshes),
    ("counter", "tenure.renewals", "{build}", "Refreshes that gave what was kept.", "", lambda it: {"": it.renewals}),
    ("counter", "tenure.ends", "{entry}", "Entries that have ended.", "cause", lambda it: it.ends),
    ("counter", "tenure.releases", "{resource}", "Resources that were released.", "cause", lambda it: it.releases),
    (
        "counter",
        "tenure.release.failures",
        "{resource}",
        "Releases that failed.",
        "",
        lambda it: {"": it.release_failures},
    ),
    ("up_down_counter", "tenure.entries", "{entry}", "Live entries.", "", lambda it: {"": it.entries}),
    ("up_down_counter", "tenure.entries.idle", "{entry}", "Entries that nobody holds.", "", lambda it: {"": it.idle}),
    ("up_down_counter", "tenure.entries.stale", "{entry}", "Entries past their time.", "", lambda it: {"": it.stale}),
    (
        "up_down_counter",
        "tenure.entries.inherited",
        "{entry}",
        "Entries of a parent process.",
        "",
        lambda it: {"": it.inherited},
    ),
    ("up_down_counter", "tenure.draining", "{resource}", "Let go, still in use.", "", lambda it: {"": it.draining}),
    ("up_down_counter", "tenure.waiting", "{call}", "Callers that wait for a build.", "", lambda it: {"": it.waiting}),
    ("up_down_counter", "tenure.weight", "1", "What the entries weigh.", "", lambda it: {"": it.weight}),
    (
        "gauge",
        "tenure.oldest_entry",
        "s",
        "The age of the oldest entry.",
        "",
        lambda it: {"": max(it.ages)} if it.ages else {},
    ),
)


def instrument(meter: Meter | None = None) -> None:
    """Have OpenTelemetry observe Tenure's figures, by a meter: the program's own one, unless another is given.

    Needs `opentelemetry-api`, which `pip install "tenure[opentelemetry]"` brings. The names of the instruments are in
    the guide, under "Metrics".

    Examples
    --------
    >>> import tenure.metrics
    >>> tenure.metrics.instrument()
    """
    from opentelemetry.metrics import Observation, get_meter

    meter = meter or get_meter("tenure", _native.__version__)
    looks = _Looks()

    def observing(name: str, attribute: str, values: _Values) -> Callable[[Any], Iterable[Observation]]:
        def observe(_: Any) -> Iterable[Observation]:
            for function, info in looks.taken(name):
                for value, number in values(info).items():
                    more = {f"tenure.{attribute}": value} if attribute else {}
                    if number or not attribute:
                        yield Observation(number, {"tenure.function": function, **more})

        return observe

    for kind, name, unit, help, attribute, values in _INSTRUMENTS:
        create = getattr(meter, f"create_observable_{kind}")
        create(name, [observing(name, attribute, values)], unit=unit, description=help)


class _Looks:
    """One look at all figures for each time that all instruments are asked."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._seen: list[tuple[str, Info]] = []

    def taken(self, instrument: str) -> list[tuple[str, Info]]:
        """Give the figures: those that another instrument was given, unless this one had them before."""
        # Where two ask at a time there is a look more, and nothing else comes of it.
        if not self._asked or instrument in self._asked:
            self._asked = set()
            self._seen = _native.info_in_full()
        self._asked.add(instrument)
        return self._seen
