"""Labels to rows: what joining would use, in the order of the records, and nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.archiving.labels import LabelDecoder
from streams.archiving.tables import Filed, expected
from streams.contracts.labels import LabelHead, label_of
from streams.contracts.records import Label
from streams.contracts.schema import Column, ModelSchema, Task
from streams.lake.tables import LABELS, table_schema
from streams.transport.records import Record

NOW_MS = 1_700_000_000_000
COLUMNS = (Column(name="size", kind="number"),)

LABELS_TOLD = st.builds(
    lambda identity, label, time_ms: msgspec.json.encode({"id": identity, "label": label, "time_ms": time_ms}),
    st.text(max_size=3),
    st.sampled_from([None, 0.0, 1.0, 0.5]),
    st.sampled_from([NOW_MS, NOW_MS + 5, 5]),
)


def schema(task: Task) -> ModelSchema:
    return ModelSchema(columns=COLUMNS, task=task)


@pytest.mark.parametrize("task", ["binary", "regression"])
@given(values=st.lists(st.none() | st.binary(max_size=8) | LABELS_TOLD, max_size=12))
def test_every_usable_record_is_a_row_with_its_position_and_no_other_is(task: Task, values: list[bytes | None]):
    records = [Record("l", place % 3, place, b"k", value, (), 0) for place, value in enumerate(values)]
    decoded = LabelDecoder(schema(task)).decode(records)
    found = [(record, label_of(record.value, task)) for record in records]
    wanted = [
        {"id": one.id, "partition": record.partition, "offset": record.offset, "label": one.label, "known_ms": one.time_ms}
        for record, one in found
        if isinstance(one, LabelHead)
    ]
    assert decoded.rows.to_pylist() == wanted
    assert decoded.rows.schema == table_schema(schema(task), LABELS)
    assert decoded.undecodable == []


def test_who_takes_part_in_a_boundary():
    decoder = LabelDecoder(schema("binary"))
    tables = {
        "predictions": Filed("p", 2, decoder),
        "labels": Filed("l", 3, decoder, "source"),
        "others": Filed("o", 4, decoder, None),
    }
    assert sorted(expected(tables)) == [
        ("l/0", "source"), ("l/1", "source"), ("l/2", "source"), ("p/0", "0"), ("p/1", "1")
    ]  # fmt: skip
    assert tables["labels"].places == [("l", 0), ("l", 1), ("l", 2)]


def test_a_label_is_decoded_as_joining_reads_it():
    value = msgspec.json.encode(Label("a", 1.0, NOW_MS))
    (row,) = LabelDecoder(schema("binary")).decode([Record("l", 4, 9, None, value, (), 0)]).rows.to_pylist()
    assert row == {"id": "a", "partition": 4, "offset": 9, "label": 1.0, "known_ms": NOW_MS}
