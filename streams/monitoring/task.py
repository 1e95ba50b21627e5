"""The one task of monitoring: summaries and watermarks in, events and watermarks out."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import structlog

from streams.contracts.errors import BundleRefused
from streams.contracts.events import encode_event
from streams.contracts.records import TaskState
from streams.contracts.summaries import FIXED, LossSummary, Summary
from streams.detectors._measures import auc
from streams.detectors.base import Graph
from streams.inference.session import graph_of
from streams.inference.store import BundleStore
from streams.monitoring.buckets import Buckets
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.watching import Reference, Verdict, Watcher
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import NEVER, WatermarkTracker, read_watermark, watermark_record
from streams.statistics.estimates import Estimate
from streams.transport.records import Output, Record, Result, position_key

log = structlog.get_logger(__name__)

# The champion, the one before it and a spare; each holds a profile of some MB.
_MOST_REFERENCES = 3


class MonitoringTask:
    """A bucket is looked at when every writer of the summaries has passed its end, so that all partitions are in it.

    Its memory is a fold of the whole summaries topic: detectors remember months. That topic is compacted, which leaves each
    writer's newest watermark only, so buckets of before a restart may close again behind it; the state says up to where events
    are out, and those are not said again.
    """

    def __init__(self, model: MonitoredModel, *, config: MonitoringConfig, store: BundleStore, telemetry: Telemetry) -> None:
        self._model = model
        self._config = config
        self._store = store
        self._telemetry = telemetry
        self._references: dict[str, Reference] = {}
        self._decoder = msgspec.json.Decoder(Summary)
        self._watcher = Watcher(model, config, self._reference)
        self._begin({})

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Begin anew; the topic is read from its beginning."""
        self._begin(state.details if state is not None else {})
        return self._rebuild_from()

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - see Processor
        """Take in a micro-batch; each watermark that moves closes the buckets before it."""
        outputs: list[Output] = []
        for record in records:
            mark = read_watermark(record.key, record.headers)
            if mark is None:
                self._add(record)
            elif self._tracker.advance("", *mark):
                outputs += await self._close()
        return Result(outputs=outputs, rebuild_from=self._rebuild_from(), details={"said_ms": self._said_ms})

    def stop(self) -> None:
        """Close the detectors."""
        self._watcher.close()

    def _begin(self, details: dict[str, Any]) -> None:
        self._watcher.close()
        self._buckets = Buckets(self._config.most_waiting)
        self._tracker = WatermarkTracker(("", str(number)) for number in range(self._model.writers))
        self._said_ms = int(details.get("said_ms", NEVER))

    def _rebuild_from(self) -> dict[str, int]:
        return {position_key(self._model.summaries, 0): 0}

    def _add(self, record: Record) -> None:
        try:
            summary = self._decoder.decode(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            log.warning("SummaryIgnored", model=self._model.name, offset=record.offset, error=str(error))
            return
        if summary.model != self._model.name or not 0 <= summary.partition < self._model.writers:
            log.warning("SummaryIgnored", model=self._model.name, offset=record.offset, error="another model or partition")
            return
        if shed := self._buckets.add(summary):
            log.warning("SummariesShed", model=self._model.name, count=shed)

    async def _close(self) -> list[Output]:
        """Look at the buckets that are over; their events, then the watermark. What was said before a restart isn't repeated."""
        outputs: list[Output] = []
        watermark_ms = self._tracker.current_ms
        for bucket in self._buckets.due(watermark_ms):
            verdict = await asyncio.to_thread(self._watcher.look, bucket)
            if bucket.end_ms > self._said_ms:
                outputs += self._outputs(verdict)
        if watermark_ms > self._said_ms:
            key, value, headers = watermark_record(f"monitoring/{self._model.name}", watermark_ms)
            outputs.append(Output(self._model.events, 0, key, value, headers))
            self._said_ms = watermark_ms
        return outputs

    def _outputs(self, verdict: Verdict) -> list[Output]:
        name = self._model.name
        for detector, count in verdict.tests.items():
            self._telemetry.count("driftwake_monitoring_tests_total", count, model=name, detector=detector)
        for (detector, _), reason in verdict.inconclusive.items():
            self._telemetry.count("driftwake_monitoring_inconclusive_total", model=name, detector=detector, reason=reason)
        if verdict.losses is not None:
            self._show_quality(verdict.losses)
        if verdict.estimate is not None:
            self._show_estimate(verdict.estimate)
        for event in verdict.events:
            self._telemetry.count("driftwake_monitoring_events_total", model=name, kind=event.kind, transition=event.transition)
        return [Output(self._model.events, 0, *encode_event(event)) for event in verdict.events]

    def _show_quality(self, losses: LossSummary) -> None:
        measures = {"squared_error": losses.loss / FIXED / losses.rows}
        if self._model.task == "binary":
            measures = {"log_loss": losses.loss / FIXED / losses.rows, "brier": losses.brier / FIXED / losses.rows}
            if (area := auc(losses.positives, losses.negatives)) is not None:
                measures["auc"] = area.value
        for measure, value in measures.items():
            self._telemetry.set("driftwake_monitoring_quality", value, model=self._model.name, measure=measure)

    def _show_estimate(self, estimate: Estimate) -> None:
        loss = "log_loss" if self._model.task == "binary" else "squared_error"
        for name, value in ((loss, estimate.loss), ("auc", estimate.auc), ("accuracy", estimate.accuracy)):
            if value is not None:
                self._telemetry.set("driftwake_monitoring_quality", value, model=self._model.name, measure=f"estimated_{name}")

    def _reference(self, digest: str) -> Reference | None:
        if digest not in self._references:
            try:
                bundle = self._store.read(self._model.name, digest)
            except BundleRefused as error:
                log.warning("BucketLeftOut", model=self._model.name, digest=digest, error=str(error))
                return None
            while len(self._references) >= _MOST_REFERENCES:
                del self._references[next(iter(self._references))]
            read_rows, open_graph = functools.partial(self._read_rows, digest), functools.partial(self._open_graph, digest)
            self._references[digest] = Reference(bundle.manifest, bundle.profile, read_rows, open_graph)
        return self._references[digest]

    def _read_rows(self, digest: str) -> pa.Table | None:
        try:
            return self._store.read_reference(self._model.name, digest)
        except BundleRefused as error:
            log.warning("ReferenceUnreadable", model=self._model.name, digest=digest, error=str(error))
            return None

    def _open_graph(self, digest: str) -> Graph | None:
        try:
            return graph_of(self._store.read(self._model.name, digest))
        except BundleRefused as error:
            log.warning("BundleRefused", model=self._model.name, digest=digest, reason=str(error))
            return None
