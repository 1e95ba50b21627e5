"""Looking at closed buckets, one after the other: views for the detectors, and events from what they found. Pure."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import structlog

from streams.calibration.chart import Chart, Looked
from streams.calibration.learning import weeks_missing
from streams.calibration.panel import Panel
from streams.contracts.bundle import Manifest, Normal, Profile
from streams.contracts.errors import ContractError
from streams.contracts.events import DriftEvent, Evidence, Transition
from streams.contracts.summaries import InputSummary, LossSummary
from streams.detectors.base import BucketView, Graph, Readings, Requests, Setup, no_graph, no_rows
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.merging import check_bins, merge_inputs, merge_losses
from streams.monitoring.transitions import Course, Rules
from streams.statistics.alarms import OVERWHELMING, Tail, assumed_tail
from streams.statistics.calendar import is_timezone
from streams.statistics.estimates import Estimate, Estimator
from streams.statistics.scan import LENGTHS

MOST_EVIDENCE = 20

REASONS = ("expected", "not_learnt", "too_few_rows", "no_outcomes", "nothing_counted")
"""Why a bucket gives no verdict of a kind of event: a change was declared, what is usual of a detector's signals must be learnt
and wasn't, it has fewer than `min_rows` fit requests, no outcome became known in it, or a detector found nothing of its own
in it."""

# Kinds that speak of outcomes; all others speak of inputs.
_OF_OUTCOMES = frozenset({"label_drift", "loss_drift", "performance"})

log = structlog.get_logger(__name__)


class Reference(NamedTuple):
    """What a bundle says is normal, what was validated, and how whole rows of its reference are read and its graph is opened."""

    manifest: Manifest
    profile: Profile
    read_rows: Callable[[], pa.Table | None] = no_rows
    open_graph: Callable[[], Graph | None] = no_graph


References = Callable[[str], Reference | None]
OpenPanel = Callable[[Sequence[str], Setup], Panel]


class Verdict(NamedTuple):
    """What one bucket gave: what is to be said, and how many tests each detector made.

    Of the champion also the merged outcomes, and how good its scores let expect it to be. `inconclusive` are the detectors that
    could say nothing of a kind of event, with the reason (`REASONS`).
    """

    events: list[DriftEvent]
    tests: Mapping[str, int]
    losses: LossSummary | None
    estimate: Estimate | None
    inconclusive: Mapping[tuple[str, str], str]


NOTHING = Verdict([], {}, None, None, {})


class Watcher:
    """Watches the bundle that serves. When another takes over, everything begins anew: its normal is another.

    Args:
        model: who is watched.
        config: by what and how closely.
        references: gives a bundle's reference by digest, None when it can't be had (then there is no verdict).
        open_panel: opens the detectors.
    """

    def __init__(
        self, model: MonitoredModel, config: MonitoringConfig, references: References, *, open_panel: OpenPanel = Panel
    ) -> None:
        self._model = model
        self._config = config
        self._references = references
        self._open_panel = open_panel
        self._watch: _Watch | None = None

    def look(self, bucket: Bucket) -> Verdict:
        """Look at one closed bucket. Buckets come in order of event time. Takes up to a tenth of a second."""
        watch = self._serving(bucket)
        if watch is None:
            return NOTHING
        try:
            view = self._view(bucket, watch.digest)
            check_bins(view, watch.profile)
        except ContractError as error:
            log.warning("BucketLeftOut", model=self._model.name, bucket_start_ms=bucket.start_ms, error=str(error))
            return NOTHING
        return watch.look(view)

    def look_at(self, view: BucketView) -> Verdict:
        """Look at one closed bucket that was merged already, as one of a log."""
        watch = self._watching(view.digest)
        return watch.look(view) if watch is not None else NOTHING

    def close(self) -> None:
        """Close the detectors; the next bucket opens new ones."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _serving(self, bucket: Bucket) -> _Watch | None:
        """The watch of the bundle that answered most of the bucket's requests, else of the last one."""
        rows = {digest: sum(part.rows for part in parts) for digest, parts in bucket.inputs.items()}
        if not rows and self._watch is None:
            rows = {digest: sum(part.rows for part in parts) for digest, parts in bucket.losses.items()}
        digest = max(sorted(rows), key=lambda name: rows[name], default="")
        return self._watching(digest) if digest else self._watch

    def _watching(self, digest: str) -> _Watch | None:
        """The watch of a bundle; that of another is over."""
        if self._watch is None or digest != self._watch.digest:
            self.close()
            reference = self._references(digest)
            if reference is not None:
                self._watch = _Watch(self._model, self._config, digest, reference, open_panel=self._open_panel)
        return self._watch

    def _view(self, bucket: Bucket, digest: str) -> BucketView:
        inputs = merge_inputs(bucket.inputs[digest], self._config.sample_rows) if digest in bucket.inputs else None
        losses = merge_losses(bucket.losses[digest]) if digest in bucket.losses else None
        return BucketView(
            model=self._model.name,
            digest=digest,
            start_ms=bucket.start_ms,
            end_ms=bucket.end_ms,
            inputs=inputs if inputs is not None and _fit_rows(inputs) >= self._config.min_rows else None,
            losses=losses if losses is not None and losses.rows else None,
            requests=_requests(bucket),
        )


