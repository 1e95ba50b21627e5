"""One partition's predictions and outcomes to summaries, bucket by bucket of event time.

Suspect rows are counted and in no distribution and no loss. An outcome counts once, with its first label: corrections are in
the outcomes and the lake, where training finds them. A row that comes for a closed bucket is counted as late in the next
summary of its sort, with what was rejected before it, and in nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import structlog

from streams.contracts.bundle import NumberProfile, Profile
from streams.contracts.canary import as_champion
from streams.contracts.records import CHAMPION, MARKER_HEADER, TaskState
from streams.contracts.summaries import InputSummary, LossSummary
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.measuring.inputs import InputAccumulator
from streams.measuring.losses import LossAccumulator
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import NEVER, WatermarkTracker, read_watermark, watermark_record
from streams.statistics.cohorts import cohorts_of
from streams.transport.records import Output, Record, Result, position_key
from streams.transport.typed import Typed, TypedDecoder

logger = structlog.get_logger(__name__)

# Rows that are decoded and counted at once: so many stay in the processor's cache.
_AT_ONCE = 1_024
# What was rejected before late rows, among the counts of these; no place in a topic is called so.
_REJECTED = "rejected"

_EMPTY = Profile(
    rows=0,
    score=NumberProfile(edges=[], shares=[1.0], missing=0.0, low=0.0, high=1.0, sample=[]),
    label_mean=0.0,
    loss_mean=0.0,
    loss_std=0.0,
)


class Profiles(Protocol):
    """Where the references of bundles come from."""

    def profile(self, digest: str) -> Profile | None:
        """Return a bundle's profile; None when the bundle can't be read."""
        ...


class Bucket:
    """What is known of one bucket so far, and where its first records are."""

    def __init__(self, start_ms: int, end_ms: int) -> None:
        self.span = (start_ms, end_ms)
        self.inputs: dict[str, InputAccumulator] = {}
        self.losses: dict[tuple[str, str], LossAccumulator] = {}
        self.first_offsets: dict[str, int] = {}


class MeasuringTask:
    """The processor of one partition: predictions count by their event time, outcomes by when their label was known.

    Its memory are the open buckets. They are folded again after a restart, from the first record of the oldest of them; what
    is behind the closed buckets is not counted twice.
    """

    def __init__(
        self, number: int, *, model: MeasuredModel, config: MeasuringConfig, profiles: Profiles, telemetry: Telemetry
    ) -> None:
        self._number = number
        self._model = model
        self._config = config
        self._profiles = profiles
        self._telemetry = telemetry
        self._predictions = TypedDecoder(model.schema)
        self._outcomes = TypedDecoder(model.schema, outcomes=True)
        self._encoder = msgspec.json.Encoder()
        self._forget()

    def _forget(self) -> None:
        inputs = [position_key(topic, self._number) for topic in (self._model.predictions, self._model.outcomes)]
        self._tracker = WatermarkTracker((place, str(self._number)) for place in inputs)
        self._marks: dict[str, int] = {}
        self._buckets: dict[int, Bucket] = {}
        # Rows that came for closed buckets, by topic, until a summary tells of them.
        self._late: Counter[str] = Counter()
        self._closed_ms = NEVER
        self._said_ms = NEVER

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Begin again; open buckets are folded from their first records."""
        self._forget()
        if state is None:
            return {}
        self._closed_ms = state.details.get("closed_ms", NEVER)
        self._said_ms = state.details.get("said_ms", NEVER)
        self._late = Counter(state.details.get("late", {}))
        for mark, watermark_ms in state.details.get("marks", {}).items():
            self._note(mark, watermark_ms)
        return state.rebuild_from

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - the protocol's
        """Fold a micro-batch; close the buckets that the watermark has passed."""
        rows: dict[str, list[Record]] = {self._model.predictions: [], self._model.outcomes: []}
        for record in records:
            watermark = read_watermark(record.key, record.headers) if record.headers else None
            if watermark is not None:
                if not rebuilding:
                    self._note(f"{position_key(record.topic, record.partition)}/{watermark[0]}", watermark[1])
            elif not record.headers or all(name != MARKER_HEADER for name, _ in record.headers):
                rows[record.topic].append(record)
        for part in _parts(rows[self._model.predictions]):
            self._fold_predictions(part, rebuilding=rebuilding)
        for part in _parts(rows[self._model.outcomes]):
            self._fold_outcomes(part, rebuilding=rebuilding)
        return Result() if rebuilding else self._result()

    def _note(self, mark: str, watermark_ms: int) -> None:
        place, _, writer = mark.rpartition("/")
        self._tracker.advance(place, writer, watermark_ms)
        self._marks[mark] = max(self._marks.get(mark, NEVER), watermark_ms)

    def _fold_predictions(self, records: Sequence[Record], *, rebuilding: bool) -> None:
        typed = _decoded(self._predictions, records)
        for bucket, found in self._by_bucket(typed, [row.time_ms for row in typed.rows], rebuilding=rebuilding):
            groups: dict[str, list[tuple[Any, int]]] = defaultdict(list)
            for row, record in zip(map(as_champion, found.rows), found.records, strict=True):
                groups[row.digest].append((row, record.timestamp_ms))
            for digest, group in groups.items():
                if digest not in bucket.inputs:
                    profile = self._profiles.profile(digest) or _EMPTY
                    bucket.inputs[digest] = InputAccumulator(
                        self._model.schema,
                        profile,
                        self._config.sample_rows,
                        counts_contents=self._model.counts_contents,
                        counts_waits=self._model.counts_waits,
                        counts_arrivals=self._model.counts_arrivals,
                    )
                bucket.inputs[digest].add(*zip(*group, strict=True))

    def _fold_outcomes(self, records: Sequence[Record], *, rebuilding: bool) -> None:
        typed = _decoded(self._outcomes, records)
        for bucket, found in self._by_bucket(typed, [row.known_ms for row in typed.rows], rebuilding=rebuilding):
            groups: dict[tuple[str, str], list[tuple[float, float, int, int, Any]]] = defaultdict(list)
            for outcome in found.rows:
                # A correction would count its row twice: what a bucket said of a row stays said.
                if outcome.prediction.flags or outcome.revision:
                    continue
                prediction = outcome.prediction
                for slot, digest, score in _scores(as_champion(prediction)):
                    groups[slot, digest].append((score, outcome.label, prediction.time_ms, outcome.known_ms, prediction.columns))
            for (slot, digest), group in groups.items():
                scores, labels, asked, known, columns = zip(*group, strict=True)
                asked_ms, known_ms = np.array(asked, np.int64), np.array(known, np.int64)
                losses = self._losses(bucket, slot, digest)
                losses.add(np.array(scores), np.array(labels), known_ms - asked_ms, columns)
                if self._model.counts_cohorts and slot == CHAMPION:
                    losses.add_cohorts(cohorts_of(asked_ms, bucket.span[0], self._model.bucket_ms))

    def _losses(self, bucket: Bucket, slot: str, digest: str) -> LossAccumulator:
        if (slot, digest) not in bucket.losses:
            # Shadows are judged by the daemon, on whole rows: only who serves is watched by slices.
            profile = self._profiles.profile(digest) if slot == CHAMPION else None
            slices = [one.slice for one in profile.slices] if profile is not None else []
            bucket.losses[slot, digest] = LossAccumulator(self._model.schema.task, slices)
        return bucket.losses[slot, digest]

    def _by_bucket(self, typed: Typed, times_ms: list[int], *, rebuilding: bool) -> Iterator[tuple[Bucket, Typed]]:
        """Give each open bucket its rows and records, in their order. Rows of closed buckets are counted as late and no more."""
        if not times_ms:
            return
        length, place = self._model.bucket_ms, position_key(typed.records[0].topic, typed.records[0].partition)
        numbers = np.array(times_ms, np.int64) // length
        for number in np.unique(numbers).tolist():
            of_bucket = np.flatnonzero(numbers == number).tolist()
            start_ms = number * length
            if start_ms + length <= self._closed_ms:
                if not rebuilding:
                    self._count_late(place, [typed.rows[index] for index in of_bucket])
                continue
            bucket = self._buckets.get(start_ms)
            if bucket is None:
                bucket = self._buckets[start_ms] = Bucket(start_ms, start_ms + length)
            records = [typed.records[index] for index in of_bucket]
            bucket.first_offsets.setdefault(place, records[0].offset)
            yield bucket, Typed([typed.rows[index] for index in of_bucket], records, [])

    def _count_late(self, place: str, rows: Sequence[Any]) -> None:
        self._late[place] += len(rows)
        if place == position_key(self._model.predictions, self._number):
            # Of outcomes it would count once more what came with their predictions.
            self._late[_REJECTED] += sum(row.rejected_before for row in rows)

    def _result(self) -> Result:
        watermark_ms = self._tracker.current_ms
        outputs = list(self._closing(watermark_ms))
        if watermark_ms > self._said_ms:
            self._said_ms = watermark_ms
            key, value, headers = watermark_record(str(self._number), watermark_ms)
            outputs.append(Output(self._model.summaries, 0, key, value, headers))
            self._telemetry.set(
                "driftwake_stage_watermark_seconds", max(watermark_ms, 0) / 1_000, stage="measuring", model=self._model.name
            )
        return Result(outputs=outputs, rebuild_from=self._rebuild_from(), details=self._details())

    def _closing(self, watermark_ms: int) -> Iterator[Output]:
        due = sorted(start for start, bucket in self._buckets.items() if bucket.span[1] <= watermark_ms)
        extra = len(self._buckets) - len(due) - self._config.most_open
        if extra > 0:
            oldest = sorted(set(self._buckets) - set(due))[:extra]
            logger.warning("BucketsClosedEarly", model=self._model.name, partition=self._number, buckets=len(oldest))
            due = sorted([*due, *oldest])
        for start_ms in due:
            bucket = self._buckets.pop(start_ms)
            self._closed_ms = max(self._closed_ms, bucket.span[1])
            yield from self._summaries(bucket)

    def _summaries(self, bucket: Bucket) -> Iterator[Output]:
        predictions, outcomes = (position_key(topic, self._number) for topic in (self._model.predictions, self._model.outcomes))
        for digest in sorted(bucket.inputs):
            late = self._late.pop(predictions, 0)
            summary = bucket.inputs[digest].summary(self._model.name, digest, self._number, bucket.span, late)
            summary.rejected += self._late.pop(_REJECTED, 0)
            yield self._output(summary, CHAMPION)
        for slot, digest in sorted(bucket.losses):
            late = self._late.pop(outcomes, 0) if slot == CHAMPION else 0
            accumulator = bucket.losses[slot, digest]
            yield self._output(accumulator.summary(self._model.name, slot, digest, self._number, bucket.span, late=late), slot)

    def _output(self, summary: InputSummary | LossSummary, slot: str) -> Output:
        kind = "inputs" if isinstance(summary, InputSummary) else "losses"
        self._telemetry.count("driftwake_measuring_summaries_total", model=self._model.name, kind=kind)
        key = f"{self._model.name}/{summary.digest}/{slot}/{summary.bucket_start_ms}/{self._number}/{kind}"
        return Output(self._model.summaries, 0, key.encode(), self._encoder.encode(summary))

    def _rebuild_from(self) -> dict[str, int]:
        first: dict[str, int] = {}
        for bucket in self._buckets.values():
            for place, offset in bucket.first_offsets.items():
                first[place] = min(first.get(place, offset), offset)
        return first

    def _details(self) -> dict[str, Any]:
        return {"closed_ms": self._closed_ms, "late": dict(self._late), "marks": dict(self._marks), "said_ms": self._said_ms}


def _parts(records: list[Record]) -> Iterator[list[Record]]:
    for first in range(0, len(records), _AT_ONCE):
        yield records[first : first + _AT_ONCE]


def _decoded(decoder: TypedDecoder, records: Sequence[Record]) -> Typed:
    typed = decoder.decode(records)
    for record, detail in typed.undecodable:
        # Only serving and joining write these topics; whatever else is there counts nowhere.
        place = position_key(record.topic, record.partition)
        logger.warning("RecordUnreadable", place=place, offset=record.offset, error=detail)
    return typed


def _scores(prediction: Any) -> Iterator[tuple[str, str, float]]:
    """Slots, bundles and scores of a prediction; a score that isn't a number has no loss."""
    if prediction.score is not None:
        yield CHAMPION, prediction.digest, prediction.score
    for shadow in prediction.shadows:
        if shadow.score is not None:
            yield shadow.name, shadow.digest, shadow.score
