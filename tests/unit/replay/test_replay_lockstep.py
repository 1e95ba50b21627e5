"""What a replay waits for, as told by the workers' reports."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from daemon.replay.source import Lockstep, ReplayStalledError
from streams.contracts.records import WorkerReport
from streams.runtime.clock import SystemClock
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


def lockstep(line: Line, patience_seconds: float = 1.0) -> Lockstep:
    return Lockstep(
        publisher=line,  # type: ignore[arg-type]
        reports=line,  # type: ignore[arg-type]
        clock=SystemClock(),
        model="toys",
        requests_topic="requests",
        labels_topic="labels",
        partitions=2,
        patience_seconds=patience_seconds,
    )


async def test_event_time_goes_to_every_partition_and_waits_for_the_daemon():
    line = Line([report("archiving", watermark_ms=500), report("daemon", watermark_ms=100), report("daemon", watermark_ms=200)])
    source = lockstep(line)
    await source.advance(200)
    assert source.reported_ms == 200
    assert {(output.topic, output.partition) for output in line.sent} == {
        (topic, number) for topic in ("requests", "labels") for number in (0, 1)
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
