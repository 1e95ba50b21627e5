"""Re-keying: same bytes, one partition per id, quarantine for what can't be read, watermarks to everybody."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.labels import LARGEST_BYTES, LabelHead, label_of
from streams.contracts.records import MARKER_HEADER, Label, Prediction, Rejected, TaskState
from streams.joining.config import JoiningConfig
from streams.joining.progress import LabelProgress
from streams.joining.rekey import RekeyLabels, RekeyPredictions, Target, partition_of
from streams.runtime.clock import SystemClock
from streams.runtime.durations import Duration
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.records import Output, Record

START = 1_700_000_000_000
TARGET = Target("internal", 4)


def labels_of(progress: LabelProgress | None = None) -> RekeyLabels:
    return RekeyLabels(1, model="m", task="binary", target=TARGET, progress=progress, clock=SystemClock())


def record(value: bytes | None, offset: int = 5, headers: tuple = ()) -> Record:
    return Record("in", 1, offset, None, value, headers, 123)


def watermark(writer: str, time_ms: int) -> Record:
    key, value, headers = watermark_record(writer, time_ms)
    return Record("in", 1, 9, key, value, tuple(headers), 0)


def run(task: RekeyLabels | RekeyPredictions, *records: Record) -> list[Output]:
    return asyncio.run(task.process(records, rebuilding=False)).outputs


def test_the_partition_of_an_id_is_fixed_for_ever():
    assert [partition_of(name, 4) for name in ("a", "b", "ü", "order-17")] == [3, 1, 1, 0]


def test_a_label_goes_on_unchanged_and_says_where_it_came_from():
    value = b'{"id":"a", "label":1, "time_ms":1700000000000, "more":[1]}'
    assert run(labels_of(), record(value)) == [Output("internal", 3, b"a", value, (("dw_source", b"1/5"),))]


BAD = {
    b"": "not_json",
    b"\xff\xfe": "not_json",
    b"[1": "bad_label",
    b'{"id":"a"': "not_json",
    b"[" * 100_000: "bad_label",
    b"7": "bad_label",
    b"{}": "bad_label",
    b'{"id":"a","label":"x","time_ms":1700000000000}': "bad_label",
    b'{"id":"a","label":0.5,"time_ms":1700000000000}': "bad_label",
    b'{"id":"a","label":true,"time_ms":1700000000000}': "bad_label",
    b'{"id":"a","label":1e999,"time_ms":1700000000000}': "bad_label",
    b'{"id":"","label":1,"time_ms":1700000000000}': "bad_id",
    b'{"id":7,"label":1,"time_ms":1700000000000}': "bad_id",
    b'{"id":"a","label":1,"time_ms":1700000000}': "absurd_time",
    b'{"id":"a","label":1,"time_ms":9999999999999}': "absurd_time",
    b'{"id":"' + b"a" * LARGEST_BYTES + b'"}': "too_large",
}


@pytest.mark.parametrize("value", BAD, ids=range(len(BAD)))
def test_a_bad_label_goes_to_quarantine_with_reason_and_position(value: bytes):
    task = labels_of()
    (output,) = run(task, record(value))
    rejected = msgspec.json.decode(output.value or b"", type=Rejected)
    assert (rejected.reason, rejected.partition, rejected.offset, rejected.topic) == (BAD[value], 1, 5, "in")
    assert task.rejected == 1


def test_a_lead_beyond_what_the_internal_topics_keep_is_refused():
    with pytest.raises(ValueError, match="at most 7d"):
        JoiningConfig(label_lead=Duration.of("8d"))


def test_a_tombstone_is_no_label():
    (output,) = run(labels_of(), record(None))
    assert output.topic == "driftwake.quarantine"


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_give_a_label_or_a_reason(value: bytes):
    found = label_of(value, "regression")
    assert isinstance(found, LabelHead) or found.reason


def test_predictions_pass_and_markers_end_here():
    value = msgspec.json.encode(
        Prediction(id="b", partition=0, offset=0, time_ms=START, columns={}, score=0.5, digest="d", generation=1)
    )
    task = RekeyPredictions(1, model="m", target=TARGET, progress=None)
    outputs = run(task, record(b"{}", headers=((MARKER_HEADER, b"1"),)), record(value), record(b'{"id":"b"}'))
    assert [(output.topic, output.partition) for output in outputs] == [("internal", 1), ("driftwake.quarantine", None)]
    assert outputs[0].value == value


def test_a_watermark_goes_to_every_internal_partition_and_never_back():
    task = labels_of()
    outputs = run(task, watermark("source", 70), watermark("source", 60))
    assert [output.partition for output in outputs] == [0, 1, 2, 3] * 2
    assert {read_watermark(output.key, output.headers) for output in outputs} == {("1", 70)}


def test_live_labels_get_watermarks_from_their_own_times_within_the_predictions():
    progress = LabelProgress(2, 1, lateness_ms=5, idle_after_ms=1_000)
    progress.observe(0, 100, now_s=0.0)
    assert progress.due(0, 0.0) is None, "the predictions have none yet"
    progress.predictions_reached(0, 200)
    assert progress.due(0, 0.5) == 95
    assert progress.due(0, 0.6) is None
    assert progress.due(1, 0.6) == 200, "idle from the start: follows the predictions"
    progress.observe(0, 10**12, now_s=0.7)
    assert progress.due(0, 0.8) == 200, "one label from the far future doesn't end the world"
    progress.predictions_reached(0, 300)
    assert progress.due(0, 5.0) == 300
    progress.observe(0, 250, now_s=5.1)
    assert progress.due(0, 5.1) is None, "never back"


def test_live_watermarks_go_on_after_a_restart_and_foreign_ones_are_not_believed():
    progress = LabelProgress(2, 1, lateness_ms=0, idle_after_ms=1_000)
    progress.predictions_reached(0, START + 50)
    task = labels_of(progress)
    task.restore(TaskState(positions={}, details={"watermark_ms": START + 20}))
    value = msgspec.json.encode(Label("a", 1.0, START + 10))
    assert len(run(task, record(value), watermark("source", 10**13))) == 1
    value = msgspec.json.encode(Label("a", 1.0, START + 30))
    result = asyncio.run(task.process([record(value)], rebuilding=False))
    assert result.details == {"watermark_ms": START + 30}
    assert task.idle() is None
