"""One partition of predictions or labels to the internal topics: same bytes, partitioned by the prediction's id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streams.contracts.labels import LabelHead, Unusable, label_of
from streams.contracts.partition import partition_of
from streams.contracts.records import MARKER_HEADER, TaskState
from streams.contracts.schema import Task
from streams.joining.progress import LabelProgress
from streams.joining.reading import SOURCE_HEADER, prediction_id, rejected
from streams.runtime.clock import WallClock
from streams.runtime.watermark import NEVER, read_watermark, watermark_record
from streams.transport.records import Output, Record, Result

Observer = Callable[[int], None]


class Target(NamedTuple):
    """An internal topic and how many partitions it has."""

    topic: str
    partitions: int


class RekeyPredictions:
    """The processor of one partition of predictions.

    Args:
        number: the partition.
        model: the model's name.
        target: where the records go.
        progress: is told how far the predictions are; None in a replay.
    """

    def __init__(self, number: int, *, model: str, target: Target, progress: LabelProgress | None) -> None:
        self._number = number
        self._model = model
        self._target = target
        self._progress = progress
        self._watermark_ms = NEVER
        self.rejected = 0

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Go on from the last committed state; there is no other memory."""
        self._watermark_ms = int(state.details.get("watermark_ms", NEVER)) if state is not None else NEVER
        if self._progress is not None:
            self._progress.predictions_reached(self._number, self._watermark_ms)
        return {}

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - never rebuilt
        """Pass predictions on; markers end here."""
        outputs: list[Output] = []
        for record in records:
            watermark = read_watermark(record.key, record.headers)
            if watermark is not None:
                # Only the task that serves this partition writes here.
                self._watermark_ms = max(self._watermark_ms, watermark[1])
                outputs += broadcast(self._target, self._number, self._watermark_ms)
            elif not any(name == MARKER_HEADER for name, _ in record.headers):
                outputs.append(self._passed_on(record))
        if self._progress is not None:
            self._progress.predictions_reached(self._number, self._watermark_ms)
        return Result(outputs=outputs, details={"watermark_ms": self._watermark_ms})

    def _passed_on(self, record: Record) -> Output:
        found = prediction_id(record.value)
        if isinstance(found, Unusable):
            self.rejected += 1
            return rejected(self._model, record, found)
        return passed_on(record, found, self._target)


class RekeyLabels:
    """The processor of one partition of labels.

    Args:
        number: the partition.
        model: the model's name.
        task: what a label may be.
        target: where the records go.
        progress: makes the watermarks; None in a replay, where the source writes them.
        clock: real time.
    """

    def __init__(
        self, number: int, *, model: str, task: Task, target: Target, progress: LabelProgress | None, clock: WallClock
    ) -> None:
        self._number = number
        self._model = model
        self._task = task
        self._target = target
        self._progress = progress
        self._clock = clock
        self._watermark_ms = NEVER
        self.rejected = 0

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Go on from the last committed state; there is no other memory."""
        self._watermark_ms = int(state.details.get("watermark_ms", NEVER)) if state is not None else NEVER
        if self._progress is not None:
            self._progress.resume(self._number, self._watermark_ms)
        return {}

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - never rebuilt
        """Pass labels on; what can't be read goes to quarantine."""
        outputs: list[Output] = []
        newest_ms = NEVER
        for record in records:
            watermark = read_watermark(record.key, record.headers)
            if watermark is not None:
                outputs += self._said(watermark[1])
                continue
            label = label_of(record.value, self._task)
            if isinstance(label, LabelHead):
                outputs.append(passed_on(record, label.id, self._target))
                newest_ms = max(newest_ms, label.time_ms)
            else:
                self.rejected += 1
                outputs.append(rejected(self._model, record, label))
        if self._progress is not None and newest_ms > NEVER:
            self._progress.observe(self._number, newest_ms, self._clock.monotonic())
        return Result(outputs=outputs + self._due(), details={"watermark_ms": self._watermark_ms})

    def idle(self) -> Result | None:
        """Live: say how far event time has come although nothing came."""
        outputs = self._due()
        return Result(outputs=outputs, details={"watermark_ms": self._watermark_ms}) if outputs else None

    def _said(self, watermark_ms: int) -> list[Output]:
        """Forward a watermark of the source. Live there is no source: what a user's topic holds is not believed."""
        if self._progress is not None:
            return []
        self._watermark_ms = max(self._watermark_ms, watermark_ms)
        return broadcast(self._target, self._number, self._watermark_ms)

    def _due(self) -> list[Output]:
        due = self._progress.due(self._number, self._clock.monotonic()) if self._progress is not None else None
        if due is None:
            return []
        self._watermark_ms = due
        return broadcast(self._target, self._number, due)


def passed_on(record: Record, prediction_id: str, target: Target) -> Output:
    """Make the internal record: same bytes, keyed by the id, saying where it came from."""
    source = f"{record.partition}/{record.offset}".encode()
    partition = partition_of(prediction_id, target.partitions)
    return Output(target.topic, partition, prediction_id.encode(), record.value, ((SOURCE_HEADER, source),))


def broadcast(target: Target, writer: int, watermark_ms: int) -> list[Output]:
    """Make the watermark records for every internal partition."""
    key, value, headers = watermark_record(str(writer), watermark_ms)
    return [Output(target.topic, partition, key, value, headers) for partition in range(target.partitions)]
