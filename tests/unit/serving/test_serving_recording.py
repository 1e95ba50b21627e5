"""A feed that is made elsewhere, while rows are answered here, in the end holds each fact once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.features import Window
from streams.contracts.records import Prediction
from streams.contracts.schema import Column, ModelSchema
from streams.serving.backfilling import relive_all
from streams.serving.feed import Facts, Feed, FeedTopics, Rows
from streams.serving.own import OwnFacts
from streams.serving.recording import Answered, Recording, joined
from streams.serving.remembering import Remembered
from streams.sources.registered import Registered
from streams.transport.records import Record
from streams.windows.online import WindowState

SCHEMA = ModelSchema(
    columns=(Column(name="size", kind="number"), Column(name="owner", kind="category", role="key")),
)
SUM = Window(aggregate="sum", source="requests", column="size", by=("owner",), range_ms=10**9)
COUNT = Window(aggregate="count", source="requests", range_ms=10**9)
SPECS = (SUM, COUNT)
OWN, OTHER = 0, 1
LATE_MS = 10**8


def new_feed(remembered: Remembered | None = None, skip: dict[str, int] | None = None) -> Feed:
    skip = remembered.positions if remembered else skip
    return Feed(SPECS, skew_ms=0, schema=SCHEMA, topics=FeedTopics("p", "o", 2), skip=skip, remembered=remembered)


class Stream:
    """Requests of two partitions and the log of what was predicted; request n has size 2**(n % 40), so that sums tell which."""

    def __init__(self) -> None:
        self.log: dict[int, list[Record]] = {OWN: [], OTHER: []}
        self.asked = {OWN: 0, OTHER: 0}
        self.waiting: list[list[Record]] = []

    def batch(self, partition: int, size: int) -> tuple[list[int], Rows]:
        """Answer some requests; `commit` writes their predictions."""
        offsets = list(range(self.asked[partition], self.asked[partition] + size))
        self.asked[partition] += size
        values = [float(2 ** (offset % 40)) for offset in offsets]
        owners = [f"o{offset % 3}" for offset in offsets]
        times = [1_000 + offset for offset in offsets]
        begin = len(self.log[partition]) + sum(len(batch) for batch in self.waiting if batch[0].partition == partition)
        records = []
        for place, offset in enumerate(offsets):
            columns = {"size": values[place], "owner": owners[place]}
            row = Prediction(
                id=str(offset),
                partition=partition,
                offset=offset,
                time_ms=times[place],
                columns=columns,
                windows={},
                score=0.5,
                digest="d",
                generation=1,
            )
            records.append(Record("p", partition, begin + place, None, msgspec.json.encode(row), (), 0))
        self.waiting.append(records)
        return offsets, Rows(times, {"size": np.array(values), "owner": owners})

    def commit(self) -> None:
        """Write what was answered first and isn't written yet."""
        if self.waiting:
            records = self.waiting.pop(0)
            self.log[records[0].partition] += records


