"""What windows are made of: the facts of all partitions' predictions and outcomes, folded in, and how far they reach.

Facts are predictions without flags, at their event times, the labels of such predictions, at the times they were known, and the
records of registered sources.
Each is folded once: up to the archived positions from the lake, from there on from the log, except requests of the process's
own partitions, which are folded when they are answered: a row needn't wait until the one before it came back from the broker.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import structlog

from streams.contracts.features import Source, Window
from streams.contracts.records import MARKER_HEADER
from streams.contracts.schema import OWN_FACTS, ModelSchema
from streams.dialects.base import Dialect, Refusal, Row
from streams.runtime.watermark import NEVER, SOURCE, WatermarkTracker, read_watermark
from streams.serving.columns import decoders_of, fact_columns
from streams.serving.own import OwnFacts
from streams.serving.recording import Answered, joined
from streams.serving.remembering import Kept, Remembered
from streams.transport.records import Record, position_key
from streams.windows.online import WindowState
from streams.windows.texts import Texts
from streams.windows.upkeep import Upkeep

logger = structlog.get_logger(__name__)

MOST_AT_ONCE: Final = 1 << 17
"""Facts that are merged or swept while rows wait: that takes about 20 ms."""

_PLACE = operator.attrgetter("topic", "partition")
_OFFSET, _COLUMNS = operator.attrgetter("offset"), operator.attrgetter("columns")


class Facts(NamedTuple):
    """Facts as columns, without those of suspect rows. `time_ms` is when an outcome was known; `label` is for outcomes only."""

    source: Source
    time_ms: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    label: Sequence[float | None] = ()


class Rows(NamedTuple):
    """Requests as columns: times in ms, and values or arrays by name, each [rows]."""

    time_ms: Sequence[int]
    columns: Mapping[str, Any]


class Heard(NamedTuple):
    """A watermark among the requests of a partition whose rows before it will be folded before anything is read."""

    partition: int
    watermark_ms: int = NEVER


class FeedTopics(NamedTuple):
    """Where the facts come from: topic names, and how many partitions the first two have; partition p is written by task p alone.

    `sources` names the registered sources that windows read and what decodes their records, by topic, which has as many
    in a replay.
    """

    predictions: str
    outcomes: str
    partitions: int
    sources: Mapping[str, tuple[str, Dialect]] = {}


class Feed:
    """Windows over the facts read so far. One per model and process; new specs get a new feed.

    Args:
        specs: the windows.
        skew_ms: the model's allowed cross-partition skew.
        schema: the model's columns.
        topics: where the facts come from.
        skip: offsets below which facts were taken from the lake already, keyed `topic/partition`.
        reached_ms: a watermark that was reached before, with all its facts among those given.
        remembered: the facts to go on with; None: there are none yet.
    """

    def __init__(
        self,
        specs: Sequence[Window],
        *,
        skew_ms: int,
        schema: ModelSchema,
        topics: FeedTopics,
        skip: Mapping[str, int] | None = None,
        reached_ms: int = NEVER,
        remembered: Remembered | None = None,
    ) -> None:
        self._state = remembered.state if remembered else WindowState(specs, schema, skew_ms)
        self._is_live = False
        self._skew_ms = skew_ms
        self._topics = topics
        self._skip = dict(skip or {})
        self._next = dict(self._skip)
        self._reached_ms = reached_ms
        partitions = range(topics.partitions)
        self._of_requests = [WatermarkTracker([(position_key(topics.predictions, number), str(number))]) for number in partitions]
        self._of_outcomes = WatermarkTracker((position_key(topics.outcomes, number), str(number)) for number in partitions)
        # In a replay alone: live, nobody says how far a source has come.
        self._of_sources = {
            name: WatermarkTracker((position_key(topic, number), SOURCE) for number in partitions)
            for topic, (name, _) in topics.sources.items()
        }
        self._own = remembered.own if remembered else OwnFacts()
        self._brought = dict(remembered.brought) if remembered else {}
        self._is_whole = True
        self._refused = 0
        # How long before a row the newest fact of a source lies that any window reads.
        self._near_ms = {
            source: skew_ms + min(spec.delay_ms for spec in specs if spec.source == source)
            for source in {spec.source for spec in specs}
        }
        self._columns = tuple(dict.fromkeys(name for own in OWN_FACTS for name in fact_columns(specs, schema, own)))
        self._looked_up = {source: fact_columns(specs, schema, source) for source, _ in topics.sources.values()}
        self._decode_prediction, self._decode_outcome = decoders_of(self._columns, schema)

    def __len__(self) -> int:
        """Facts held."""
        return len(self._state)

    @property
    def specs(self) -> tuple[Window, ...]:
        """The windows."""
        return self._state.specs

    @property
    def watermark_ms(self) -> int:
        """All facts before this time are in; in a replay, have come by the log (or lay in the lake)."""
        by_log_ms = min(tracker.current_ms for tracker in self._of_requests)
        requests_ms = self._requests_reach_ms(None) if self._is_live else by_log_ms
        return max(self._reached_ms, min(self._of_outcomes.current_ms, requests_ms))

    def covers(self, time_ms: int, heard: Heard | None = None) -> bool:
        """Whether every fact that a row at this time may see has been folded in.

        Args:
            time_ms: the row's event time.
            heard: what the row's own partition says before it.
        """
        return all(self._reach_ms(source, heard) >= time_ms - near_ms for source, near_ms in self._near_ms.items())

    def begin_again(self, partition: int) -> None:
        """Note that a partition's task was restored."""
        self._own.begin_again(partition)

    def fold_own(self, partition: int, offsets: list[int], rows: Rows, flagged: Collection[int]) -> None:
        """Fold requests that are being answered here, before their predictions are in the log.

        Args:
            partition: of the requests.
            offsets: of the requests, ascending.
            rows: the requests.
            flagged: places of suspect rows among them, which are no facts.
        """
        columns = {name: rows.columns[name] for name in self._columns}
        with self._changing():
            # Another worker may have answered them, while this one doesn't know yet that it has taken over.
            brought = bisect_right(offsets, self._brought.get(partition, -1))
            seen = max(self._own.note(partition, offsets), brought)
            if not seen and not flagged:
                self.take(Facts("requests", rows.time_ms, columns))
            else:
                self._take_some(rows, columns, [place for place in range(seen, len(offsets)) if place not in flagged])

    def relive(self, answered: Iterable[Answered]) -> None:
        """Fold what was answered since a recording began, as if this feed had been there."""
        for some in joined(answered):
            if not len(some.offsets):
                self.begin_again(some.partition)
                continue
            # What the log has brought before is folded already; where it has gone into what was recorded, nothing else follows.
            brought = self._brought.get(some.partition, -1)
            if some.offsets[0] <= brought:
                self._own.meet(some.partition)
            new = some.after(brought)
            if len(new.offsets):
                self.fold_own(new.partition, new.offsets.tolist(), Rows(new.time_ms, new.columns), new.flagged)

    @property
    def predictions(self) -> str:
        """The topic of predictions."""
        return self._topics.predictions

    def known(self) -> set[int]:
        """Return the partitions of which the log, where it goes on, has only what was answered here, as far as is known."""
        return set(self._own.met())

    def skip(self, places: Mapping[str, int]) -> None:
        """Note that records below these offsets, keyed `topic/partition`, won't come, because they hold nothing new."""
        for place, offset in places.items():
            self._next[place] = max(self._next.get(place, 0), offset)

    def hear_own(self, heard: Heard) -> None:
        """Note a watermark whose rows before it were folded by `fold_own`."""
        self._own.hear(heard.partition, heard.watermark_ms)

    def _take_some(self, rows: Rows, columns: Mapping[str, Any], kept: list[int]) -> None:
        if kept:
            some = {name: _at(values, kept) for name, values in columns.items()}
            self.take(Facts("requests", [rows.time_ms[place] for place in kept], some))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """What fails half-way leaves facts that no position tells of: such a feed is never kept."""
        self._is_whole = False
        yield
        self._is_whole = True

    def take(self, facts: Facts) -> None:
        """Fold facts that come from elsewhere than the log."""
        if facts.source == "requests":
            self._state.add_requests(facts.time_ms, facts.columns)
        elif facts.source == "outcomes":
            self._state.add_outcomes(facts.time_ms, facts.columns, facts.label)
        else:
            self._state.add_looked_up(facts.source, facts.time_ms, facts.columns)

    def fold(self, records: Sequence[Record]) -> None:
        """Fold records of the log, in offset order per partition."""
        with self._changing():
            self._fold(records)

    def _fold(self, records: Sequence[Record]) -> None:
        predictions: list[Any] = []
        outcomes: list[Any] = []
        looked_up: dict[str, list[Row]] = {}
        watermarks: list[tuple[str, str, int]] = []
        for (topic, number), group in groupby(records, key=_PLACE):
            place, some = position_key(topic, number), list(group)
            self._next[place] = max(self._next.get(place, 0), some[-1].offset + 1)
            facts = self._facts(some, place, watermarks)
            if topic in self._topics.sources:
                for record in facts:
                    self._look_up(record, looked_up)
            elif topic == self._topics.predictions:
                predictions += self._predictions(number, facts)
            else:
                outcomes += [one for one in self._decoded(facts, self._decode_outcome) if not one.prediction.flags]
        self._take_decoded(predictions, outcomes)
        for source, rows in looked_up.items():
            columns = {name: [getattr(row.features, name) for row in rows] for name in self._looked_up[source]}
            self.take(Facts(source, [row.time_ms for row in rows], columns))
        # Facts first: a watermark promises that what came before it is in.
        for tracker in (*self._of_requests, self._of_outcomes, *self._of_sources.values()):
            for place, writer, watermark_ms in watermarks:
                tracker.advance(place, writer, watermark_ms)

    def warm(self) -> None:
        """Make ready for reading; before, the first batch would wait for it."""
        self._state.warm()

    def go_live(self) -> None:
        """From now on rows wait for nothing that takes long: someone else does what is `due`.

        In a replay this isn't called, so that its values are the same to the last bit in each run.
        """
        self._is_live = True
        self._state.defer(MOST_AT_ONCE)

    def due(self) -> Upkeep | None:
        """Return work on the facts that may be made in another thread, None when there is none."""
        return self._state.due()

    def values(self, time_ms: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> dict[str, list[float | None]]:
        """Return every window's value for each row, by spec name."""
        return self._state.values(time_ms, columns)

    def evict(self) -> None:
        """Let go of facts that no row at or after the watermark, less the skew, can see."""
        if self.watermark_ms > self._skew_ms:
            self._state.evict(self.watermark_ms - self._skew_ms)

    def kept(self) -> Kept | None:
        """Return all that it is made of now, of which only keys are copied; None after a fold that failed."""
        if not self._is_whole:
            return None
        return Kept(self.specs, self._state.image(), dict(self._next), self.watermark_ms, self._own.folded(), dict(self._brought))

    def _look_up(self, record: Record, rows: dict[str, list[Row]]) -> None:
        source, dialect = self._topics.sources[record.topic]
        row = dialect.decode(record)
        if not isinstance(row, Refusal):
            rows.setdefault(source, []).append(row)
            return
        # Archiving puts it into quarantine, so that saying how many there are is enough.
        self._refused += 1
        if self._refused & (self._refused - 1) == 0:
            logger.warning(
                "FactSkipped",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=row.detail,
                skipped_of_all=self._refused,
            )

    def _facts(self, records: Sequence[Record], place: str, watermarks: list[tuple[str, str, int]]) -> list[Record]:
        """Return the records of a partition that may be facts, and note the watermarks among them."""
        skip, facts, archived = self._skip.get(place, 0), list[Record](), None
        for record in records:
            if record.headers:
                watermark = read_watermark(record.key, record.headers)
                if watermark is not None:
                    watermarks.append((place, *watermark))
                    continue
                if _is_marker(record):
                    continue
            if record.offset >= skip:
                facts.append(record)
            else:
                archived = record
        if archived is not None and archived.topic == self._topics.predictions:
            # It is folded by the lake, which doesn't say how far that went.
            self._bring(archived.partition, list(self._decoded([archived], self._decode_prediction)))
        return facts

    def _predictions(self, partition: int, records: Sequence[Record]) -> list[Any]:
        """Return those that are facts and not folded yet."""
        rows = list(self._decoded(records, self._decode_prediction))
        self._bring(partition, rows)
        if self._own.answers(partition):
            # In the log's order, whether or not they are facts.
            rows = [row for row in rows if not self._own.has(partition, row.offset)]
        return [row for row in rows if not row.flags]

    def _bring(self, partition: int, rows: Sequence[Any]) -> None:
        if rows:
            self._brought[partition] = max(self._brought.get(partition, -1), *map(_OFFSET, rows))

    def _decoded(self, records: Sequence[Record], decode: Callable[[bytes], Any]) -> Iterator[Any]:
        for record in records:
            try:
                yield decode(record.value or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                logger.warning(
                    "FactSkipped", topic=record.topic, partition=record.partition, offset=record.offset, error=str(error)
                )

    def _reach_ms(self, source: Source, heard: Heard | None) -> int:
        if source in self._of_sources:
            return self._of_sources[source].current_ms
        if source == "outcomes":
            return max(self._reached_ms, self._of_outcomes.current_ms)
        return max(self._reached_ms, self._requests_reach_ms(heard))

    def _requests_reach_ms(self, heard: Heard | None) -> int:
        reaches = []
        for number, tracker in enumerate(self._of_requests):
            heard_ms = heard.watermark_ms if heard is not None and heard.partition == number else NEVER
            reaches.append(max(tracker.current_ms, self._own.reach_ms(number, heard_ms)))
        return min(reaches)

    def _take_decoded(self, predictions: list[Any], outcomes: list[Any]) -> None:
        if predictions:
            times = [row.time_ms for row in predictions]
            self.take(Facts("requests", times, self._transposed(predictions)))
        if outcomes:
            known = [outcome.known_ms for outcome in outcomes]
            columns = self._transposed([outcome.prediction for outcome in outcomes])
            self.take(Facts("outcomes", known, columns, [outcome.label for outcome in outcomes]))

    def _transposed(self, rows: list[Any]) -> dict[str, list[Any]]:
        columns = list(map(_COLUMNS, rows))
        return {name: list(map(operator.attrgetter(name), columns)) for name in self._columns}


def _at(values: Any, places: list[int]) -> Any:
    return values[places] if isinstance(values, np.ndarray | Texts) else [values[place] for place in places]


def _is_marker(record: Record) -> bool:
    return any(name == MARKER_HEADER for name, _ in record.headers)
