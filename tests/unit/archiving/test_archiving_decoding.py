"""Decoding in bulk: what serving and joining write comes back as rows, and what is broken is told apart."""

from __future__ import annotations

import msgspec
import pytest

from streams.archiving.decoding import Decoder
from streams.contracts.records import Outcome, Prediction, ShadowScore
from streams.contracts.schema import Column, ModelSchema
from streams.lake.tables import table_schema
from streams.transport.records import Record

SCHEMA = ModelSchema(columns=(Column(name="place", kind="category"), Column(name="size", kind="number")))
PREDICTION = Prediction(
    id="é1",
    partition=1,
    offset=2**40,
    time_ms=1_700_000_000_000,
    columns={"place": None, "size": 2},
    windows={"w_1": 0.5, "w_2": None},
    score=0.25,
    digest="d" * 64,
    generation=3,
    flags=["range:size"],
    shadows=[ShadowScore("next", "e" * 64, 0.75)],
    rejected_before=5,
    received_ms=1_700_000_000_001,
)
OUTCOME = Outcome(prediction=PREDICTION, label=1.0, known_ms=1_700_000_000_500, label_partition=0, label_offset=9, revision=2)


def records(*values: bytes | None) -> list[Record]:
    return [Record("t", 0, offset, b"k", value, (), 0) for offset, value in enumerate(values)]


def test_a_prediction_keeps_every_field_but_those_that_measuring_alone_reads():
    decoded = Decoder(SCHEMA, "predictions").decode(records(msgspec.json.encode(PREDICTION)))
    assert decoded.undecodable == []
    assert decoded.rows.schema == table_schema(SCHEMA, "predictions")
    expected = msgspec.to_builtins(PREDICTION)
    for name in ("rejected_before", "received_ms"):
        del expected[name]
    expected |= expected.pop("columns") | {"windows": [("w_1", 0.5), ("w_2", None)]}
    assert decoded.rows.to_pylist() == [expected]


def test_an_outcome_is_its_prediction_and_the_label():
    decoded = Decoder(SCHEMA, "outcomes").decode(records(msgspec.json.encode(OUTCOME)))
    assert decoded.rows.schema == table_schema(SCHEMA, "outcomes")
    (row,) = decoded.rows.to_pylist()
    assert (row["id"], row["label"], row["known_ms"], row["revision"]) == ("é1", 1.0, 1_700_000_000_500, 2)


def test_rows_differ_in_windows_and_shadows():
    rows = [msgspec.structs.replace(PREDICTION, windows=windows, shadows=[]) for windows in ({}, {"w_1": 1.0}, {})]
    decoded = Decoder(SCHEMA, "predictions").decode(records(*map(msgspec.json.encode, [*rows, PREDICTION])))
    assert decoded.rows.column("windows").to_pylist() == [[], [("w_1", 1.0)], [], [("w_1", 0.5), ("w_2", None)]]
    assert [len(shadows) for shadows in decoded.rows.column("shadows").to_pylist()] == [0, 0, 0, 1]


def test_nothing_gives_no_rows():
    decoded = Decoder(SCHEMA, "outcomes").decode([])
    assert len(decoded.rows) == 0
    assert decoded.rows.schema == table_schema(SCHEMA, "outcomes")


@pytest.mark.parametrize(
    "broken",
    [
        None,
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"id": "a"}',
        msgspec.json.encode(PREDICTION).replace(b'"size":2', b'"size":"2"'),
        msgspec.json.encode(PREDICTION).replace(b'"size":2', b'"size":1e999'),
        msgspec.json.encode(PREDICTION).replace(b"1700000000000", b"9223372036854775807"),
        msgspec.json.encode(PREDICTION).replace(b"1700000000000", b"-1"),
        msgspec.json.encode(PREDICTION).replace(b"1700000000000", b"99999999999999999999"),
        msgspec.json.encode(PREDICTION).replace(b'"partition":1', b'"partition":4294967296'),
        msgspec.json.encode(PREDICTION).replace('"é1"'.encode(), b'"\\ud800"'),
    ],
)  # fmt: skip
def test_one_broken_record_harms_no_other(broken: bytes | None):
    good = msgspec.json.encode(PREDICTION)
    decoded = Decoder(SCHEMA, "predictions").decode(records(good, broken, good))
    assert [one.record.offset for one in decoded.undecodable] == [1]
    assert decoded.undecodable[0].detail
    assert len(decoded.rows) == 2


def test_line_breaks_inside_a_record_are_no_new_record():
    pretty = msgspec.json.format(msgspec.json.encode(PREDICTION), indent=2)
    decoded = Decoder(SCHEMA, "predictions").decode(records(pretty, msgspec.json.encode(PREDICTION)))
    assert (len(decoded.rows), decoded.undecodable) == (2, [])


def test_two_values_in_one_record_are_not_two_rows():
    good = msgspec.json.encode(PREDICTION)
    for values in ((good + b"\n" + good,), (good + b"\n" + good, b""), (b"", good + b"\n" + good)):
        decoded = Decoder(SCHEMA, "predictions").decode(records(*values))
        assert (len(decoded.rows), len(decoded.undecodable)) == (0, len(values))


def test_a_score_that_was_no_number_is_null():
    decoded = Decoder(SCHEMA, "predictions").decode(records(msgspec.json.encode(PREDICTION).replace(b"0.25", b"null")))
    assert decoded.rows.column("score").to_pylist() == [None]
