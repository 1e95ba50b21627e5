"""Our own dialect: `{"id": "...", "time_ms": 1700000000000, "features": {"column": 1.5, "other": "red", "third": null}}`.

Every declared column must be there; null means missing. Fields that aren't declared are dropped. An answer is
`{"id": "...", "score": 0.25, "version": "7"}`; the version may be absent, and request and answer may be one object.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streams.contracts.schema import ModelSchema
from streams.dialects._answers import Chosen, Given, answer_of
from streams.dialects._options import check_none
from streams.dialects._rows import UNREADABLE, Rows, object_in, unreadable
from streams.dialects.base import Answer, AnswerDialect, Dialect, Limits, Message, Options, Refusal, Row, Written


class Native:
    """Decodes rows of one schema in one typed pass; what fails is looked at again to say why."""

    def __init__(self, schema: ModelSchema, limits: Limits) -> None:
        self._rows = Rows(schema, limits)
        self._row = msgspec.json.Decoder(self._rows.type).decode
        self._plain = msgspec.json.Decoder().decode

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        value = self._rows.readable(message.value)
        if isinstance(value, Refusal):
            return value
        try:
            row: Row = self._row(value)
        except UNREADABLE as error:
            return self._why(value, str(error))
        return row

    def _why(self, value: bytes, told: str) -> Refusal:
        """Find the reason for a record that the typed decoder refused; `told` is what it said."""
        try:
            plain = self._plain(value)
        except UNREADABLE as error:
            return unreadable(error)
        return self._rows.why(plain, told)


class NativeAnswers:
    """Reads the answers of one model."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def decode(self, message: Message) -> Answer | Refusal:
        """Decode one record; never raises."""
        plain = object_in(message.value, self._limits)
        if isinstance(plain, Refusal):
            return plain
        absent = [name for name in ("id", "score") if name not in plain]
        if absent:
            return Refusal("missing_field", f"no {', '.join(absent)}")
        return answer_of(plain["id"], Given([plain["score"]], version=plain.get("version")), Chosen(), self._limits)


def open_dialect(schema: ModelSchema, limits: Limits, options: Options) -> Dialect:
    """Open the dialect for one model.

    Raises:
        ContractError: there are options.
    """
    check_none("native", options)
    return Native(schema, limits)


def open_answers(limits: Limits, options: Options) -> AnswerDialect:
    """Open the answers of one model.

    Raises:
        ContractError: there are options.
    """
    check_none("native", options)
    return NativeAnswers(limits)


def example(request_id: str, time_ms: int, columns: Mapping[str, float | str | None]) -> Written:
    """Write a request in this dialect, as a caller would."""
    return Written(msgspec.json.encode({"id": request_id, "time_ms": time_ms, "features": dict(columns)}))


def answer_example(request_id: str, score: float) -> Written:
    """Write an answer in this dialect."""
    return Written(msgspec.json.encode({"id": request_id, "score": score, "version": "1"}))
