"""The native dialect: every reason and every bound."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.dialects import native
from streams.dialects.base import EARLIEST_MS, LATEST_MS, Limits, Refusal, Written
from tests.unit.dialects.dialects_world import FEATURES, NOW, SCHEMA

DIALECT = native.open_dialect(SCHEMA, Limits(), {})


def record(**changes: Any) -> bytes:
    return msgspec.json.encode({"id": "r1", "time_ms": NOW, "features": FEATURES, **changes})


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
    answer = DIALECT.decode(Written(value))
    assert isinstance(answer, Refusal)
    assert answer.reason == reason
    assert detail in answer.detail


def test_details_never_repeat_a_value() -> None:
    private = "Jane-Doe"
    for changes in ({"id": [private]}, {"time_ms": private}, {"features": {**FEATURES, "size": private}}, {"features": private}):
        answer = DIALECT.decode(Written(record(**changes)))
        assert isinstance(answer, Refusal)
        assert private not in answer.detail


def test_unknown_fields_are_dropped_and_integers_are_numbers() -> None:
    row = DIALECT.decode(Written(record(features={**FEATURES, "size": 3, "secret": "x"}, extra=1)))
    assert not isinstance(row, Refusal)
    assert msgspec.structs.asdict(row.features) == {"size": 3.0, "colour": "red", "owner": None}
    assert isinstance(row.features.size, float)
