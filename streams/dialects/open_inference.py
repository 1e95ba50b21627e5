"""The Open Inference Protocol v2 as a request would be sent over HTTP: JSON, or JSON followed by raw tensors.

One row a record. Each column is an input of one element under its own name, or one input holds all columns in declared order;
a null, or a NaN in a raw tensor, is missing. Raw tensors need the header `Inference-Header-Content-Length`. The event time is the
request's parameter `time_ms`, else the header `ce_time`, else when the broker got the record. An answer is a response of the
protocol, of one row, whose `id` (or header `ce_id`) is the request's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from streams.contracts.schema import ModelSchema
from streams.dialects._answers import Chosen, answer_of, chosen_in, given_in
from streams.dialects._headers import texts_of
from streams.dialects._options import check_none
from streams.dialects._payloads import asked_of, inference_of
from streams.dialects._rows import UNREADABLE, Rows, readable, unreadable
from streams.dialects._tensors import table_of
from streams.dialects._times import time_of
from streams.dialects.base import Answer, AnswerDialect, Dialect, Limits, Message, Options, Refusal, Row, Written

_JSON_LENGTH = "inference-header-content-length"


class Table(msgspec.Struct):
    """What a request asks that may hold several rows: columns by name, all of `rows` values, and its own id and parameters."""

    columns: dict[str, list[Any]]
    rows: int
    id: str | None
    parameters: dict[str, Any]


def table_asked(body: bytes, json_length: int, schema: ModelSchema) -> Table | Refusal:
    """Read a request of any number of rows, as it comes over HTTP.

    Args:
        body: JSON, then raw tensors.
        json_length: bytes of the JSON.
        schema: of the model.
    """
    try:
        plain = msgspec.json.decode(body[:json_length])
    except UNREADABLE as error:
        return unreadable(error)
    asked = inference_of(plain)
    if isinstance(asked, Refusal):
        return asked
    columns = table_of(asked.inputs, body[json_length:], schema)
    if isinstance(columns, Refusal):
        return columns
    absent = [column.name for column in schema.columns if column.name not in columns]
    if absent:
        return Refusal("missing_column", f"no input {', '.join(absent)}")
    rows = {len(values) for values in columns.values()}
    if len(rows) != 1 or rows == {0}:
        return Refusal("wrong_type", "the inputs must have the same number of rows, and at least one")
    return Table(columns, rows.pop(), asked.id, asked.parameters)


class OpenInference:
    """Reads the requests of one model."""

    def __init__(self, schema: ModelSchema, limits: Limits) -> None:
        self._schema = schema
        self._rows = Rows(schema, limits)
        self._limits = limits

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        body = _body_of(message, self._limits)
        if isinstance(body, Refusal):
            return body
        asked = asked_of(body.json, self._schema, body.raw)
        if isinstance(asked, Refusal):
            return asked
        headers = body.headers
        identity = asked.id if asked.id is not None else headers.get("ce_id")
        if identity is None:
            return Refusal("missing_field", "no id, and no header ce_id")
        time_ms = _time_ms(asked.parameters.get("time_ms"), headers.get("ce_time"), message)
        return time_ms if isinstance(time_ms, Refusal) else self._rows.of(identity, time_ms, asked.features)


class OpenInferenceAnswers:
    """Reads the answers of one model."""

    def __init__(self, limits: Limits, chosen: Chosen) -> None:
        self._limits = limits
        self._chosen = chosen

    def decode(self, message: Message) -> Answer | Refusal:
        """Decode one record; never raises."""
        body = _body_of(message, self._limits)
        if isinstance(body, Refusal):
            return body
        given = given_in(body.json, self._chosen, body.raw)
        if isinstance(given, Refusal):
            return given
        identity = given.id if given.id is not None else body.headers.get("ce_id")
        if identity is None:
            return Refusal("missing_field", "no id, and no header ce_id")
        return answer_of(identity, given, self._chosen, self._limits)


class _Body(NamedTuple):
    """A record's headers by lower-case name, its JSON, and the raw tensors behind it."""

    headers: dict[str, str]
    json: bytes
    raw: bytes


def _body_of(message: Message, limits: Limits) -> _Body | Refusal:
    value = readable(message.value, limits)
    if isinstance(value, Refusal):
        return value
    headers = texts_of(message.headers)
    length = headers.get(_JSON_LENGTH, str(len(value)))
    if not (length.isascii() and length.isdecimal() and len(length) < 10 and int(length) <= len(value)):
        return Refusal("wrong_type", f"the header {_JSON_LENGTH} isn't a length within the record")
    return _Body(headers, value[: int(length)], value[int(length) :])


def _time_ms(parameter: Any, header: str | None, message: Message) -> int | Refusal:
    if parameter is not None:
        return time_of(parameter, "milliseconds", "parameters.time_ms")
    return message.timestamp_ms if header is None else time_of(header, "rfc3339", "ce_time")


def open_dialect(schema: ModelSchema, limits: Limits, options: Options) -> Dialect:
    """Open the dialect for one model.

    Raises:
        ContractError: there are options.
    """
    check_none("open_inference", options)
    return OpenInference(schema, limits)


def open_answers(limits: Limits, options: Options) -> AnswerDialect:
    """Open the answers of one model; `output` and `position` say which number is the score.

    Raises:
        ContractError: an option is unknown or of a wrong type.
    """
    return OpenInferenceAnswers(limits, chosen_in("open_inference", options))


def example(request_id: str, time_ms: int, columns: Mapping[str, float | str | None]) -> Written:
    """Write a request with an input for each column; a number that is missing looks like any other number."""
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in columns.items()
    ]
    return Written(msgspec.json.encode({"id": request_id, "parameters": {"time_ms": time_ms}, "inputs": inputs}))


def answer_example(request_id: str, score: float) -> Written:
    """Write a response with one output."""
    output = {"name": "score", "shape": [1], "datatype": "FP64", "data": [score]}
    return Written(msgspec.json.encode({"model_name": "m", "model_version": "1", "id": request_id, "outputs": [output]}))