class _Watch:
    """The detectors of one bundle, what is usual of their signals, and what was said so far."""

    def __init__(
        self, model: MonitoredModel, config: MonitoringConfig, digest: str, reference: Reference, *, open_panel: OpenPanel
    ) -> None:
        self.digest, self.profile = digest, reference.profile
        manifest, profile, read_rows, open_graph = reference
        self._config = config
        wait_ms = profile.normal.label_delay_ms if profile.normal is not None else 0
        setup = Setup(manifest, profile, config.effect_floors, model.bucket_ms, read_rows, open_graph, wait_ms)
        self._panel = open_panel(config.detectors, setup)
        normal = usable(profile.normal, self._panel, model.bucket_ms, config)
        missing = [
            weeks_missing(buckets, model.bucket_ms, config.false_alarms_per_month) for buckets in measured(normal, self._panel)
        ]
        self._is_calibrated = [not weeks for weeks in missing]
        if any(missing):
            detectors = ", ".join(kind for (kind, _), weeks in zip(self._panel.groups, missing, strict=True) if weeks)
            log.warning(
                "AlarmsUncalibrated", model=model.name, digest=digest[:12], detectors=detectors, weeks_missing=max(missing)
            )
        tail = assumed_tail() if normal is None else Tail(normal.level, normal.rate, normal.excess)
        self._threshold = tail.threshold(config.alarm_rate(model.bucket_ms))
        self._tail = tail
        self._chart = Chart(self._panel, normal, model.bucket_ms, self._threshold)
        self._estimator = Estimator(profile.outcomes) if profile.outcomes is not None else None
        self._floors = np.array([signal.floor for signal in self._panel.signals])
        self._rises_only = np.array([signal.rises_only for signal in self._panel.signals], bool)
        rules = Rules(config.confirm_after, config.clear_after, config.cooldown.ms)
        self._overwhelming = self._threshold + (OVERWHELMING if config.confirm_after > 1 else 0.0)
        columns = [signal.watched for signal in self._panel.signals]
        self._courses = [Course(rules, columns) for _ in self._panel.groups]
        self._views: deque[BucketView] = deque(maxlen=LENGTHS[-1])

    def look(self, view: BucketView) -> Verdict:
        self._views.append(_without_sample(view))
        expected = self._config.expected_kinds(view.start_ms, view.end_ms)
        readings = self._without(self._panel.read(view), expected)
        looked = self._chart.step(view.start_ms, readings)
        effect = np.where(self._rises_only, looked.effect, np.abs(looked.effect))
        is_up = (looked.improbability >= self._threshold) & (effect >= self._floors)
        is_read = ~np.isnan(readings.level) & self._chart.is_expected
        events: list[DriftEvent] = []
        tests: dict[str, int] = {}
        inconclusive: dict[tuple[str, str], str] = {}
        for number, (detector, kind) in enumerate(self._panel.groups):
            own = self._panel.group == number
            if not (read := int((is_read & own).sum())):
                # No verdict: it neither raises nor clears.
                is_learnt = bool(self._chart.is_expected[own].any())
                inconclusive[detector, kind] = _reason(view, kind, is_declared=kind in expected, is_learnt=is_learnt)
                continue
            tests[detector] = tests.get(detector, 0) + read
            alarming = np.flatnonzero(is_up & own)
            improbable = dict(zip(alarming.tolist(), looked.improbability[alarming].tolist(), strict=True))
            transition = self._courses[number].step(improbable, view.end_ms, overwhelming=self._overwhelming)
            if transition is not None:
                evidence = self._evidence(alarming.tolist(), looked)
                events.append(_event(view, (detector, kind), transition, evidence, is_calibrated=self._is_calibrated[number]))
        return Verdict(events, tests, view.losses, self._estimate(view), inconclusive)

    def _without(self, readings: Readings, kinds: Collection[str]) -> Readings:
        """Leave out what may be different for a known reason: it is no evidence of anything."""
        is_out = np.array([signal.kind in kinds for signal in self._panel.signals], bool)
        if not is_out.any():
            return readings
        nan = np.where(is_out, np.nan, 0.0)
        return Readings(readings.level + nan, np.where(is_out, 0.0, readings.rows), readings.effect + nan)

    def _estimate(self, view: BucketView) -> Estimate | None:
        if self._estimator is None or view.inputs is None:
            return None
        return self._estimator.estimate(view.inputs.score.bins)

    def close(self) -> None:
        self._panel.close()

    def _evidence(self, alarming: Sequence[int], looked: Looked) -> tuple[Evidence, ...]:
        strongest = sorted(alarming, key=lambda index: (-looked.improbability[index], self._panel.signals[index].name))
        return tuple(self._one(index, looked) for index in strongest[:MOST_EVIDENCE])

    def _one(self, index: int, looked: Looked) -> Evidence:
        signal, since_ms = self._panel.signals[index], int(looked.since_ms[index])
        sketch = self._panel.sketch(index, [view for view in self._views if view.start_ms >= since_ms])
        return Evidence(
            watched=signal.watched,
            method=signal.said or signal.aspect,
            p_value=min(self._tail.chance(float(looked.improbability[index])), 1.0),
            effect=float(looked.effect[index]),
            effect_unit=signal.unit,
            before=sketch.before,
            after=sketch.after,
            since_ms=since_ms,
            rows=float(looked.rows[index]),
        )


