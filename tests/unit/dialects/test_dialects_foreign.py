"""Foreign dialects: what each form of a request becomes, and why it is refused."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec
import numpy as np
import pytest

from streams.contracts.errors import ContractError
from streams.contracts.schema import Column, ModelSchema
from streams.dialects import kserve_logger, mapped_json, open_inference, seldon
from streams.dialects.base import Dialect, Limits, Refusal, Written

SCHEMA = ModelSchema(columns=(Column(name="size", kind="number"), Column(name="colour", kind="category")))
NUMBERS = ModelSchema(columns=(Column(name="a", kind="number"), Column(name="b", kind="number")))
NOW = 1_700_000_000_000
TIME = "2023-11-14T22:13:20.000Z"  # the same moment
KSERVE = "org.kubeflow.serving.inference.request"


def decoded(dialect: Dialect, plain: Any, headers: dict[str, Any] | None = None, *, at: int = NOW) -> Any:
    """A row as (id, time, columns), or a refusal."""
    value = plain if isinstance(plain, bytes) else msgspec.json.encode(plain)
    named = tuple((name, text if isinstance(text, bytes) else text.encode()) for name, text in (headers or {}).items())
    row = dialect.decode(Written(value, named, at))
    return row if isinstance(row, Refusal) else (row.id, row.time_ms, msgspec.structs.asdict(row.features))


def reason(answer: Any) -> tuple[str, str]:
    assert isinstance(answer, Refusal), answer
    return answer.reason, answer.detail


def tensor(name: str, datatype: str, data: Any, shape: list[int] | None = None, **parameters: Any) -> dict[str, Any]:
    said = {"parameters": parameters} if parameters else {}
    return {"name": name, "datatype": datatype, "shape": shape or [1], "data": data, **said}


V2 = open_inference.open_dialect(SCHEMA, Limits(), {})
V2_NUMBERS = open_inference.open_dialect(NUMBERS, Limits(), {})
RED = tensor("colour", "BYTES", ["red"])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (tensor("size", "FP32", [1.5]), 1.5),
        (tensor("size", "FP64", [[1.5]], [1, 1]), 1.5),
        (tensor("size", "INT64", [3]), 3.0),
        (tensor("size", "BOOL", [True]), 1.0),
        (tensor("size", "FP64", [None]), None),
    ],
)
def test_a_column_is_a_tensor_of_one_element(size: dict[str, Any], expected: float | None) -> None:
    assert decoded(V2, {"id": "r", "inputs": [size, RED]}) == ("r", NOW, {"size": expected, "colour": "red"})


def test_base64_is_undone_where_it_is_said() -> None:
    told = tensor("colour", "BYTES", [base64.b64encode("röt".encode()).decode()], content_type="base64")
    assert decoded(V2, {"id": "r", "inputs": [tensor("size", "FP32", [1]), told]})[2]["colour"] == "röt"


def test_one_tensor_may_hold_all_columns_in_declared_order() -> None:
    for shape, data in (([1, 2], [[1, 2]]), ([2], [1, 2]), ([1, 2], [1, 2])):
        asked = {"id": "r", "inputs": [tensor("all", "FP64", data, shape)]}
        assert decoded(V2_NUMBERS, asked)[2] == {"a": 1.0, "b": 2.0}


def test_the_time_is_the_parameter_s_else_the_header_s_else_the_broker_s() -> None:
    asked: dict[str, Any] = {"id": "r", "inputs": [tensor("size", "FP32", [1]), RED]}
    assert decoded(V2, asked, at=NOW + 5)[1] == NOW + 5
    assert decoded(V2, asked, {"ce_time": TIME}, at=5)[1] == NOW
    assert decoded(V2, asked | {"parameters": {"time_ms": NOW - 7}}, {"ce_time": TIME})[1] == NOW - 7
    assert reason(decoded(V2, asked, {"ce_time": "2023-11-14T22:13:20"})) == (
        "wrong_type", "ce_time: the time has no offset from UTC; write Z for UTC",
    )  # fmt: skip


def test_an_id_may_stand_in_the_header() -> None:
    asked = {"inputs": [tensor("size", "FP32", [1]), RED]}
    assert decoded(V2, asked, {"ce_id": "h"})[0] == "h"
    assert reason(decoded(V2, asked)) == ("missing_field", "no id, and no header ce_id")


def raw(tensors: list[tuple[str, str, bytes]], **changes: Any) -> tuple[bytes, dict[str, str]]:
    inputs = [
        {"name": name, "datatype": kind, "shape": [1], "parameters": {"binary_data_size": len(own)}}
        for name, kind, own in tensors
    ]
    head = msgspec.json.encode({"id": "r", "inputs": inputs})
    told = {"Inference-Header-Content-Length": str(len(head))} | changes
    return head + b"".join(own for _, _, own in tensors), told


def text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()


@pytest.mark.parametrize(
    ("datatype", "own", "expected"),
    [
        ("FP32", np.float32(1.5).tobytes(), 1.5),
        ("FP64", np.float64(-2.25).tobytes(), -2.25),
        ("FP16", np.float16(0.5).tobytes(), 0.5),
        ("BF16", np.float32(1.5).tobytes()[2:], 1.5),
        ("INT8", b"\xff", -1.0),
        ("UINT64", (1 << 40).to_bytes(8, "little"), float(1 << 40)),
        ("BOOL", b"\x01", 1.0),
        ("FP32", np.float32("nan").tobytes(), None),
    ],
)
def test_raw_tensors(datatype: str, own: bytes, expected: float | None) -> None:
    value, headers = raw([("size", datatype, own), ("colour", "BYTES", text("röt"))])
    assert decoded(V2, value, headers) == ("r", NOW, {"size": expected, "colour": "röt"})


def test_raw_tensors_that_dont_fit_their_sizes_are_refused() -> None:
    value, headers = raw([("size", "FP32", b"\0" * 4), ("colour", "BYTES", text("red"))])
    assert reason(decoded(V2, value[:-1], headers))[1] == "fewer raw bytes than binary_data_size says"
    assert reason(decoded(V2, value + b"x", headers))[1].startswith("more raw bytes")
    assert reason(decoded(V2, value, headers | {"Inference-Header-Content-Length": "99999"}))[1].endswith("within the record")
    assert reason(decoded(V2, *raw([("size", "FP32", b"\0" * 3)]))) == ("wrong_type", "3 raw bytes aren't whole FP32")
    assert reason(decoded(V2, *raw([("colour", "BYTES", b"\x09\0\0\0red")])))[1] == "raw BYTES end in the middle of an element"
    assert (
        reason(decoded(V2, *raw([("size", "FP32", np.float32("inf").tobytes()), ("colour", "BYTES", text("x"))])))[0]
        == "not_finite"
    )


@pytest.mark.parametrize(
    ("plain", "expected", "detail"),
    [
        ({"id": "r"}, "missing_field", "no inputs, instances or data"),
        ({"id": "r", "inputs": [RED]}, "missing_column", "no size"),
        ({"id": "r", "inputs": [tensor("size", "FP32", [1, 2], [2]), RED]}, "several_rows", "size: 2 values; write one record"),
        ({"id": "r", "inputs": [tensor("size", "FP32", [1], [2]), RED]}, "wrong_type", "holds 1 values, and its shape says 2"),
        ({"id": "r", "inputs": [tensor("size", "FP32", [1], [-1]), RED]}, "wrong_type", "none below zero"),
        ({"id": "r", "inputs": [tensor("size", "FP99", [1]), RED]}, "wrong_type", "datatype isn't one of the protocol"),
        ({"id": "r", "inputs": [tensor("size", "BYTES", ["1"]), RED]}, "wrong_type", "size: expected a number, got a string"),
        ({"id": "r", "inputs": [tensor("size", "FP32", {}), RED]}, "wrong_type", "expected an array, got an object"),
        ({"id": "r", "inputs": [RED, RED]}, "wrong_type", "two inputs have the same name"),
        ({"id": 5, "inputs": []}, "wrong_type", ""),
        ({"id": "r", "inputs": [tensor("colour", "BYTES", ["%"], content_type="base64")]}, "missing_column", "no size"),
    ],
)
def test_requests_of_the_protocol_that_are_refused(plain: Any, expected: str, detail: str) -> None:
    told, said = reason(decoded(V2, plain))
    assert told == expected
    assert detail in said


def test_several_rows_of_one_tensor_are_refused_and_so_is_another_width() -> None:
    assert (
        reason(decoded(V2_NUMBERS, {"id": "r", "inputs": [tensor("x", "FP64", [[1, 2], [3, 4]], [2, 2])]}))[0] == "several_rows"
    )
    told = reason(decoded(V2_NUMBERS, {"id": "r", "inputs": [tensor("x", "FP64", [1, 2, 3], [3])]}))
    assert told == ("missing_column", "the tensor holds 3 values a row, and there are columns a, b")


LOGGER = kserve_logger.open_dialect(SCHEMA, Limits(), {})
HEADERS = {"ce_type": KSERVE, "ce_id": "e", "ce_time": TIME}
ROW = ("e", NOW, {"size": 1.0, "colour": "red"})


@pytest.mark.parametrize(
    "payload",
    [
        {"instances": [{"size": 1, "colour": "red", "more": 2}]},
        {"instances": [[1, "red"]]},
        {"id": "its own", "inputs": [tensor("size", "FP32", [1]), RED]},
    ],
)
def test_an_event_holds_a_request_of_either_protocol(payload: Any) -> None:
    assert decoded(LOGGER, payload, HEADERS, at=5) == ROW
    structured = {"specversion": "1.0", "type": KSERVE, "id": "e", "source": "x", "time": TIME}
    kind = {"content-type": "application/CloudEvents+json; charset=UTF-8"}
    assert decoded(LOGGER, structured | {"data": payload}, kind, at=5) == ROW
    coded = base64.b64encode(msgspec.json.encode(payload)).decode()
    assert decoded(LOGGER, structured | {"data_base64": coded}, kind, at=5) == ROW


def test_an_event_without_a_time_came_when_the_broker_got_it() -> None:
    assert decoded(LOGGER, {"instances": [[1, "red"]]}, {"ce_type": KSERVE, "ce_id": "e"})[1] == NOW


@pytest.mark.parametrize(
    ("headers", "expected", "detail"),
    [
        ({}, "missing_field", "no event"),
        ({"ce_type": KSERVE.replace("request", "response"), "ce_id": "e"}, "not_a_request", KSERVE),
        ({"ce_type": KSERVE}, "missing_field", "no id"),
        ({"ce_type": KSERVE, "ce_id": "e", "ce_time": "yesterday"}, "wrong_type", "time: expected a time like"),
        ({"ce_type": b"\xff", "ce_id": "e"}, "missing_field", "no event"),
        ({"content-type": "application/cloudevents+json"}, "missing_field", "no event"),
    ],
)
def test_events_that_are_refused(headers: dict[str, Any], expected: str, detail: str) -> None:
    told, said = reason(decoded(LOGGER, {"instances": [[1, "red"]]}, headers))
    assert told == expected
    assert detail in said


@pytest.mark.parametrize(
    ("payload", "expected", "detail"),
    [
        ({"instances": [[1, "red"], [2, "red"]]}, "several_rows", "2 rows"),
        ({"instances": []}, "several_rows", "0 rows"),
        ({"instances": [[1]]}, "missing_column", "the row has 1 values, and there are columns size, colour"),
        ({"instances": {}}, "wrong_type", "expected an array, got an object"),
        ({"instances": ["red"]}, "wrong_type", "a row: expected an object or an array, got a string"),
        ([], "wrong_type", "expected an object, got an array"),
    ],
)
def test_payloads_that_are_refused(payload: Any, expected: str, detail: str) -> None:
    told, said = reason(decoded(LOGGER, payload, HEADERS))
    assert told == expected
    assert detail in said


SELDON = seldon.open_dialect(SCHEMA, Limits(), {})
SELDON_HEADERS = {"ce_type": "io.seldon.serving.inference.request", "ce_id": "e", "ce_time": TIME}


@pytest.mark.parametrize(
    "payload",
    [
        {"data": {"names": ["colour", "size"], "ndarray": [["red", 1]]}},
        {"data": {"ndarray": [[1, "red"]]}},
        {"jsonData": {"size": 1, "colour": "red"}},
        {"inputs": [tensor("size", "FP32", [1]), RED]},
    ],
)
def test_seldon_s_forms(payload: Any) -> None:
    assert decoded(SELDON, payload, SELDON_HEADERS) == ROW
    assert decoded(SELDON, payload, SELDON_HEADERS | {"ce_requestid": "q"})[0] == "q"


def test_seldon_s_tensor_is_cut_into_rows() -> None:
    numbers = seldon.open_dialect(NUMBERS, Limits(), {})
    assert decoded(numbers, {"data": {"tensor": {"shape": [1, 2], "values": [1, 2]}}}, SELDON_HEADERS)[2] == {"a": 1.0, "b": 2.0}
    told = decoded(numbers, {"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}}, SELDON_HEADERS)
    assert reason(told)[0] == "several_rows"
    for shape in ([2], [1, 3], [-1, -2], "x"):
        told = decoded(numbers, {"data": {"tensor": {"shape": shape, "values": [1, 2]}}}, SELDON_HEADERS)
        assert reason(told)[0] == "wrong_type"


NESTED = {"meta": {"request": 17, "at": "2023-11-14T23:13:20+01:00"}, "rows": [{"payment": {"amount": 2}}]}


def test_a_mapping_follows_paths() -> None:
    options = {"id": "meta.request", "time": "meta.at", "time_as": "rfc3339", "columns": {"size": "rows.0.payment.amount"}}
    plain = mapped_json.open_dialect(SCHEMA, Limits(), options)
    assert reason(decoded(plain, NESTED)) == ("missing_column", "features: no colour")
    assert decoded(plain, NESTED | {"colour": "red"}) == ("17", NOW, {"size": 2.0, "colour": "red"})
    lenient = mapped_json.open_dialect(SCHEMA, Limits(), options | {"absent_is_null": True})
    assert decoded(lenient, NESTED) == ("17", NOW, {"size": 2.0, "colour": None})


@pytest.mark.parametrize(
    ("written", "time"), [("seconds", NOW / 1_000), ("milliseconds", NOW + 0.9), ("microseconds", NOW * 1_000), ("rfc3339", TIME)]
)
def test_times_as_they_are_written(written: str, time: Any) -> None:
    dialect = mapped_json.open_dialect(SCHEMA, Limits(), {"time": "at", "time_as": written})
    assert decoded(dialect, {"id": "r", "at": time, "size": 1, "colour": "x"})[1] == NOW


@pytest.mark.parametrize(
    ("plain", "expected", "detail"),
    [
        ({}, "missing_field", "no id, time_ms"),
        ({"id": "r", "time_ms": "now"}, "wrong_type", "time_ms: expected a number of milliseconds"),
        ({"id": "r", "time_ms": 10**40}, "absurd_time", "time_ms"),
        ({"id": True, "time_ms": NOW, "size": 1, "colour": "x"}, "wrong_type", "id: expected a string, got a boolean"),
        ([], "wrong_type", "expected an object, got an array"),
    ],
)
def test_mapped_records_that_are_refused(plain: Any, expected: str, detail: str) -> None:
    told, said = reason(decoded(mapped_json.open_dialect(SCHEMA, Limits(), {}), plain))
    assert told == expected
    assert detail in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": {"weight": "w"}}, "columns weight aren't in the schema"),
        ({"id": "a..b"}, "'a..b' isn't a path"),
        ({"time_as": "days"}, "time_as"),
        ({"columns": []}, "columns"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_an_error(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said.replace(".", r"\.")):
        mapped_json.open_dialect(SCHEMA, Limits(), options)
