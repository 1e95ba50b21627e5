"""When a flush is due, what it carries, and what a restart leads back to."""

from __future__ import annotations

import msgspec
import pytest
from pydantic import ValidationError

from streams.archiving.buffers import Buffers
from streams.archiving.config import ArchivingConfig
from streams.archiving.progress import Progress
from streams.contracts.records import MARKER_HEADER
from streams.runtime.durations import Duration
from streams.runtime.watermark import watermark_record
from streams.transport.records import Record

DAY = 86_400_000
TOPICS = ("p", "o")
CONFIG = ArchivingConfig(flush_every=Duration.of("1d"), flush_rows=5, flush_seconds=10)


def tasks_of(partitions: int) -> list[tuple[str, str]]:
    return [(f"{topic}/{number}", str(number)) for topic in TOPICS for number in range(partitions)]


def row(topic: str, partition: int, offset: int, size: int = 3) -> Record:
    return Record(topic, partition, offset, b"k", b"x" * size, (), 0)


def watermark(topic: str, partition: int, offset: int, writer: str, watermark_ms: int) -> Record:
    key, value, headers = watermark_record(writer, watermark_ms)
    return Record(topic, partition, offset, key, value, tuple(headers), 0)


def all_watermarks(watermark_ms: int, partitions: int = 2, offset: int = 100) -> list[Record]:
    return [watermark(topic, p, offset, str(p), watermark_ms) for topic in TOPICS for p in range(partitions)]


def buffers(*, replay: bool = True, positions: dict | None = None, marks: dict | None = None, config: ArchivingConfig = CONFIG):
    progress = Progress(tasks_of(2), config.flush_every.ms if replay else None, marks or {})
    return Buffers(config, progress, positions or {}, replay=replay, now_s=0.0)


def test_a_boundary_is_due_when_all_partitions_and_writers_have_passed_it():
    held = buffers()
    held.take([row("p", 0, 0), row("o", 1, 4)])
    *most, last = all_watermarks(3 * DAY + 5)
    held.take(most)
    assert not held.is_due(1e9)
    held.take([last])
    assert held.is_due(0)
    batches, boundary = held.drain(0)
    assert boundary == 3 * DAY
    assert {batch.topic: batch.positions for batch in batches} == {"p": {"p/0": 1}, "o": {"o/1": 5}}
    assert not held.is_due(1e9)
    held.take(all_watermarks(4 * DAY - 1, offset=200))
    assert not held.is_due(1e9)
    held.take(all_watermarks(4 * DAY, offset=300))
    assert held.drain(0) == ([], 4 * DAY)


def test_memory_is_bounded_by_rows_and_bytes():
    held = buffers()
    held.take(row("p", 0, offset) for offset in range(4))
    assert not held.is_due(1e9)
    held.take([row("p", 1, 0)])
    assert held.is_full
    assert held.is_due(0)
    batches, boundary = held.drain(0)
    assert boundary is None
    assert [len(batch.records) for batch in batches] == [5]
    held.take([row("p", 0, 4, size=64 << 20)])
    assert held.is_due(0)


def test_live_rows_wait_for_seconds_and_every_watermark_is_a_boundary():
    held = buffers(replay=False)
    assert not held.is_due(100)
    held.take([row("p", 0, 0), *all_watermarks(1_234)])
    assert not held.is_due(9.9)
    assert held.is_due(10)
    batches, boundary = held.drain(10)
    assert (len(batches), boundary) == (1, 1_234)
    assert not held.is_due(100)
    held.take(all_watermarks(1_300, offset=200))
    assert not held.is_due(19)
    assert held.is_due(20)
    assert held.drain(20) == ([], 1_300)


def test_stored_records_and_markers_are_dropped():
    held = buffers(positions={"p/0": 10})
    marker = Record("p", 0, 11, b"dw:marker:0", b"{}", ((MARKER_HEADER, b"1"),), 0)
    held.take([row("p", 0, 9), row("p", 0, 10), marker, row("p", 0, 12), row("p", 0, 12), row("p", 1, 0)])
    ((batch,), _) = held.drain(0)
    assert [(record.partition, record.offset) for record in batch.records] == [(0, 10), (0, 12), (1, 0)]
    assert batch.positions == {"p/0": 13, "p/1": 1}


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_restart_after_any_flush_reaches_the_boundary(cut: int):
    """Whatever was flushed before a crash: rows are neither lost nor doubled, and the boundary is reached again."""
    log = [row("p", 0, 0), watermark("p", 0, 1, "0", DAY), row("p", 0, 2), watermark("p", 0, 3, "1", DAY)]
    log += [watermark("p", 1, 0, "0", DAY), row("p", 1, 1), watermark("p", 1, 2, "1", DAY)]
    log += [row("o", 0, 0), *(watermark("o", 0, 1 + w, str(w), DAY) for w in (0, 1))]
    log += [*(watermark("o", 1, w, str(w), DAY) for w in (0, 1)), row("o", 1, 2)]
    stored: list[Record] = []
    positions: dict[str, int] = {}
    marks: dict[str, dict[str, int]] = {}

    def store(held: Buffers) -> int | None:
        batches, boundary = held.drain(0)
        for batch in batches:
            stored.extend(batch.records)
            positions.update(batch.positions)
            marks[batch.topic] = batch.marks
        return boundary

    before = buffers()
    before.take(log[:cut])
    store(before)  # the report is lost in the crash, and so is what was read since
    before.take(log[cut:])
    after = buffers(positions=positions, marks=marks)
    after.take(record for record in log if record.offset >= positions.get(f"{record.topic}/{record.partition}", 0))
    assert after.is_due(0)
    assert store(after) == DAY
    rows = [record for record in log if not record.headers]
    assert sorted(stored, key=msgspec.structs.astuple) == sorted(rows, key=msgspec.structs.astuple)


def test_watermarks_of_strangers_count_for_nothing():
    progress = Progress(tasks_of(1), DAY, {"p": {"p/0/9": DAY, "q/0/0": DAY}})
    progress.observe(watermark("p", 0, 0, "someone", DAY))
    progress.observe(watermark("p", 7, 0, "0", DAY))
    assert progress.marks("p") == {}
    assert progress.reached_ms == -1
    assert not progress.observe(row("p", 0, 1))


def test_a_boundary_needs_a_length():
    with pytest.raises(ValidationError, match="at least 1s"):
        ArchivingConfig(flush_every=Duration.of("0s"))
