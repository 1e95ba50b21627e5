"""What a replay waits for, as told by the workers' reports."""

import asyncio
from collections.abc import Sequence

import msgspec
import pandas as pd
import pytest

from daemon.replay.source import Bucket, Lockstep, ReplayStalledError, buckets
from streams.contracts.records import WorkerReport
from streams.runtime.clock import SystemClock
from streams.runtime.watermark import read_watermark
from streams.transport.records import Output, Record


class Line:
    """Publisher and follower in one: what is published is kept, what `told` holds is polled one after the other."""

    def __init__(self, told: Sequence[WorkerReport] = ()) -> None:
        self.told = list(told)
        self.sent: list[Output] = []

    async def send_many(self, outputs: Sequence[Output]) -> None:
        self.sent += outputs

    async def poll(self, timeout_ms: int) -> list[Record]:
        await asyncio.sleep(0.001)
        if not self.told:
            return []
        report = self.told.pop(0)
        key = f"{report.stage}/{report.model}/{report.partition}".encode()
        return [Record("driftwake.workers", 0, 0, key, msgspec.json.encode(report), (), 0)]


def report(stage: str, partition: int = 0, *, generation: int = 0, watermark_ms: int = -1, model: str = "toys") -> WorkerReport:
    return WorkerReport(
        stage=stage, model=model, partition=partition, epoch="e", generation=generation, watermark_ms=watermark_ms
    )


def lockstep(line: Line, patience_seconds: float = 1.0, step_ms: int | None = None, **sources: str) -> Lockstep:
    return Lockstep(
        publisher=line,  # type: ignore[arg-type]
        reports=line,  # type: ignore[arg-type]
        clock=SystemClock(),
        model="toys",
        requests_topic="requests",
        labels_topic="labels",
        events_topic="events",
        sources=sources,
        partitions=2,
        step_ms=step_ms,
        patience_seconds=patience_seconds,
    )


async def test_event_time_goes_to_every_partition_and_waits_for_the_daemon():
    line = Line([report("archiving", watermark_ms=500), report("daemon", watermark_ms=100), report("daemon", watermark_ms=200)])
    source = lockstep(line, weather="wind")
    await source.advance(200)
    assert source.reported_ms == 200
    assert {(output.topic, output.partition) for output in line.sent} == {
        (topic, number) for topic in ("requests", "labels", "wind") for number in (0, 1)
    }


async def test_the_generation_served_is_the_one_that_all_partitions_have_read():
    line = Line(
        [report("serving", 0, generation=3), report("serving", 1, generation=2), report("serving", 1, generation=9, model="x")]
    )
    source = lockstep(line)
    for expected in (0, 2, 2):
        await source.breathe()
        assert source.served_generation == expected


async def test_an_order_is_waited_for_until_the_daemon_reports_again():
    line = Line([report("daemon", watermark_ms=100)])
    source = lockstep(line)
    await source.advance(100)

    async def order() -> None:
        line.told.append(report("daemon", watermark_ms=100))

    await source.settled(order())
    assert not line.told


async def test_an_order_that_nobody_acts_on_stalls_the_replay():
    async def order() -> None:
        return

    with pytest.raises(ReplayStalledError, match="acts on an order"):
        await lockstep(Line(), patience_seconds=0.05).settled(order())


def bucket(start_ms: int, end_ms: int, requests: Sequence[int], labels: Sequence[int]) -> Bucket:
    asked = pd.DataFrame({"id": [f"r{time}" for time in requests], "time_ms": requests, "x": 1.0})
    known = pd.DataFrame({"id": [f"r{time}" for time in labels], "time_ms": labels, "label": 1.0})
    return Bucket(start_ms, end_ms, asked, known)


async def released(step_ms: int | None, cut: Bucket, topic: str = "requests") -> list[str]:
    """What is written to a topic, in order: times of rows, and watermarks in brackets (one of the two partitions')."""
    line = Line([report("daemon", watermark_ms=cut.start_ms), report("daemon", watermark_ms=cut.end_ms)])
    await lockstep(line, step_ms=step_ms, weather="wind").release(cut)
    told = []
    for output in line.sent:
        watermark = read_watermark(output.key, output.headers)
        if output.topic == topic and (watermark is None or output.partition == 0):
            told.append(str(msgspec.json.decode(output.value)["time_ms"]) if watermark is None else f"[{watermark[1]}]")
    return told


async def test_the_daemon_is_told_how_far_a_bucket_goes_before_anything_of_it_is_written():
    assert await released(20, bucket(100, 200, [100, 165], []), "events") == ["[200]"]
    line = Line([report("daemon", watermark_ms=100), report("daemon", watermark_ms=200)])
    await lockstep(line, step_ms=20).release(bucket(100, 200, [100, 165], []))
    since = next(place for place, output in enumerate(line.sent) if output.topic == "events")
    assert read_watermark(line.sent[since].key, line.sent[since].headers) == ("source/toys", 200)
    before = [read_watermark(output.key, output.headers) for output in line.sent[:since]]
    assert before == [("source", 100)] * 4


async def test_a_bucket_no_longer_than_a_step_is_written_at_once():
    cut = bucket(100, 200, [100, 150, 199], [120])
    expected = ["[100]", "100", "150", "199", "[200]"]
    assert await released(None, cut) == expected
    assert await released(100, cut) == expected
    assert await released(1_000, cut) == expected


async def test_in_a_longer_bucket_event_time_goes_before_every_step_that_has_rows():
    cut = bucket(100, 200, [100, 119, 120, 165, 199], [141])
    expected = ["[100]", "100", "119", "[120]", "120", "[140]", "[160]", "165", "[180]", "199", "[200]"]
    assert await released(20, cut) == expected
    # A step may also leave something over at the bucket's end.
    assert await released(70, cut) == ["[100]", "100", "119", "120", "165", "[170]", "199", "[200]"]


async def test_what_a_source_said_comes_in_its_time_and_what_it_said_before_at_once():
    said = pd.DataFrame({"id": ["a", "b", "c", "d"], "time_ms": [10, 90, 130, 210], "wind": [1.0, None, 3.0, 4.0]})
    empty, known = bucket(100, 200, [], []), {"weather": said}
    first, second = buckets(empty.requests.astype({"time_ms": int}), empty.labels.astype({"time_ms": int}), known,
                            since_ms=100, until_ms=300, bucket_ms=100)  # fmt: skip
    assert await released(20, first, "wind") == ["[100]", "10", "90", "[120]", "130", "[200]"]
    assert await released(20, second, "wind") == ["[200]", "210", "[300]"]


async def test_no_row_is_lost_in_any_cut():
    times = list(range(1_000, 2_000, 7))
    for step_ms in (1, 3, 10, 333, 999, 1_000):
        told = await released(step_ms, bucket(1_000, 2_000, times, []))
        assert [int(one) for one in told if one.isdigit()] == times
        marks = [int(one.strip("[]")) for one in told if not one.isdigit()]
        assert marks == sorted(set(marks))