class Serving:
    """A process that answers its own partition, among what another does, as drawn."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.stream = Stream()
        self.recording = Recording(["size", "owner"])

    def answer(self, *, is_recorded: bool, live: Feed | None = None) -> None:
        for _ in range(self.draw(st.integers(0, 4))):
            partition = self.draw(st.sampled_from([OWN, OTHER]))
            offsets, rows = self.stream.batch(partition, self.draw(st.integers(1, 3)))
            if partition == OWN and is_recorded:
                self.recording.note(OWN, offsets, rows.time_ms, rows.columns, {})
            if partition == OWN and live is not None:
                live.fold_own(OWN, offsets, rows, {})
            for _ in range(self.draw(st.integers(0, 2))):
                self.stream.commit()

    def rebuilt(self) -> Remembered:
        """Read the lake and then the log to some end, elsewhere, and return what is left of that."""
        archived = {partition: self.draw(st.integers(0, len(log))) for partition, log in self.stream.log.items()}
        elsewhere = new_feed(skip={f"p/{partition}": end for partition, end in archived.items()})
        for partition, log in self.stream.log.items():
            rows = [msgspec.json.decode(record.value or b"", type=Prediction) for record in log[: archived[partition]]]
            columns = {name: [row.columns[name] for row in rows] for name in ("size", "owner")}
            elsewhere.take(Facts("requests", [row.time_ms for row in rows], columns))
        for partition, log in self.stream.log.items():
            begin = max(archived[partition] - 1, 0)  # one record again, to see which request it was
            elsewhere.fold(log[begin : self.draw(st.integers(archived[partition], len(log)))])
        kept = elsewhere.kept()
        assert kept is not None
        state = WindowState(SPECS, SCHEMA, 0)
        state.restore(kept.image)
        return Remembered(state, OwnFacts(kept.own), kept.positions, kept.reached_ms, kept.brought)

    def read_on(self, fed: Feed, positions: dict[int, int]) -> None:
        """Read the log to its end as it is now or further, in parts of any partition, but of what is known nothing."""
        until = {partition: len(log) for partition, log in self.stream.log.items()}
        self.answer(is_recorded=True)
        while left := [one for one, end in until.items() if positions[one] < end and one not in fed.known()]:
            self.answer(is_recorded=True)
            partition = self.draw(st.sampled_from(left))
            end = self.draw(st.integers(positions[partition], len(self.stream.log[partition])))
            fed.fold(self.stream.log[partition][positions[partition] : end])
            positions[partition] = end
            self.answer(is_recorded=True)
            if self.draw(st.booleans()):
                fed.relive(self.recording.drain())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_each_fact_is_folded_once_wherever_everything_falls(data: st.DataObject) -> None:
    serving = Serving(data.draw)
    stream, recording = serving.stream, serving.recording
    serving.answer(is_recorded=False)
    serving.answer(is_recorded=False)
    serving.answer(is_recorded=True)
    remembered = serving.rebuilt()
    serving.answer(is_recorded=True)
    fed = new_feed(remembered)
    fed.relive(recording.drain())
    serving.answer(is_recorded=True)
    positions = {partition: remembered.positions.get(f"p/{partition}", 0) for partition in stream.log}
    serving.read_on(fed, positions)
    fed.relive(recording.drain())
    serving.answer(is_recorded=False, live=fed)
    while stream.waiting:
        stream.commit()
    truth = new_feed()
    for partition, log in stream.log.items():
        fed.fold(log[positions[partition] :])
        truth.fold(log)
    asked = {"size": [None] * 3, "owner": ["o0", "o1", "o2"]}
    assert fed.values([LATE_MS] * 3, asked) == truth.values([LATE_MS] * 3, asked)


def test_what_is_interrupted_is_read_from_the_log() -> None:
    stream, recording, fed = Stream(), Recording(["size", "owner"]), new_feed()
    offsets, rows = stream.batch(OWN, 3)
    recording.note(OWN, offsets, rows.time_ms, rows.columns, {})
    fed.relive(recording.drain())
    stream.commit()
    fed.fold(stream.log[OWN][:1])
    assert fed.known() == {OWN}
    recording.begin_again(OWN)
    fed.relive(recording.drain())
    assert fed.known() == set()
    stream.batch(OWN, 2)  # another worker's, while it had the partition
    stream.commit()
    offsets, rows = stream.batch(OWN, 2)
    recording.note(OWN, offsets, rows.time_ms, rows.columns, {})
    fed.relive(recording.drain())
    stream.commit()
    fed.fold(stream.log[OWN][1:])
    assert fed.values([LATE_MS], {"size": [None], "owner": ["o0"]})[COUNT.name] == [7.0]


def test_what_the_log_brought_beyond_the_recordings_beginning_tells_what_follows() -> None:
    stream, recording, fed = Stream(), Recording(["size", "owner"]), new_feed()
    for size in (3, 2):
        offsets, rows = stream.batch(OWN, size)
        recording.note(OWN, offsets, rows.time_ms, rows.columns, {})
        stream.commit()
    fed.fold(stream.log[OWN][:3])
    assert fed.known() == set()
    fed.relive(recording.drain())
    assert fed.known() == {OWN}, "no record of the log has to be read for that"
    assert fed.values([LATE_MS], {"size": [None], "owner": ["o0"]})[COUNT.name] == [5.0]
    recording.begin_again(OWN)
    fed.relive(recording.drain())
    assert fed.known() == set()


def test_a_source_that_is_all_wrong_does_not_flood_the_log() -> None:
    source = Registered("weather", "w", (Column(name="wind", kind="number"),))
    fed = Feed(SPECS, skew_ms=0, schema=SCHEMA, topics=FeedTopics("p", "o", 1, {"w": ("weather", source.open())}))
    with structlog.testing.capture_logs() as logs:
        for offset in range(100):
            fed.fold([Record("w", 0, offset, None, b"{", (), 0)])
    assert [entry["skipped_of_all"] for entry in logs] == [1, 2, 4, 8, 16, 32, 64]


def test_what_is_let_go_comes_by_the_log() -> None:
    stream, fed = Stream(), new_feed()
    recording = Recording(["size", "owner"], most_bytes=200)

    def answer() -> None:
        offsets, rows = stream.batch(OWN, 2)
        recording.note(OWN, offsets, rows.time_ms, rows.columns, {})
        stream.commit()

    answer()
    fed.relive(recording.drain())
    for _ in range(9):
        answer()
    assert not recording.is_whole
    assert recording.drain() == []
    fed.begin_again(OWN)  # as for every partition, where a recording isn't whole
    offsets, rows = stream.batch(OWN, 3)
    fed.fold_own(OWN, offsets, rows, {})
    stream.commit()
    assert fed.known() == set()
    fed.fold(stream.log[OWN])
    assert fed.values([LATE_MS], {"size": [None], "owner": ["o0"]})[COUNT.name] == [23.0]
    assert fed.known() == {OWN}


class BusyFeed(Feed):
    """While it folds, requests go on being answered."""

    answer: Callable[[], None]
    times = 3

    def relive(self, answered: Iterable[Answered]) -> None:
        super().relive(answered)
        if self.times:
            self.times -= 1
            for _ in range(6):
                self.answer()


async def test_what_is_answered_while_what_was_is_folded_is_folded_too() -> None:
    stream, recording = Stream(), Recording(["size", "owner"])
    fed = BusyFeed(SPECS, skew_ms=0, schema=SCHEMA, topics=FeedTopics("p", "o", 2))

    def answer() -> None:
        offsets, rows = stream.batch(OWN, 3)
        recording.note(OWN, offsets, rows.time_ms, rows.columns, {})

    fed.answer = answer
    for _ in range(6):
        answer()
    await relive_all(fed, recording)
    assert recording.drain() == []
    assert fed.values([LATE_MS], {"size": [None], "owner": ["o0"]})[COUNT.name] == [4 * 6 * 3.0]


def test_many_small_batches_become_few() -> None:
    recording = Recording(["size", "owner"])
    for number in range(40_000):
        recording.note(number % 2, [number], [number], {"size": np.array([1.0]), "owner": ["a"]}, {0} if number == 7 else {})
    recording.begin_again(OWN)
    parts = list(joined(recording.drain()))
    assert [(part.partition, len(part.offsets)) for part in parts] == [(OWN, 20_000), (OWN, 0), (OTHER, 20_000)]
    assert parts[2].flagged == {3}
    assert parts[2].offsets[3] == 7
