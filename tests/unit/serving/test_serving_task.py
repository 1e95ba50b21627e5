"""One serving task: decode, wait, split, score and encode, in offset order, without a broker."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator

import msgspec
import pytest

from streams.contracts.errors import StreamsError
from streams.contracts.features import Window
from streams.contracts.records import Deployment, Prediction, Rejected, Slot, TaskState
from streams.dialects import native
from streams.dialects.base import Limits, Refusal
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark, watermark_record
from streams.serving.board import Board, StageClosed
from streams.serving.config import ServingConfig
from streams.serving.feed import Feed, FeedTopics
from streams.serving.progress import Progress
from streams.serving.slots import Slots
from streams.serving.task import Places, ServingTask
from streams.transport.records import Output, Record
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of

COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=1_000_000)
ROWS = rows_of(50, seed=4)


class StillClock:
    """A wall clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> list[Scorer]:
    root = tmp_path_factory.mktemp("task") / "registry"
    return [
        load(BundleStore(root), "toys", make_bundle(root, seed=seed, windows=[COUNT] if seed == 2 else ())) for seed in range(3)
    ]


class Bed:
    """A task with its board."""

    def __init__(self, *, replay: bool, **config: float) -> None:
        progress = Progress([0, 1], lateness_ms=10, idle_after_ms=5_000, every_ms=1_000)
        self.clock = StillClock()
        self.board = Board(schema=SCHEMA, config=ServingConfig(**config), slots=Slots(), progress=progress, replay=replay)
        self.telemetry = Telemetry(["toys"])
        self.task = ServingTask(
            0,
            places=Places("toys", "toys.predictions"),
            dialect=native.open_dialect(SCHEMA, Limits(), {}),
            board=self.board,
            clock=self.clock,
            telemetry=self.telemetry,
        )
        self.task.restore(None)

    def deploy(self, generation: int, scorer: Scorer, effective_ms: int) -> None:
        active = (Slot(name="champion", digest=scorer.digest),)
        self.board.slots.learn(
            Deployment(model="toys", generation=generation, active=active, effective_ms=effective_ms, reason="")
        )

    def counted(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, {"model": "toys", **labels})


def request(offset: int, time_ms: int) -> Record:
    value = native.example(f"r{offset}", time_ms, {name: values[offset] for name, values in ROWS.items()}).value
    return Record("toys.requests", 0, offset, f"k{offset}".encode(), value, (), time_ms)


def source(offset: int, time_ms: int) -> Record:
    key, value, headers = watermark_record("source", time_ms)
    return Record("toys.requests", 0, offset, key, value, tuple(headers), 0)


def kinds(outputs: list[Output]) -> Iterator[str]:
    for output in outputs:
        watermark = read_watermark(output.key, output.headers)
        if output.topic == "driftwake.quarantine":
            rejected = msgspec.json.decode(output.value, type=Rejected)
            yield f"rejected {rejected.offset} {rejected.reason}"
        elif watermark is not None:
            yield f"watermark {watermark[1]} by {watermark[0]} to {output.partition}"
        elif output.headers:
            marker = msgspec.json.decode(output.value)
            yield f"marker {marker['generation']} from {marker['first_offset']}"
        else:
            prediction = msgspec.json.decode(output.value, type=Prediction)
            assert output.key == f"k{prediction.offset}".encode()
            assert output.partition == prediction.partition == 0
            yield f"{prediction.offset} by {prediction.generation}"


async def test_outputs_follow_the_offsets_and_each_row_has_its_generation(scorers: list[Scorer]) -> None:
    bed = Bed(replay=True)
    bed.deploy(1, scorers[0], 0)
    bed.deploy(2, scorers[1], START_MS + 100)
    for scorer in scorers[:2]:
        bed.board.accept(scorer)
    poison = Record("toys.requests", 0, 2, None, b"junk", (), 0)
    records = [source(0, START_MS), request(1, START_MS), poison, request(3, START_MS + 100), request(4, START_MS + 99)]
    result = await bed.task.process([*records, source(5, START_MS + 200)], rebuilding=False)
    assert list(kinds(result.outputs)) == [
        f"watermark {START_MS} by 0 to 0",
        "marker 1 from 1",
        "1 by 1",
        "rejected 2 not_json",
        "marker 2 from 3",
        "3 by 2",
        "4 by 1",
        f"watermark {START_MS + 200} by 0 to 0",
    ]
    assert result.consumed == 6
    first = msgspec.json.decode(result.outputs[2].value, type=Prediction)
    assert first.columns == {name: values[1] for name, values in ROWS.items()}
    expected = scorers[0].score({name: values[1:2] for name, values in ROWS.items()}, {}, [START_MS])
    assert first.score == float(expected[0])
    assert first.digest == scorers[0].digest
    assert bed.counted("driftwake_serving_records_total", route="champion") == 3
    assert bed.counted("driftwake_serving_rejected_total", reason="not_json") == 1
    assert bed.counted("driftwake_serving_generation") == 2


