"""The native dialect: every reason, every bound, any bytes; and the checks of the family over each kind."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.schema import Column, ModelSchema
from streams.dialects import native
from streams.dialects.base import EARLIEST_MS, LATEST_MS, Limits, Refusal
from streams.dialects.checks import check_absent_column, check_any_bytes, check_round_trip
from streams.runtime.plugins import kinds_of, load_kind

SCHEMA = ModelSchema(
    columns=(
        Column(name="size", kind="number"),
        Column(name="colour", kind="category"),
        Column(name="owner", kind="category", role="key"),
    )
)
FEATURES = {"size": 1.5, "colour": "red", "owner": None}
NOW = 1_700_000_000_000
DIALECT = native.open_dialect(SCHEMA, Limits())
KINDS = kinds_of("streams.dialects")
VALUES = st.fixed_dictionaries(
    {
        "size": st.none() | st.floats(-1e30, 1e30, allow_nan=False),
        "colour": st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
        "owner": st.none() | st.sampled_from(["a", "b"]),
    }
)


def record(**changes: Any) -> bytes:
    return msgspec.json.encode({"id": "r1", "time_ms": NOW, "features": FEATURES, **changes})


def test_there_is_a_kind_to_check() -> None:
    assert "native" in KINDS


@pytest.mark.parametrize("kind", KINDS)
@given(rows=st.lists(VALUES, min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_each_kind_reads_what_it_writes(kind: str, rows: list[Any]) -> None:
    check_round_trip(load_kind("streams.dialects", kind), SCHEMA, rows)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_tells_absent_from_null(kind: str) -> None:
    check_absent_column(load_kind("streams.dialects", kind), SCHEMA, dict(FEATURES))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "time_ms", "features", "size", "colour", "owner", "x"]), inner, max_size=6)
    ),
    max_leaves=12,
).map(msgspec.json.encode)
SHAPED = st.builds(
    lambda i, t, s, c, o: msgspec.json.encode({"id": i, "time_ms": t, "features": {"size": s, "colour": c, "owner": o}}),
    st.just("id") | st.text(max_size=3) | st.integers(),
    st.just(NOW) | st.integers() | st.floats(),
    st.none() | st.floats() | st.integers() | st.text(max_size=3),
    st.none() | st.text(max_size=3) | st.integers(),
    st.none() | st.text(max_size=3),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(SHAPED))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@pytest.mark.parametrize("kind", KINDS)
@given(value=st.none() | st.binary(max_size=80) | JSON | SHAPED | damaged())
@settings(max_examples=600, deadline=None)
def test_any_bytes_give_an_answer(kind: str, value: bytes | None) -> None:
    check_any_bytes(load_kind("streams.dialects", kind), SCHEMA, value)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, "not_json", "no value"),
        (b"", "not_json", ""),
        (b"{", "not_json", ""),
        (b"\xff\xfe", "not_json", ""),
        (b'{"id":"\xe9"}', "not_json", ""),
        (b"[" * 100_000, "not_json", ""),
        (b'{"id":"a","time_ms":1,"features":{"size":NaN}}', "not_json", ""),
        (b"7", "wrong_type", "expected an object, got a number"),
        (b"{}", "missing_field", "no id, time_ms, features"),
        (b'{"id":"a","features":{}}', "missing_field", "no time_ms"),
        (record(id=5), "wrong_type", "id: expected a string, got a number"),
        (record(id=""), "bad_id", "0 characters"),
        (record(id="x" * 257), "bad_id", "257 characters"),
        (record(time_ms="now"), "wrong_type", "time_ms: expected an integer, got a string"),
        (record(time_ms=1.5), "wrong_type", "time_ms: expected an integer"),
        (record(time_ms=True), "wrong_type", "got a boolean"),
        (record(time_ms=EARLIEST_MS - 1), "absurd_time", "outside"),
        (record(time_ms=LATEST_MS + 1), "absurd_time", "outside"),
        (record(time_ms=10**30), "absurd_time", "outside"),
        (record(time_ms=1_700_000_000), "absurd_time", "outside"),
        (record(features=[]), "wrong_type", "features: expected an object, got an array"),
        (record(features={"size": 1, "colour": "red"}), "missing_column", "no owner"),
        (record(features={**FEATURES, "size": "1"}), "wrong_type", "features.size: expected a number, got a string"),
        (record(features={**FEATURES, "size": True}), "wrong_type", "features.size: expected a number, got a boolean"),
        (record(features={**FEATURES, "colour": 3}), "wrong_type", "features.colour: expected a string, got a number"),
        (record(features={**FEATURES, "colour": "x" * 1_025}), "too_large", "features.colour: 1025 characters"),
        (record(features={**FEATURES, "size": 1e39}), "not_finite", "features.size"),
        (record().replace(b"1.5", b"1e999"), "not_finite", ""),
        (record().replace(b"1.5", b"1" + b"0" * 400), "not_finite", ""),
        (record(more="x" * 300_000), "too_large", "bytes"),
    ],
)
def test_reasons(value: bytes | None, reason: str, detail: str) -> None:
    answer = DIALECT.decode(value)
    assert isinstance(answer, Refusal)
    assert answer.reason == reason
    assert detail in answer.detail


def test_details_never_repeat_a_value() -> None:
    private = "Jane-Doe"
    for changes in ({"id": [private]}, {"time_ms": private}, {"features": {**FEATURES, "size": private}}, {"features": private}):
        answer = DIALECT.decode(record(**changes))
        assert isinstance(answer, Refusal)
        assert private not in answer.detail


def test_unknown_fields_are_dropped_and_integers_are_numbers() -> None:
    row = DIALECT.decode(record(features={**FEATURES, "size": 3, "secret": "x"}, extra=1))
    assert not isinstance(row, Refusal)
    assert msgspec.structs.asdict(row.features) == {"size": 3.0, "colour": "red", "owner": None}
    assert isinstance(row.features.size, float)
