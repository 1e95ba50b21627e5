"""One partition's requests to its predictions: decode, wait where a replay must, score, encode."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from streams.contracts.errors import StreamsError
from streams.contracts.records import CANARY, CHAMPION, Deployment, TaskState
from streams.dialects import native
from streams.dialects.base import Dialect, Limits, Refusal, Row
from streams.runtime.clock import WallClock
from streams.runtime.protection import Protection
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import NEVER, watermark_record
from streams.serving.board import Board
from streams.serving.door import answer_of
from streams.serving.encoding import Served, encode, marker_output, window_rows
from streams.serving.feed import Heard, Rows
from streams.serving.foreign import UNKNOWN_VERSION, Foreign, Versions
from streams.serving.reading import What, reader
from streams.serving.rows import Batch, as_columns
from streams.serving.scoring import Answering, Answers, flags_of
from streams.serving.shadows import Shadows
from streams.serving.slots import Share
from streams.transport.quarantine import refused
from streams.transport.records import Output, Record, Result

logger = structlog.get_logger(__name__)

Answered = tuple[Deployment, bytes | None]
"""The deployment that answers a row, and the encoded prediction; no bytes where the champion gave no score."""

Placed = tuple[int, int, bytes | None, Row, int | None]
"""A row with its request's partition, offset and record key, and when the broker got it, where that is noted."""

Flags = Mapping[int, list[str]]
"""The flags of suspect rows, by their place in the batch."""

_THREAD_ROWS = 64
_NO_ROW = (int, Refusal)
_NOTHING: list[Any] = []


class Places(NamedTuple):
    """Where a task's answers go: the model and the predictions topic; with the versions of a model that is served elsewhere.

    `protection` is what protects the rows, and the keys of their records. `notes_receipt`: answers say when the broker got the
    request.
    """

    model: str
    predictions: str
    versions: Versions | None = None
    protection: Protection | None = None
    notes_receipt: bool = False