async def test_a_restored_task_marks_no_generation_twice_and_knows_its_deployments(scorers: list[Scorer]) -> None:
    bed = Bed(replay=True)
    bed.deploy(1, scorers[0], 0)
    bed.board.accept(scorers[0])
    result = await bed.task.process([source(0, START_MS), request(1, START_MS)], rebuilding=False)
    again = Bed(replay=True)
    again.task.restore(TaskState(positions={}, details=msgspec.json.decode(msgspec.json.encode(result.details))))
    assert again.board.slots.missing() == (scorers[0].digest,)
    assert again.board.watermark_ms == START_MS
    again.board.accept(scorers[0])
    result = await again.task.process([request(2, START_MS)], rebuilding=False)
    assert list(kinds(result.outputs)) == ["2 by 1"]


def poison(offset: int) -> Record:
    return Record("toys.requests", 0, offset, None, b"junk", (), 0)


def rejected_before(outputs: list[Output]) -> dict[int, int]:
    rows = [
        msgspec.json.decode(output.value, type=Prediction)
        for output in outputs
        if output.topic == "toys.predictions" and not output.headers
    ]
    return {row.offset: row.rejected_before for row in rows}


def committed(details: dict) -> TaskState:
    return TaskState(positions={}, details=msgspec.json.decode(msgspec.json.encode(details)))


async def test_a_prediction_says_how_many_records_were_rejected_since_the_one_before_it(scorers: list[Scorer]) -> None:
    bed = Bed(replay=True)
    bed.deploy(1, scorers[0], 0)
    bed.deploy(2, scorers[1], START_MS + 100)
    for scorer in scorers[:2]:
        bed.board.accept(scorer)
    later = START_MS + 100
    records = [
        source(0, START_MS), poison(1), poison(2), request(3, START_MS), request(4, START_MS),
        poison(5), request(6, later), poison(7), source(8, START_MS + 1), poison(9), request(10, START_MS + 99), poison(11),
    ]  # fmt: skip
    result = await bed.task.process(records, rebuilding=False)
    # In the order of the offsets, though the rows of the two generations were scored apart.
    assert rejected_before(result.outputs) == {3: 2, 4: 0, 6: 1, 10: 2}
    assert result.details["rejected"] == 1
    result = await bed.task.process([poison(12), poison(13)], rebuilding=False)
    assert (rejected_before(result.outputs), result.details["rejected"]) == ({}, 3)
    result = await bed.task.process([request(14, later), request(15, later)], rebuilding=False)
    assert (rejected_before(result.outputs), result.details["rejected"]) == ({14: 3, 15: 0}, 0)


async def test_rejected_records_that_no_prediction_has_followed_are_told_once_after_a_restart(scorers: list[Scorer]) -> None:
    beds = [Bed(replay=True) for _ in range(2)]
    for bed in beds:
        bed.deploy(1, scorers[0], 0)
        bed.board.accept(scorers[0])
    first, second = beds
    alone = await first.task.process([source(0, START_MS), poison(1), poison(2)], rebuilding=False)
    # This batch is answered, and its commit fails: whoever goes on begins at the state before it.
    await first.task.process([poison(3), request(4, START_MS)], rebuilding=False)
    for bed in (first, second):
        bed.task.restore(committed(alone.details))
        again = await bed.task.process([poison(3), request(4, START_MS)], rebuilding=False)
        assert (rejected_before(again.outputs), again.details["rejected"]) == ({4: 3}, 0)
    second.task.restore(None)
    found = await second.task.process([request(5, START_MS)], rebuilding=False)
    assert rejected_before(found.outputs) == {5: 0}, "its memory was another worker's"


async def test_where_it_is_asked_for_a_prediction_says_when_the_broker_got_the_request(scorers: list[Scorer]) -> None:
    bed = Bed(replay=False)
    bed.deploy(1, scorers[0], 0)
    bed.board.accept(scorers[0])
    stamped = [msgspec.structs.replace(request(offset, START_MS), timestamp_ms=START_MS + offset) for offset in (1, 2)]
    for notes, expected in ((False, [None, None]), (True, [START_MS + 1, START_MS + 2])):
        bed.task._places = bed.task._places._replace(notes_receipt=notes)
        result = await bed.task.process(stamped, rebuilding=False)
        values = [msgspec.json.decode(output.value) for output in result.outputs if not output.headers]
        assert [value.get("received_ms") for value in values] == expected
        assert ["received_ms" in value for value in values] == [notes] * 2