def _reason(view: BucketView, kind: str, *, is_declared: bool, is_learnt: bool) -> str:
    if is_declared:
        return "expected"
    if not is_learnt:
        return "not_learnt"
    if kind in _OF_OUTCOMES:
        return "no_outcomes" if view.losses is None else "nothing_counted"
    return "too_few_rows" if view.inputs is None else "nothing_counted"


def usable(normal: Normal | None, panel: Panel, bucket_ms: int, config: MonitoringConfig) -> Normal | None:
    """Return what was measured if it was measured by the same detectors, for buckets and courses like those that are watched.

    It is of no use either where its timezone isn't known.
    """
    if normal is None or set(normal.signals) != {place.detector for place in panel.places} or not is_timezone(normal.timezone):
        return None
    measured = (normal.bucket_ms, normal.confirm_after, normal.clear_after)
    return normal if measured == (bucket_ms, config.confirm_after, config.clear_after) else None


def measured(normal: Normal | None, panel: Panel) -> list[int]:
    """Return in how many buckets each group's signals were measured, those that were the least."""
    known = normal.signals if normal is not None else {}
    found: list[list[int]] = [[] for _ in panel.groups]
    for place, signal, group in zip(panel.places, panel.signals, panel.group.tolist(), strict=True):
        usual = known.get(place.detector, {}).get(signal.name)
        found[group].append(usual.buckets if usual is not None else 0)
    return [min(buckets) for buckets in found]


def _event(
    view: BucketView, group: tuple[str, str], transition: Transition, evidence: tuple[Evidence, ...], *, is_calibrated: bool
) -> DriftEvent:
    detector, kind = group
    counted: InputSummary | LossSummary | Requests | None = view.losses if kind in _OF_OUTCOMES else view.inputs or view.requests
    return DriftEvent(
        id=_identity(view, detector, kind, transition),
        kind=kind,
        transition=transition,
        model=view.model,
        digest=view.digest,
        detector=detector,
        time_ms=view.end_ms,
        bucket_start_ms=view.start_ms,
        bucket_end_ms=view.end_ms,
        rows=counted.rows if counted is not None else 0,
        evidence=evidence,
        is_calibrated=is_calibrated,
    )


def _identity(view: BucketView, detector: str, kind: str, transition: Transition) -> str:
    """Name a statement by what it states, so that saying it again changes nothing."""
    stated = [view.model, view.digest, detector, kind, transition, view.start_ms]
    return hashlib.sha256(msgspec.json.encode(stated)).hexdigest()[:32]


def _without_sample(view: BucketView) -> BucketView:
    """Sketches need counts alone, and sixty samples would be most of the memory."""
    inputs = msgspec.structs.replace(view.inputs, sample=[]) if view.inputs is not None else None
    return view._replace(inputs=inputs)


def _requests(bucket: Bucket) -> Requests | None:
    parts = [part for summaries in bucket.inputs.values() for part in summaries]
    if not parts:
        return None
    return Requests(sum(part.rows for part in parts), sum(part.suspect for part in parts), sum(part.rejected for part in parts))


def _fit_rows(inputs: InputSummary) -> int:
    return inputs.rows - inputs.suspect
