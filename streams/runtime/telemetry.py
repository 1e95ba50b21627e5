"""Counting what happens, as the table in `streams/runtime/metrics.py` names it, and showing it as `/metrics` on loopback.

One `Telemetry` is made per process and handed to whoever counts; there is no global registry. Label values are closed:
the table's own sets, and the model names of the config. Anything else counts as `other`, so hostile data can't grow memory.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

from streams.contracts.errors import StreamsError
from streams.runtime.metrics import FREE, OTHER, TABLE, Metric

LOOPBACK = "127.0.0.1"
_MOST_FREE = 200


class Telemetry:
    """The metrics of one process.

    Args:
        models: the names of the configured models, which are the values that the label `model` may take.
    """

    def __init__(self, models: Collection[str] = ()) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._known: dict[str, set[str]] = {"model": set(models)}
        self._counters = {row.name: Counter(*_arguments(row), registry=self.registry) for row in _rows("counter")}
        self._gauges = {row.name: Gauge(*_arguments(row), registry=self.registry) for row in _rows("gauge")}
        self._histograms = {
            row.name: Histogram(*_arguments(row), registry=self.registry, buckets=row.buckets) for row in _rows("histogram")
        }
        self.set("driftwake_build_info", 1, version=importlib.metadata.version("driftwake"))

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter.

        Raises:
            KeyError: the table has no counter or label of that name.
            ValueError: a label is missing.
        """
        counter = self._counters[name]
        (counter.labels(**self._closed(name, labels)) if labels else counter).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge.

        Raises:
            KeyError: the table has no gauge or label of that name.
            ValueError: a label is missing.
        """
        gauge = self._gauges[name]
        (gauge.labels(**self._closed(name, labels)) if labels else gauge).set(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one value to a histogram.

        Raises:
            KeyError: the table has no histogram or label of that name.
            ValueError: a label is missing.
        """
        histogram = self._histograms[name]
        (histogram.labels(**self._closed(name, labels)) if labels else histogram).observe(value)

    @contextmanager
    def timing(self, name: str, **labels: str) -> Iterator[None]:
        """Observe how many seconds the block took, also when it fails."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.observe(name, time.perf_counter() - begin, **labels)

    def _closed(self, name: str, labels: dict[str, str]) -> dict[str, str]:
        allowed = TABLE[name].labels
        return {label: value if self._is_known(label, value, allowed[label]) else OTHER for label, value in labels.items()}

    def _is_known(self, label: str, value: str, allowed: Collection[str]) -> bool:
        if allowed is not FREE:
            return value in allowed
        seen = self._known.setdefault(label, set())
        # Models come from the config, all at once; other free labels (skills, detectors) are few, but they are bounded too.
        if label != "model" and len(seen) < _MOST_FREE:
            seen.add(value)
        return value in seen


@contextmanager
def serving_metrics(telemetry: Telemetry, host: str = LOOPBACK, port: int = 0) -> Iterator[int]:
    """Serve `/metrics` as long as the block runs, from a thread of its own; gives the port, chosen freely when `port` is 0.

    Raises:
        StreamsError: the port can't be had.
    """
    registry: Collector = telemetry.registry
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise StreamsError(f"metrics: port {port} on {host}: {error.strerror}; choose another `metrics.port`, or 0") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _rows(kind: str) -> list[Metric]:
    return [metric for metric in TABLE.values() if metric.kind == kind]


def _arguments(metric: Metric) -> tuple[str, str, tuple[str, ...]]:
    return metric.name, metric.help, tuple(metric.labels)