async def test_a_row_that_no_bundle_could_score_is_rejected_too() -> None:
    bed = Bed(replay=True)
    row = native.open_dialect(SCHEMA, Limits(), {}).decode(request(0, START_MS))
    whats = [row, 5, Refusal("not_json", ""), row, row]
    assert bed.task._rejected_before(whats, [float("nan"), float("inf"), 0.5]) == {2: 3}
    assert bed.task._rejected_before([row], [0.5]) == {}


def feed_at(time_ms: int) -> Feed:
    return Feed([COUNT], skew_ms=1_000, schema=SCHEMA, topics=FeedTopics("p", "o", 1), reached_ms=time_ms)


async def test_a_replayed_row_waits_until_its_facts_are_in(scorers: list[Scorer]) -> None:
    bed = Bed(replay=True)
    bed.deploy(1, scorers[2], 0)
    bed.board.accept(scorers[2])
    bed.board.feed = feed_at(START_MS)
    records = [request(0, START_MS + 1_000), request(1, START_MS + 1_001), request(2, START_MS + 500)]
    result = await bed.task.process(records, rebuilding=False)
    assert result.consumed == 1, "only rows whose facts are all in are taken"
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(bed.task.process(records[1:], rebuilding=False))
        await asyncio.sleep(0)
        assert not waiting.done()
        bed.board.ring()
        await asyncio.sleep(0)
        assert not waiting.done()
        bed.board.feed = feed_at(START_MS + 1)
        bed.board.ring()
    result = waiting.result()
    assert result.consumed == 2
    assert COUNT.name in msgspec.json.decode(result.outputs[0].value, type=Prediction).windows


async def test_rows_of_the_own_partition_do_not_wait_for_the_log(scorers: list[Scorer]) -> None:
    bed = Bed(replay=True)
    bed.deploy(1, scorers[2], 0)
    bed.board.accept(scorers[2])
    feed = bed.board.feed = feed_at(START_MS)
    first = await bed.task.process([request(0, START_MS)], rebuilding=False)
    sent = next(output for output in first.outputs if not output.headers)
    feed.fold([Record("p", 0, 0, sent.key, sent.value, (), 0)])
    later = START_MS + 60_000
    records = [source(1, later), request(2, later + 500), source(3, later + 60_000), request(6, later + 60_500)]
    result = await bed.task.process(records, rebuilding=False)
    assert result.consumed == 4
    rows = [msgspec.json.decode(output.value, type=Prediction) for output in result.outputs if not output.headers]
    # All three rows have the same owner.
    assert [row.windows[COUNT.name] for row in rows] == [1.0, 2.0]


async def test_patience_ends_with_an_error_that_explains(scorers: list[Scorer]) -> None:
    bed = Bed(replay=True, patience_s=0.01)
    bed.deploy(1, scorers[2], 0)
    bed.board.accept(scorers[2])
    bed.board.feed = feed_at(START_MS)
    with pytest.raises(StreamsError, match="a source must write a watermark at least every skew"):
        await bed.task.process([request(0, START_MS + 5_000)], rebuilding=False)


async def test_a_replayed_row_waits_for_its_generation_and_a_live_one_does_not(scorers: list[Scorer]) -> None:
    for replay in (True, False):
        bed = Bed(replay=replay, patience_s=0.01)
        bed.deploy(1, scorers[0], 0)
        bed.deploy(2, scorers[1], START_MS)
        bed.board.accept(scorers[0])
        if replay:
            with pytest.raises(StreamsError, match="generation 2 are still being prepared"):
                await bed.task.process([request(0, START_MS)], rebuilding=False)
        else:
            result = await bed.task.process([request(0, START_MS)], rebuilding=False)
            assert next(kind for kind in kinds(result.outputs) if " by 1" in kind) == "0 by 1"


async def test_nothing_deployed_waits_but_bad_records_do_not(scorers: list[Scorer]) -> None:
    bed = Bed(replay=False)
    bad = Record("toys.requests", 0, 0, None, None, (), 0)
    result = await bed.task.process([bad, request(1, START_MS)], rebuilding=False)
    assert (result.consumed, list(kinds(result.outputs))) == (1, ["rejected 0 not_json"])
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(bed.task.process([request(1, START_MS)], rebuilding=False))
        await asyncio.sleep(0)
        assert not waiting.done()
        bed.deploy(1, scorers[0], 0)
        bed.board.accept(scorers[0])
    assert list(kinds(waiting.result().outputs))[:2] == ["marker 1 from 1", "1 by 1"]


