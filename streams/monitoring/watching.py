"""Looking at closed buckets, one after the other: views for the detectors, and events from what they found. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec
import structlog

from streams.contracts.bundle import Manifest, Profile
from streams.contracts.errors import ContractError
from streams.contracts.events import DriftEvent, Transition
from streams.contracts.summaries import InputSummary, LossSummary
from streams.detectors.base import BucketView, Detector, Finding, Setup
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.correcting import Alarm, alarms
from streams.monitoring.merging import merge_inputs, merge_losses
from streams.monitoring.transitions import Course, Rules
from streams.runtime.plugins import load_kind

MOST_EVIDENCE = 20

# Kinds that speak of outcomes; all others speak of inputs.
_OF_OUTCOMES = frozenset({"loss_drift", "performance"})

log = structlog.get_logger(__name__)


class Reference(NamedTuple):
    """What a bundle says is normal, and what was validated."""

    manifest: Manifest
    profile: Profile


References = Callable[[str], Reference | None]


class Verdict(NamedTuple):
    """What one bucket gave: what is to be said, how many tests each detector made, and the champion's merged outcomes."""

    events: list[DriftEvent]
    tests: Mapping[str, int]
    losses: LossSummary | None


NOTHING = Verdict([], {}, None)


class Watcher:
    """Watches the bundle that serves. When another takes over, everything begins anew: its normal is another.

    Args:
        model: who is watched.
        config: by what and how closely.
        references: gives a bundle's reference by digest, None when it can't be had (then there is no verdict).
    """

    def __init__(self, model: MonitoredModel, config: MonitoringConfig, references: References) -> None:
        self._model = model
        self._config = config
        self._references = references
        self._watch: _Watch | None = None

    def look(self, bucket: Bucket) -> Verdict:
        """Look at one closed bucket. Buckets come in order of event time. Takes tens of milliseconds."""
        watch = self._serving(bucket)
        reference = self._references(watch.digest) if watch is not None else None
        if watch is None or reference is None:
            return NOTHING
        try:
            view = self._view(bucket, watch.digest, reference)
        except ContractError as error:
            log.warning("BucketLeftOut", model=self._model.name, bucket_start_ms=bucket.start_ms, error=str(error))
            return NOTHING
        return watch.look(view)

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
        if digest and (self._watch is None or digest != self._watch.digest):
            self.close()
            self._watch = _Watch(self._model, self._config, digest)
        return self._watch

    def _view(self, bucket: Bucket, digest: str, reference: Reference) -> BucketView:
        inputs = merge_inputs(bucket.inputs[digest], self._config.sample_rows) if digest in bucket.inputs else None
        losses = merge_losses(bucket.losses[digest]) if digest in bucket.losses else None
        return BucketView(
            model=self._model.name,
            digest=digest,
            start_ms=bucket.start_ms,
            end_ms=bucket.end_ms,
            inputs=inputs if inputs is not None and _fit_rows(inputs) >= self._config.min_rows else None,
            losses=losses if losses is not None and losses.rows else None,
            profile=reference.profile,
            manifest=reference.manifest,
        )


class _Watch:
    """The detectors of one bundle and what each said so far."""

    def __init__(self, model: MonitoredModel, config: MonitoringConfig, digest: str) -> None:
        self.digest = digest
        self._config = config
        modules = {kind: load_kind("streams.detectors", kind) for kind in config.detectors}
        levelled = sum(module.LEVELLED for module in modules.values())
        level = config.alarm_level(model.bucket_ms)
        own = level * config.level_share
        self._level = level - own if levelled else level
        setup = Setup(
            task=model.task,
            # Detectors with levels alone share all of it.
            level=(level if levelled == len(modules) else own) / max(levelled, 1),
            floors=config.effect_floors,
            bucket_ms=model.bucket_ms,
            window_ms=config.window.ms,
            min_rows=config.min_rows,
        )
        self._detectors = {kind: cast("Detector", module.open_detector(setup)) for kind, module in modules.items()}
        self._rules = Rules(config.confirm_after, config.clear_after, config.cooldown.ms)
        self._courses: dict[tuple[str, str], Course] = {}

    def look(self, view: BucketView) -> Verdict:
        found = [(kind, finding) for kind, detector in self._detectors.items() for finding in detector.look(view)]
        alarming = alarms([finding for _, finding in found], self._level)
        # Every (detector, kind) that tested anything, with what alarmed: none is silence, absent is no verdict.
        judged: dict[tuple[str, str], list[Alarm]] = {}
        for (detector, finding), alarm in zip(found, alarming, strict=True):
            judged.setdefault((detector, finding.kind), []).extend([alarm] if alarm is not None else [])
        events = [event for key, raised in judged.items() if (event := self._said(view, key, raised)) is not None]
        return Verdict(events, _counts(found), view.losses)

    def close(self) -> None:
        for detector in self._detectors.values():
            detector.close()

    def _said(self, view: BucketView, key: tuple[str, str], raised: Sequence[Alarm]) -> DriftEvent | None:
        course = self._courses.setdefault(key, Course(self._rules))
        transition = course.step({alarm.evidence.watched for alarm in raised}, view.end_ms)
        return _event(view, *key, transition, raised) if transition is not None else None


def _event(view: BucketView, detector: str, kind: str, transition: Transition, raised: Sequence[Alarm]) -> DriftEvent:
    summary: InputSummary | LossSummary | None = view.losses if kind in _OF_OUTCOMES else view.inputs
    strongest = sorted((alarm.evidence for alarm in raised), key=lambda one: (one.p_value, -one.effect, one.watched))
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
        rows=summary.rows if summary is not None else 0,
        evidence=tuple(strongest[:MOST_EVIDENCE]),
    )


def _identity(view: BucketView, detector: str, kind: str, transition: Transition) -> str:
    """Name a statement by what it states, so that saying it again changes nothing."""
    stated = [view.model, view.digest, detector, kind, transition, view.start_ms]
    return hashlib.sha256(msgspec.json.encode(stated)).hexdigest()[:32]


def _counts(found: Sequence[tuple[str, Finding]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for detector, _ in found:
        counts[detector] = counts.get(detector, 0) + 1
    return counts


def _fit_rows(inputs: InputSummary) -> int:
    return inputs.rows - inputs.suspect