class ServingTask:
    """The processor of one requests partition.

    Its memory is what its state record says: the newest generation marked, the watermark, how many records were rejected since
    the last prediction, and the deployments in force (the deployments topic is compacted and may have lost them). Everything else
    is on the board.

    Args:
        number: the partition.
        places: where the answers go.
        dialect: decodes requests.
        board: what the tasks share.
        clock: real time.
        telemetry: counts.
    """

    def __init__(
        self, number: int, *, places: Places, dialect: Dialect, board: Board, clock: WallClock, telemetry: Telemetry
    ) -> None:
        self._number = number
        self._places = places
        self._board = board
        by_door = native.open_dialect(board.schema, Limits(), {})
        self._read = reader(dialect, board.config.ahead_ms, door=by_door, is_replay=board.replay, protection=places.protection)
        self._clock = clock
        self._telemetry = telemetry
        self._shadows = Shadows(None if board.replay else board.config.shadow_patience_ms / 1_000)
        self._marked = 0
        self._newest_ms = NEVER
        self._untold = 0

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Go on from the last committed state; reading goes on at its position."""
        details = state.details if state is not None else {}
        self._marked = details.get("marked", 0)
        self._untold = details.get("rejected", 0)
        self._newest_ms = details.get("newest_ms", NEVER)
        self._board.watermarks[self._number] = watermark_ms = details.get("watermark_ms", NEVER)
        self._show_watermark()
        self._board.marked = max(self._board.marked, self._marked)
        self._board.progress.resume(self._number, watermark_ms)
        if self._board.feed is not None:
            self._board.feed.begin_again(self._number)
        if self._board.recording is not None:
            self._board.recording.begin_again(self._number)
        for known in details.get("deployments", []):
            self._board.slots.learn(msgspec.convert(known, Deployment))
        self._board.ring()
        return {}

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - never rebuilt
        """Answer as many of the records as can be answered together; wait where not even the first can.

        Raises:
            StreamsError: a row of a replay waited longer than `patience_s`.
            StageClosed: the stage stops.
        """
        began = self._clock.monotonic()
        whats = list(map(self._read, records))
        taken = await self._answerable(whats)
        answered = await self._answer(records[:taken], whats[:taken])
        outputs = self._outputs(records[:taken], whats[:taken], answered)
        if self._places.protection is not None:
            outputs = self._keyed(outputs, self._places.protection)
        told = self._teller(records[:taken], whats[:taken], answered)
        model = self._places.model
        self._telemetry.observe("driftwake_serving_batch_seconds", self._clock.monotonic() - began, model=model)
        waited_s = self._clock.now().timestamp() - records[0].timestamp_ms / 1_000
        self._telemetry.observe("driftwake_serving_latency_seconds", max(waited_s, 0.0), model=model)
        return self._result(outputs, consumed=taken, committed=told)

    def idle(self) -> Result | None:
        """Live: say how far event time has come although nothing came."""
        outputs = self._live_watermark()
        return self._result(outputs, consumed=None) if outputs else None

    def close(self) -> None:
        """Let go of what runs beside: no batch comes any more."""
        self._shadows.close()

    async def _answerable(self, whats: Sequence[What]) -> int:
        """How many, from the first on, can be answered together; waits until the first can."""
        board = self._board
        if not board.replay and board.goes_on(self._marked):
            return len(whats)
        heard = Heard(self._number)
        for index, what in enumerate(whats):
            if isinstance(what, int):
                heard = Heard(self._number, what)
            elif not isinstance(what, Refusal) and not (board.goes_on(self._marked) and board.answers(what.time_ms, heard)):
                if index > 0:
                    return index
                await self._wait(what.time_ms)
        return len(whats)

    async def _wait(self, time_ms: int) -> None:
        """Wait for a champion as long as it takes, and in a replay for what the row should see until patience ends.

        It is the first champion that is waited for, or the one that another worker had come to in this partition.
        """
        board = self._board
        if not board.goes_on(self._marked):
            logger.info("RequestsHeldBack", model=self._places.model, partition=self._number, reason=board.explain(time_ms))
            await board.until(lambda: board.goes_on(self._marked))
        try:
            async with asyncio.timeout(board.config.patience_s):
                await board.until(lambda: board.answers(time_ms))
        except TimeoutError as error:
            raise StreamsError(
                f"partition {self._number} waited {board.config.patience_s} s: {board.explain(time_ms)}"
            ) from error

    async def _answer(self, records: Sequence[Record], whats: Sequence[What]) -> list[Answered]:
        """Score the rows among them, in order."""
        placed = self._placed(records, whats)
        if not placed:
            self._rejected_before(whats, ())
            self._hear(whats)
            return []
        _, offsets, record_keys, rows, _ = zip(*placed, strict=True)
        board = self._board
        times = [row.time_ms for row in rows]
        columns = as_columns(board.schema, rows)
        versions = self._places.versions
        foreign = versions.read(rows, board.slots.champions) if versions is not None else Foreign()
        shares = board.slots.split(times, foreign.champions)
        flags = flags_of(columns, shares, board.suspicions())
        for place in foreign.unknown:
            flags.setdefault(place, []).append(UNKNOWN_VERSION)
        windows: dict[str, Any] = {}
        if board.feed is not None:
            board.feed.fold_own(self._number, list(offsets), Rows(times, columns), flags)
            self._hear(whats)
            windows = board.feed.values(times, columns)
        if board.recording is not None:
            board.recording.note(self._number, offsets, times, columns, flags)
        has_canary = any(share.deployment.canary is not None for share in shares)
        if has_canary and self._places.protection is not None:
            # By what stands in the log, so that who reads it can tell which keys a canary answers.
            record_keys = tuple(map(self._places.protection.record_key, record_keys))
        keys = list(zip(record_keys, (row.id for row in rows), strict=True)) if has_canary else ()
        answering = Answering(board.slots.ready, self._shadows, is_lagging=len(records) >= board.config.max_records)
        batch = Batch(times, columns, windows, keys, foreign.scores)
        # A few rows are scored sooner than a thread gets to them; but only a thread may wait for shadows.
        is_long = len(times) > _THREAD_ROWS or any(len(share.deployment.digests) > 1 for share in shares)
        answers = await asyncio.to_thread(answering.answer, batch, shares) if is_long else answering.answer(batch, shares)
        self._newest_ms = max(self._newest_ms, *times)
        self._count(answers, flags)
        rejected = self._rejected_before(whats, answers.scores)
        return self._encoded(placed, windows, shares, answers, flags, rejected=rejected)

    def _placed(self, records: Sequence[Record], whats: Sequence[What]) -> list[Any]:
        """Return the rows with where their requests stood, which are other records where another server has answered them."""
        number, pairs = self._number, zip(records, whats, strict=True)
        notes = self._places.notes_receipt
        if self._places.versions is None:
            return [
                (number, record.offset, record.key, what, record.timestamp_ms if notes else None)
                for record, what in pairs
                if type(what) not in _NO_ROW
            ]
        answered: Iterable[tuple[Record, Any]] = pairs
        return [(row.partition, row.offset, record.key, row, None) for record, row in answered if type(row) not in _NO_ROW]

    def _rejected_before(self, whats: Sequence[What], scores: Sequence[float]) -> dict[int, int]:
        """Say how many records are rejected before each row, by its number, where there are any.

        What comes behind the last prediction of the batch is told by the next one's first.
        """
        found: dict[int, int] = {}
        if not self._untold and Refusal not in map(type, whats) and all(map(math.isfinite, scores)):
            return found
        place = 0
        for what in whats:
            if isinstance(what, Refusal):
                self._untold += 1
            elif not isinstance(what, int):
                if not abs(scores[place]) < math.inf:
                    self._untold += 1
                elif self._untold:
                    found[place] = self._untold
                    self._untold = 0
                place += 1
        return found

    def _hear(self, whats: Sequence[What]) -> None:
        """Tell the windows how far this partition is complete: all rows before its watermarks have been folded."""
        heard_ms = [what for what in whats if isinstance(what, int)]
        if heard_ms and self._board.feed is not None:
            self._board.feed.hear_own(Heard(self._number, max(heard_ms)))
            self._board.ring()

    def _encoded(
        self,
        placed: Sequence[Placed],
        windows: Any,
        shares: Sequence[Share],
        answers: Answers,
        flags: Flags,
        *,
        rejected: Mapping[int, int],
    ) -> list[Answered]:
        by_row = window_rows(windows, len(placed))
        encoded: list[Any] = [None] * len(placed)
        scores, canaried = answers.scores, answers.canaried
        flags_at, shadows_at, rejected_at = flags.get, answers.shadows.get, rejected.get
        for deployment, which in shares:
            generation = deployment.generation
            champion = (deployment.champion, CHAMPION)
            canary = champion if deployment.canary is None else (deployment.canary.digest, CANARY)
            for i in which.tolist():
                (partition, offset, _, row, received_ms), score = placed[i], scores[i]
                if not abs(score) < math.inf:
                    encoded[i] = (deployment, None)
                    continue
                digest, route = canary if i in canaried else champion
                served = Served(
                    row.id,
                    partition,
                    offset,
                    row.time_ms,
                    row.features,
                    by_row[i],
                    score,
                    digest,
                    generation,
                    route,
                    flags_at(i, _NOTHING),
                    shadows_at(i, _NOTHING),
                    rejected_at(i, 0),
                    received_ms,
                )
                encoded[i] = (deployment, encode(served))
        return encoded

    def _teller(
        self, records: Sequence[Record], whats: Sequence[What], answered: Sequence[Answered]
    ) -> Callable[[], None] | None:
        """Return what tells the callers who wait for some of these answers."""
        door = self._board.door
        if door is None or not len(door):
            return None
        values, told = iter(answered), {}
        for record, what in zip(records, whats, strict=True):
            value = None if isinstance(what, int | Refusal) else next(values)[1]
            ticket = door.ticket_of(record)
            if ticket is not None:
                told[ticket] = answer_of(value, what if isinstance(what, Refusal) else None)
        return functools.partial(door.answer, told)

    def _outputs(self, records: Sequence[Record], whats: Sequence[What], answered: Sequence[Answered]) -> list[Output]:
        outputs: list[Output] = []
        topic, number, answers = self._places.predictions, self._number, iter(answered)
        for record, what in zip(records, whats, strict=True):
            if isinstance(what, int):
                outputs += self._watermark(what)
                continue
            if isinstance(what, Refusal):
                outputs.append(self._rejected(record, what.reason, what.detail))
                continue
            deployment, value = next(answers)
            if value is None:
                outputs.append(self._rejected(record, "not_scored", f"bundle {deployment.champion} gave no finite score"))
                continue
            if deployment.generation > self._marked:
                self._mark(deployment.generation)
                outputs.append(marker_output(topic, deployment, number, record.offset))
            outputs.append(Output(topic, number, record.key, value))
        if not self._board.replay and self._newest_ms != NEVER:
            self._board.progress.observe(number, self._newest_ms, self._clock.monotonic())
        return outputs + self._live_watermark()

    def _keyed(self, outputs: Sequence[Output], protection: Protection) -> list[Output]:
        """Protect the keys of predictions. Watermarks and markers, which have headers, have keys of ours; refusals stay raw."""
        topic = self._places.predictions
        return [
            Output(topic, output.partition, protection.record_key(output.key), output.value)
            if output.topic == topic and not output.headers
            else output
            for output in outputs
        ]

    def _mark(self, generation: int) -> None:
        self._marked = generation
        if generation > self._board.marked:
            self._board.marked = generation
            self._telemetry.set("driftwake_serving_generation", generation, model=self._places.model)
            self._telemetry.count("driftwake_serving_swaps_total", model=self._places.model)

    def _live_watermark(self) -> list[Output]:
        if self._board.replay:
            return []
        due_ms = self._board.progress.due(self._number, self._clock.monotonic())
        return [] if due_ms is None else self._watermark(due_ms)

    def _watermark(self, watermark_ms: int) -> list[Output]:
        """Say it in the one partition of predictions that this task writes."""
        self._board.watermarks[self._number] = max(self._board.watermarks.get(self._number, NEVER), watermark_ms)
        self._show_watermark()
        if self._board.feed is not None and not self._board.replay:
            self._board.feed.hear_own(Heard(self._number, watermark_ms))
        key, value, headers = watermark_record(str(self._number), watermark_ms)
        return [Output(self._places.predictions, self._number, key, value, headers)]

    def _show_watermark(self) -> None:
        if (now_ms := self._board.watermark_ms) != NEVER:
            self._telemetry.set("driftwake_stage_watermark_seconds", now_ms / 1_000, stage="serving", model=self._places.model)

    def _rejected(self, record: Record, reason: str, detail: str) -> Output:
        self._telemetry.count("driftwake_serving_rejected_total", model=self._places.model, reason=reason)
        now_ms = int(self._clock.now().timestamp() * 1_000)
        return refused(record, model=self._places.model, reason=reason, detail=detail, quarantined_ms=now_ms)

    def _result(self, outputs: list[Output], consumed: int | None, committed: Callable[[], None] | None = None) -> Result:
        deployments = [msgspec.to_builtins(deployment) for deployment in self._board.slots.deployments]
        details = {
            "marked": self._marked,
            "newest_ms": self._newest_ms,
            "watermark_ms": self._board.watermarks.get(self._number, NEVER),
            "rejected": self._untold,
            "deployments": deployments,
        }
        return Result(outputs=outputs, details=details, consumed=consumed, committed=committed)

    def _count(self, answers: Answers, flags: Flags) -> None:
        model, count = self._places.model, self._telemetry.count
        canaried = len(answers.canaried)
        count("driftwake_serving_batches_total", model=model)
        count("driftwake_serving_records_total", len(answers.scores) - canaried, model=model, route=CHAMPION)
        if canaried:
            count("driftwake_serving_records_total", canaried, model=model, route=CANARY)
        count("driftwake_serving_flagged_total", len(flags), model=model)
        if answers.failed:
            count("driftwake_serving_failed_shadows_total", answers.failed, model=model)
        for reason, scores in answers.dropped.items():
            count("driftwake_serving_dropped_shadow_scores_total", scores, model=model, reason=reason)