async def test_who_takes_a_partition_over_never_goes_back_to_an_older_generation(scorers: list[Scorer]) -> None:
    bed = Bed(replay=False)
    bed.deploy(1, scorers[0], 0)
    bed.deploy(2, scorers[1], START_MS)
    bed.board.accept(scorers[0])
    former = TaskState(positions={"toys.requests/0": 1}, details={"marked": 2})
    bed.task.restore(former)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(bed.task.process([request(1, START_MS)], rebuilding=False))
        await asyncio.sleep(0)
        assert not waiting.done(), "the worker before had answered with generation 2"
        bed.board.accept(scorers[1])
    assert next(iter(kinds(waiting.result().outputs))) == "1 by 2"

    bed.deploy(3, scorers[2], START_MS)
    bed.task.restore(msgspec.structs.replace(former, details={"marked": 3}))
    bed.board.slots.refuse(scorers[2].digest, "can't be loaded here")
    result = await bed.task.process([request(2, START_MS)], rebuilding=False)
    assert next(iter(kinds(result.outputs))) == "2 by 2", "better than no answer"


async def test_a_key_that_is_too_long_is_refused_before_it_makes_an_answer_too_large(scorers: list[Scorer]) -> None:
    bed = Bed(replay=False)
    bed.deploy(1, scorers[0], 0)
    bed.board.accept(scorers[0])
    long, longest = (
        msgspec.structs.replace(request(number, START_MS), key=b"k" * size) for number, size in ((1, 4_096), (2, 4_097))
    )
    result = await bed.task.process([long, longest], rebuilding=False)
    values = [msgspec.json.decode(output.value or b"null") for output in result.outputs if not output.headers]
    assert [value["offset"] for value in values] == [1]
    (rejected,) = [output for output in result.outputs if output.topic == "driftwake.quarantine"]
    kept = msgspec.json.decode(rejected.value or b"", type=Rejected)
    assert (kept.reason, kept.key, kept.cut) == ("too_large", None, True)


async def test_closing_the_stage_ends_the_waiting() -> None:
    bed = Bed(replay=False)
    bed.board.close()
    with pytest.raises(StageClosed):
        await bed.task.process([request(1, START_MS)], rebuilding=False)


async def test_live_watermarks_are_made_here_and_foreign_ones_are_bad_records(scorers: list[Scorer]) -> None:
    bed = Bed(replay=False)
    bed.deploy(1, scorers[0], 0)
    bed.board.accept(scorers[0])
    future = msgspec.structs.replace(request(3, START_MS), timestamp_ms=START_MS - 3_600_001)
    result = await bed.task.process([source(0, START_MS + 10**9), request(1, START_MS), future], rebuilding=False)
    assert list(kinds(result.outputs)) == [
        "rejected 0 not_json",
        "marker 1 from 1",
        "1 by 1",
        "rejected 3 absurd_time",
        f"watermark {START_MS - 10} by 0 to 0",
    ]
    assert bed.task.idle() is None
    bed.clock.seconds = 6.0
    bed.board.progress.observe(1, START_MS + 500, 6.0)
    idle = bed.task.idle()
    assert idle is not None
    assert next(kinds(idle.outputs)) == f"watermark {START_MS + 490} by 0 to 0"
    assert idle.details["watermark_ms"] == START_MS + 490


async def test_how_far_event_time_has_come_is_shown_again_after_a_restart_without_a_request(scorers: list[Scorer]) -> None:
    """An alert on a stream that fell silent must not end because somebody restarted the worker."""
    bed = Bed(replay=True)
    labels = {"stage": "serving"}
    assert bed.counted("driftwake_stage_watermark_seconds", **labels) is None, "of a stream that never began nothing is known"
    bed.deploy(1, scorers[0], 0)
    bed.board.accept(scorers[0])
    result = await bed.task.process([source(0, START_MS), request(1, START_MS)], rebuilding=False)
    assert bed.counted("driftwake_stage_watermark_seconds", **labels) == START_MS / 1_000
    again = Bed(replay=True)
    again.task.restore(TaskState(positions={}, details=msgspec.json.decode(msgspec.json.encode(result.details))))
    assert again.counted("driftwake_stage_watermark_seconds", **labels) == START_MS / 1_000
