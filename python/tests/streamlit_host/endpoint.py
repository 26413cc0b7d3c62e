"""A Streamlit server as a process, with an app that is run by a request, and what its metrics endpoint says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import stage
import streamlit
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
from streamlit.proto.openmetrics_data_model_pb2 import MetricSet

HAS_COUNTS = tuple(int(part) for part in metadata.version("streamlit").split(".")[:2]) >= (1, 67)
"""Whether this Streamlit counts lookups, evictions and refreshes; the older ones tell the memory alone."""

MEASURES = "server.enableExpensiveMemoryStats" not in streamlit.config._config_options_template
"""Whether this Streamlit measures memory always, and has no option for that."""

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""The values by the name of the sample and its labels."""


class Server:
    """The server, for as long as the block lasts. `command` is that of Tenure or of Streamlit."""

    def __init__(self, folder: Path, command: str, app: str, **options: Any) -> None:
        path = folder / "app.py"
        path.write_text(textwrap.dedent(app))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/_stcore"
        options |= {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
        options |= {"server.scriptHealthCheckEnabled": "true"}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", command, "run", str(path)),
                *(part for name, value in options.items() for part in (f"--{name}", str(value))),
            ],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._serves = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.said.append(line)
                if "http://" in line:
                    self._serves.set()

    def __enter__(self) -> Server:
        assert self._serves.wait(stage.PATIENCE), self.said
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(stage.PATIENCE)
        self._reader.join(stage.PATIENCE)

    def _get(self, path: str, **headers: str) -> bytes:
        request = urllib.request.Request(f"{self._url}/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=stage.PATIENCE) as answer:
            return answer.read()

    def run_app(self) -> None:
        """Runs the app once, in a session of its own, to its end."""
        assert self._get("script-health-check") == b"ok", self.said

    def text(self, *families: str) -> str:
        return self._get(self._metrics(families)).decode()

    def proto(self, *families: str) -> MetricSet:
        return MetricSet.FromString(self._get(self._metrics(families), Accept="application/x-protobuf"))

    def until(self, enough: Callable[[Series], bool], *families: str) -> Series:
        """What is told of these families, once it is enough."""
        until = time.monotonic() + stage.PATIENCE
        while not enough(told := series(self.text(*families))):
            assert time.monotonic() < until, (told, self.said)
        return told

    def _metrics(self, families: tuple[str, ...]) -> str:
        return f"metrics?{urllib.parse.urlencode([('families', family) for family in families])}"


def series(text: str) -> Series:
    """The series of a text as a scraper reads it, each of which is there once."""
    read = openmetrics if HAS_COUNTS else parser
    found: Series = {}
    for family in read.text_string_to_metric_families(text):
        for sample in family.samples:
            name = (sample.name, frozenset(sample.labels.items()))
            assert name not in found, f"{name} is there twice"
            found[name] = sample.value
    return found


def series_of_proto(told: MetricSet) -> Series:
    """The same of the other format. A histogram has its sum and the counts of its buckets, as in the text."""
    found: Series = {}

    def add(name: str, labels: dict[str, str], value: float) -> None:
        assert (name, frozenset(labels.items())) not in found, f"{name} {labels} is there twice"
        found[name, frozenset(labels.items())] = value

    for family in told.metric_families:
        for metric in family.metrics:
            labels = {label.name: label.value for label in metric.labels}
            (point,) = metric.metric_points
            kind = point.WhichOneof("value")
            if kind == "histogram_value":
                value = point.histogram_value
                add(f"{family.name}_sum", labels, value.double_value)
                add(f"{family.name}_count", labels, value.count)
                for bucket in value.buckets:
                    bound = "+Inf" if bucket.upper_bound == float("inf") else repr(bucket.upper_bound)
                    add(f"{family.name}_bucket", {**labels, "le": bound}, bucket.count)
            elif kind == "counter_value":
                # Older versions have it in the name of the family too.
                add(f"{family.name.removesuffix('_total')}_total", labels, point.counter_value.int_value)
            else:
                add(family.name, labels, point.gauge_value.int_value)
    return found


def of(told: Series, cache: str) -> dict[str, float]:
    """What is told of one function: the name of the sample, with its other labels behind it."""
    found = {}
    for (name, labels), value in told.items():
        if ("cache", cache) in labels:
            more = sorted(value for label, value in labels if label not in ("cache", "cache_type"))
            found[" ".join([name, *more])] = value
    return found
