"""Noting and pairing without a broker: what each record becomes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.contracts.records import Rejected, TaskState
from streams.contracts.schema import Column, ModelSchema, Task
from streams.dialects import kserve_logger, mapped_json, native
from streams.dialects.base import Limits, Refusal, Written
from streams.observing.note import Noting, Targets
from streams.observing.pair import Pairing
from streams.observing.reading import Read, Reader
from streams.runtime.protection import Protection
from streams.serving.reading import AnsweredDialect
from streams.transport.records import Output, Record

SCHEMA = ModelSchema(columns=(Column(name="size", kind="number"), Column(name="colour", kind="category")))
COLUMNS: dict[str, float | str | None] = {"size": 1.5, "colour": None}
NOW = 1_700_000_000_000
TARGETS = Targets("paired", "answered", 4)


def record(written: Written, *, offset: int = 0, topic: str = "requests", key: bytes | None = b"user", at: int = NOW) -> Record:
    return Record(topic, 3, offset, key, written.value, written.headers, at)


def reader(task: Task = "binary") -> Reader:
    return Reader(native.open_dialect(SCHEMA, Limits(), {}), native.open_answers(Limits(), {}), task, 3_600_000)


async def noted(read: Read, *records: Record) -> list[Output]:
    return (await Noting(model="m", read=read, targets=TARGETS).process(records, rebuilding=False)).outputs


def answered(output: Output) -> Any:
    row = AnsweredDialect(SCHEMA).decode(Written(output.value))
    assert not isinstance(row, Refusal), row
    return row


async def test_a_record_that_holds_both_is_answered_at_once() -> None:
    value = msgspec.json.encode({"id": "r", "time_ms": NOW, "features": COLUMNS, "score": 0.25, "version": "7"})
    (output,) = await noted(reader().both, record(Written(value), offset=9))
    assert (output.topic, output.partition, output.key) == ("answered", 3, b"user")
    row = answered(output)
    assert (row.id, row.time_ms, row.partition, row.offset, row.score, row.version) == ("r", NOW, 3, 9, 0.25, "7")
    assert msgspec.structs.asdict(row.features) == COLUMNS


async def test_two_records_meet_by_their_id_whatever_their_topics() -> None:
    read = reader()
    asked = await noted(read.request, record(native.example("r", NOW, COLUMNS), offset=9))
    told = await noted(read.answer, record(native.answer_example("r", 0.25), topic="responses", key=b"other"))
    assert {(one.topic, one.partition, one.key) for one in (*asked, *told)} == {("paired", asked[0].partition, b"r")}
    task = Pairing(asked[0].partition or 0, paired="paired", target="answered", patience_ms=1_000, most=10)
    task.restore(None)
    halves = [
        Record("paired", one.partition or 0, place, one.key, one.value, tuple(one.headers), NOW)
        for place, one in enumerate([*told, *asked])
    ]
    result = await task.process(halves, rebuilding=False)
    (output,) = result.outputs
    assert (output.topic, output.partition, output.key) == ("answered", asked[0].partition, b"user")
    row = answered(output)
    assert (row.id, row.partition, row.offset, row.score, row.version) == ("r", 3, 9, 0.25, "1")
    assert result.rebuild_from == {f"paired/{asked[0].partition}": 0}
    assert result.details == {"counts": {"paired": 1}}


async def test_pairing_goes_on_after_a_restart() -> None:
    read = reader()
    (asked,) = await noted(read.request, record(native.example("r", NOW, COLUMNS)))
    (told,) = await noted(read.answer, record(native.answer_example("r", 0.25)))
    first, second = (
        Record("paired", 0, place, one.key, one.value, tuple(one.headers), NOW) for place, one in enumerate([asked, told])
    )
    before = Pairing(0, paired="paired", target="answered", patience_ms=1_000, most=10)
    before.restore(None)
    result = await before.process([first], rebuilding=False)
    after = Pairing(0, paired="paired", target="answered", patience_ms=1_000, most=10)
    state = TaskState(positions={"paired/0": 1}, rebuild_from=result.rebuild_from, details=result.details)
    assert after.restore(state) == {"paired/0": 0}
    await after.process([first], rebuilding=True)
    assert len((await after.process([second], rebuilding=False)).outputs) == 1
    assert after.pairs.counts == {"paired": 1}


async def test_a_topic_may_hold_both_sides() -> None:
    read = Reader(kserve_logger.open_dialect(SCHEMA, Limits(), {}), kserve_logger.open_answers(Limits(), {}), "binary", 0).either
    outputs = await noted(
        read,
        record(kserve_logger.example("r", NOW, COLUMNS)),
        record(kserve_logger.answer_example("r", 0.25)),
        record(Written(b"{}", (("ce_type", b"something.else"), ("ce_id", b"r")))),
        record(kserve_logger.answer_example("r", 7.0)),
    )
    assert [dict(one.headers).get("dw_side") for one in outputs[:2]] == [b"request", b"answer"]
    assert reasons(outputs[2:]) == ["not_an_answer", "bad_score"]


@pytest.mark.parametrize(
    ("task", "score", "reasons_found"),
    [("binary", 1.5, ["bad_score"]), ("binary", -0.1, ["bad_score"]), ("regression", -5.0, [])],
)
async def test_a_score_of_a_binary_task_is_a_probability(task: Task, score: float, reasons_found: list[str]) -> None:
    outputs = await noted(reader(task).answer, record(native.answer_example("r", score)))
    assert reasons(outputs) == reasons_found


async def test_what_can_t_be_read_goes_to_quarantine_with_its_place() -> None:
    read = reader()
    far = native.example("r", NOW + 4_000_000, COLUMNS)
    outputs = await noted(
        read.request,
        record(Written(b"{"), offset=5),
        record(far),
        record(native.example("r", NOW, COLUMNS), key=b"k" * 5_000),
        record(native.answer_example("r", 0.5)),
    )
    assert reasons(outputs) == ["not_json", "absurd_time", "too_large", "missing_field"]
    first = msgspec.json.decode(outputs[0].value or b"", type=Rejected)
    assert (first.topic, first.partition, first.offset, first.value) == ("requests", 3, 5, b"{")


async def test_mapped_records_may_hold_both() -> None:
    requests = mapped_json.open_dialect(SCHEMA, Limits(), {"columns": {"size": "in.size", "colour": "in.colour"}})
    answers = mapped_json.open_answers(Limits(), {"score": "out.p", "version": "out.v"})
    value = msgspec.json.encode({"id": "r", "time_ms": NOW, "in": COLUMNS, "out": {"p": 0.25, "v": "b"}})
    (output,) = await noted(Reader(requests, answers, "binary", 0).both, record(Written(value)))
    assert (answered(output).score, answered(output).version) == (0.25, "b")


def reasons(outputs: list[Output]) -> list[str]:
    refused = [one for one in outputs if one.topic == "driftwake.quarantine"]
    return [msgspec.json.decode(one.value or b"", type=Rejected).reason for one in refused]


async def test_what_nobody_of_us_has_written_counts_nowhere() -> None:
    task = Pairing(0, paired="paired", target="answered", patience_ms=1_000, most=10)
    task.restore(None)
    side = (("dw_side", b"request"),)
    strange = [
        Record("paired", 0, 0, b"r", b"{}", (), NOW),
        Record("paired", 0, 1, b"\xff", b"{}", side, NOW),
        Record("paired", 0, 2, b"r", None, side, NOW),
        Record("paired", 0, 3, b"r", b"{", side, NOW),
        Record("paired", 0, 4, b"r", b"{", (("dw_side", b"answer"),), NOW),
    ]
    assert (await task.process(strange, rebuilding=False)).outputs == []


async def test_what_is_protected_is_written_into_no_topic_of_a_sidecar() -> None:
    """Not into that where halves wait, nor into the answered ones, which serving reads as they are."""
    schema = ModelSchema(columns=(*SCHEMA.columns, Column(name="card", kind="category", role="key", protect="hash")))
    protection = Protection(schema, b"k" * 32)
    read = Reader(
        native.open_dialect(schema, Limits(), {}), native.open_answers(Limits(), {}), "binary", 3_600_000, protection=protection
    )
    columns = {**COLUMNS, "card": "raw-card"}
    both = msgspec.json.encode({"id": "r", "time_ms": NOW, "features": columns, "score": 0.25})
    noting = Noting(model="m", read=read.both, targets=TARGETS, protection=protection)
    whole = (await noting.process([record(Written(both), key=b"raw-card")], rebuilding=False)).outputs
    noting = Noting(model="m", read=read.request, targets=TARGETS, protection=protection)
    asked = (await noting.process([record(native.example("r", NOW, columns), key=b"raw-card")], rebuilding=False)).outputs
    told = await noted(read.answer, record(native.answer_example("r", 0.25)))
    task = Pairing(asked[0].partition or 0, paired="paired", target="answered", patience_ms=1_000, most=10)
    task.restore(None)
    halves = [
        Record("paired", one.partition or 0, place, one.key, one.value, tuple(one.headers), NOW)
        for place, one in enumerate([*asked, *told])
    ]
    paired = (await task.process(halves, rebuilding=False)).outputs
    (hashed,) = protection.texts(["raw-card"])
    for output in (*whole, *asked, *paired):
        assert b"raw-card" not in (output.key or b"") + (output.value or b"")
    for output in (*whole, *paired):
        row = AnsweredDialect(schema).decode(Written(output.value))
        assert not isinstance(row, Refusal)
        assert row.features.card == hashed
        assert output.key == str(hashed).encode()
