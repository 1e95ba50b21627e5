"""The checks of the family over each kind: what it writes it reads, and whatever comes gets an answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.errors import ContractError
from streams.dialects.base import Limits, Written
from streams.dialects.checks import (
    check_absent_column,
    check_answer_round_trip,
    check_any_answer,
    check_any_record,
    check_round_trip,
)
from streams.runtime.plugins import kinds_of, load_kind
from tests.unit.dialects.dialects_world import FEATURES, NOW, SCHEMA

KINDS = kinds_of("streams.dialects")
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.fixed_dictionaries(
    {
        "size": st.none() | st.floats(-1e30, 1e30, allow_nan=False),
        "colour": st.none() | TEXTS,
        "owner": st.none() | st.sampled_from(["a", "b"]),
    }
)


def test_the_kinds_are_those_of_the_design() -> None:
    assert set(KINDS) >= {"native", "open_inference", "kserve_logger", "seldon", "mapped_json"}


@pytest.mark.parametrize("kind", KINDS)
@given(rows=st.lists(VALUES, min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_each_kind_reads_what_it_writes(kind: str, rows: list[Any]) -> None:
    check_round_trip(load_kind("streams.dialects", kind), SCHEMA, rows)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_tells_absent_from_null(kind: str) -> None:
    check_absent_column(load_kind("streams.dialects", kind), SCHEMA, dict(FEATURES))


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_option_is_an_error_that_names_it(kind: str) -> None:
    with pytest.raises(ContractError, match="colour_of_hope"):
        load_kind("streams.dialects", kind).open_dialect(SCHEMA, Limits(), {"colour_of_hope": 1})
    with pytest.raises(ContractError, match="colour_of_hope"):
        load_kind("streams.dialects", kind).open_answers(Limits(), {"colour_of_hope": 1})


@pytest.mark.parametrize("kind", KINDS)
@given(score=st.floats(-1e30, 1e30, allow_nan=False))
@settings(max_examples=20, deadline=None)
def test_each_kind_reads_the_answers_that_it_writes(kind: str, score: float) -> None:
    check_answer_round_trip(load_kind("streams.dialects", kind), score)


LEAVES = st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=8)
_IDS = ["id", "time_ms", "time", "type", "meta", "puid", "parameters", "name", "x"]
_DATA = [
    "outputs",
    "predictions",
    "score",
    "version",
    "features",
    "inputs",
    "instances",
    "data",
    "names",
    "ndarray",
    "tensor",
    "shape",
    "values",
    "jsonData",
    "data_base64",
]
NAMES = st.sampled_from([*_IDS, *_DATA, "size", "colour", "owner", "datatype", "binary_data_size"])
INNER = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=14
)  # fmt: skip
TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["size", "colour", "owner", "all"]),
        "shape": st.lists(st.sampled_from([1, 1, 1, 2, 3, 0, -1, 1 << 62]), max_size=3) | INNER,
        "datatype": st.sampled_from(["FP32", "FP64", "INT64", "BOOL", "BYTES", "BF16", "FP16", "NO"]),
        "data": st.lists(LEAVES, max_size=3) | INNER,
        "parameters": st.fixed_dictionaries(
            {}, optional={"binary_data_size": st.integers(-2, 9), "content_type": st.just("base64")}
        ),
    }
)
SHAPED = st.one_of(
    st.fixed_dictionaries(
        {
            "id": st.just("id") | LEAVES,
            "time_ms": st.just(NOW) | LEAVES,
            "features": st.fixed_dictionaries({"size": LEAVES, "colour": LEAVES, "owner": LEAVES}) | INNER,
        }
    ),
    st.fixed_dictionaries(
        {
            "id": st.just("id") | LEAVES,
            "parameters": st.fixed_dictionaries({"time_ms": st.just(NOW) | LEAVES}) | INNER,
            "inputs": st.lists(TENSOR, max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {"id": st.just("id") | LEAVES, "outputs": st.lists(TENSOR, max_size=2)}, optional={"model_version": LEAVES}
    ),
    st.fixed_dictionaries({"id": LEAVES, "score": LEAVES, "version": LEAVES}),
    st.fixed_dictionaries({"predictions": st.lists(st.lists(LEAVES, max_size=3) | INNER, max_size=2)}),
    st.fixed_dictionaries({"instances": st.lists(st.lists(LEAVES, max_size=4) | INNER, max_size=2)}),
    st.fixed_dictionaries({"data": st.dictionaries(NAMES, INNER, max_size=4), "meta": INNER}),
    st.fixed_dictionaries({"type": TEXTS, "id": TEXTS, "time": TEXTS, "data": INNER}, optional={"data_base64": TEXTS}),
)
HEADER_NAMES = ["ce_type", "ce_id", "ce_time", "ce_requestid", "Content-Type", "Inference-Header-Content-Length", "x"]
HEADER_VALUES = (
    b"org.kubeflow.serving.inference.response io.seldon.serving.inference.response "
    b"org.kubeflow.serving.inference.request io.seldon.serving.inference.request application/cloudevents+json "
    b"2030-01-31T12:00:00Z 2030-01-31T12:00:00 -1 7 20 id \xff".split(b" ")
)
HEADERS = st.lists(st.tuples(st.sampled_from(HEADER_NAMES), st.sampled_from(HEADER_VALUES) | st.binary(max_size=8)), max_size=5)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(msgspec.json.encode(draw(SHAPED)))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@pytest.mark.parametrize("kind", KINDS)
@given(
    value=st.none() | st.binary(max_size=80) | INNER.map(msgspec.json.encode) | SHAPED.map(msgspec.json.encode) | damaged(),
    headers=HEADERS,
)
@settings(max_examples=600, deadline=None)
def test_any_record_gets_an_answer(kind: str, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    module, message = load_kind("streams.dialects", kind), Written(value, tuple(headers), NOW)
    check_any_record(module, SCHEMA, message)
    check_any_answer(module, message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "value",
    [
        b"[" * 100_000,
        b'{"inputs":' + b"[" * 100_000,
        b'{"id":"a","inputs":[{"name":"size","datatype":"FP64","shape":[' + b",".join([b"9223372036854775807"] * 9_000) + b"]}]}",
        b'{"instances":[' + b"[" * 900 + b"]" * 900 + b"]}",
        b'{"id":' + b"9" * 5_000 + b',"time_ms":1,"inputs":[]}',
        b'{"id":"a","time_ms":' + b"9" * 400 + b"}",
        b'{"id":"a","score":' + b"9" * 400 + b"}",
        b'{"predictions":[[' + b"9" * 400 + b"]]}",
        '{"specversion":"1.0","type":"x","data_base64":"\x80"}'.encode(),
    ],
)
def test_what_would_keep_a_parser_busy_is_refused(kind: str, value: bytes) -> None:
    module = load_kind("streams.dialects", kind)
    for type_name in ("request", "response"):
        headers = (("ce_id", b"x"), ("ce_type", f"org.kubeflow.serving.inference.{type_name}".encode()))
        check_any_record(module, SCHEMA, Written(value, headers, NOW))
        check_any_answer(module, Written(value, headers, NOW))
