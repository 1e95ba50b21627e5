"""One internal partition of predictions and labels to outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from streams.contracts.labels import Unusable, label_of
from streams.contracts.records import TaskState
from streams.contracts.schema import Task
from streams.joining.memory import Match, Memory, Rules, Truth
from streams.joining.reading import OutcomeRecord, head_of, rejected, source_of
from streams.runtime.watermark import NEVER, WatermarkTracker, read_watermark, watermark_record
from streams.transport.records import Output, Record, Result, position_key

_ENCODER = msgspec.json.Encoder()


class Sides(NamedTuple):
    """The topics of one join and how many writers each internal one has (one per partition it was re-keyed from)."""

    predictions: str
    labels: str
    outcomes: str
    prediction_writers: int
    label_writers: int


class Matching:
    """The processor of one internal partition.

    Args:
        number: the partition.
        model: the model's name.
        task: what a label may be.
        sides: the topics.
        rules: horizon and caps.
    """

    def __init__(self, number: int, *, model: str, task: Task, sides: Sides, rules: Rules) -> None:
        self._number = number
        self._model = model
        self._task = task
        self._sides = sides
        self._rules = rules
        self._places = {topic: position_key(topic, number) for topic in (sides.predictions, sides.labels)}
        self._begin(None)

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Fold memory again from the oldest record that is still remembered."""
        self._begin(state)
        return state.rebuild_from if state is not None else {}

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - the one question there is
        """Join; outcomes are written as soon as both sides are there."""
        if not rebuilding:
            self.memory.settle()
        outputs = [output for record in records for output in self._take(record)]
        return Result(outputs=outputs, rebuild_from=self._rebuild_from(records), details=self._details())

    def _begin(self, state: TaskState | None) -> None:
        details = state.details if state is not None else {}
        sides, places = self._sides, self._places
        expected = [(places[sides.predictions], str(writer)) for writer in range(sides.prediction_writers)]
        expected += [(places[sides.labels], str(writer)) for writer in range(sides.label_writers)]
        self._tracker = WatermarkTracker(expected)
        self._tracker.recall(details.get("watermarks", ()))
        self._next = dict(state.positions) if state is not None else {}
        self.memory = Memory(
            self._rules,
            watermark_ms=self._tracker.current_ms,
            counts=details.get("counts", {}),
            rebuilding=state is not None,
        )

    def _take(self, record: Record) -> list[Output]:
        watermark = read_watermark(record.key, record.headers)
        if watermark is not None:
            return self._advance(self._places[record.topic], *watermark)
        if record.topic == self._sides.predictions:
            head = head_of(record.value)
            if isinstance(head, Unusable):
                return [rejected(self._model, record, head)]
            matches = self.memory.add_prediction(head.id, head.time_ms, record.value or b"", record.offset)
            return [self._outcome(head.id, match) for match in matches]
        label = label_of(record.value, self._task)
        if isinstance(label, Unusable):
            return [rejected(self._model, record, label)]
        truth = Truth(label.label, label.time_ms, *source_of(record), record.offset)
        return [self._outcome(label.id, match) for match in self.memory.add_label(label.id, truth)]

    def _advance(self, place: str, writer: str, watermark_ms: int) -> list[Output]:
        if not self._tracker.advance(place, writer, watermark_ms) or self._tracker.current_ms == NEVER:
            return []
        self.memory.advance(self._tracker.current_ms)
        key, value, headers = watermark_record(str(self._number), self._tracker.current_ms)
        return [Output(self._sides.outcomes, self._number, key, value, headers)]

    def _outcome(self, prediction_id: str, match: Match) -> Output:
        truth = match.truth
        outcome = OutcomeRecord(
            prediction=msgspec.Raw(match.raw),
            label=truth.value if truth.value is not None else 0.0,
            known_ms=truth.time_ms,
            label_partition=truth.partition,
            label_offset=truth.source_offset,
            revision=match.revision,
        )
        return Output(self._sides.outcomes, self._number, prediction_id.encode(), _ENCODER.encode(outcome))

    def _rebuild_from(self, records: Sequence[Record]) -> dict[str, int]:
        for record in records:
            self._next[self._places[record.topic]] = record.offset + 1
        firsts = {self._sides.predictions: self.memory.first_prediction(), self._sides.labels: self.memory.first_label()}
        starts = {self._places[topic]: first for topic, first in firsts.items()}
        # Nothing remembered: nothing to read again. A place that never had a record has no position yet.
        return {
            place: self._next[place] if first is None else first
            for place, first in starts.items()
            if first is not None or place in self._next
        }

    def _details(self) -> dict[str, object]:
        return {"watermarks": self._tracker.seen(), "counts": dict(self.memory.counts)}
