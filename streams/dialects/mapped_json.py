"""Any JSON object, by a declared mapping: where the id, the time and each column stand.

```yaml
dialect: mapped_json
dialect_options:
  id: meta.request            # steps from the top, joined by dots; a number takes that place of an array
  time: meta.at
  time_as: rfc3339            # or milliseconds (the default), seconds, microseconds since 1970
  columns: {amount: payment.amount, shop: payment.shop.name}
  absent_is_null: true        # where the writer leaves out what is null
```

A column that isn't named stands at the top under its own name. The id may be a text or a whole number. Answers have a mapping of
their own, `{id: ..., score: ..., version: ...}`; they may stand in the requests' records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from streams.contracts.errors import ContractError
from streams.contracts.schema import ModelSchema
from streams.dialects._answers import Chosen, Given, answer_of
from streams.dialects._options import said
from streams.dialects._rows import Rows, object_in
from streams.dialects._times import Written as TimeWritten
from streams.dialects._times import time_of
from streams.dialects.base import Answer, AnswerDialect, Dialect, Limits, Message, Options, Refusal, Row, Written

Path = tuple[str, ...]


class Mapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options."""

    id: str = "id"
    time: str = "time_ms"
    time_as: TimeWritten = "milliseconds"
    columns: dict[str, str] = {}
    absent_is_null: bool = False


class MappedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of answers. A version may be absent, as far as its path is one."""

    id: str = "id"
    score: str = "score"
    version: str = "version"


class _Absent:
    """Nothing stands there, not even null."""


_ABSENT = _Absent()


class MappedJson:
    """Follows the paths of one model."""

    def __init__(self, schema: ModelSchema, limits: Limits, mapped: Mapped) -> None:
        self._rows = Rows(schema, limits)
        self._limits = limits
        self._id, self._time = _path(mapped.id), _path(mapped.time)
        self._time_as = mapped.time_as
        self._columns = {column.name: _path(mapped.columns.get(column.name, column.name)) for column in schema.columns}
        self._absent_is_null = mapped.absent_is_null

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        plain = object_in(message.value, self._limits)
        return plain if isinstance(plain, Refusal) else self._row(plain)

    def _row(self, plain: dict[str, Any]) -> Row | Refusal:
        identity, time = _at(plain, self._id), _at(plain, self._time)
        absent = [".".join(path) for path, one in ((self._id, identity), (self._time, time)) if one is _ABSENT]
        if absent:
            return Refusal("missing_field", f"no {', '.join(absent)}")
        time_ms = time_of(time, self._time_as, ".".join(self._time))
        if isinstance(time_ms, Refusal):
            return time_ms
        found = {name: _at(plain, path) for name, path in self._columns.items()}
        if self._absent_is_null:
            found = {name: None if value is _ABSENT else value for name, value in found.items()}
        features = {name: value for name, value in found.items() if value is not _ABSENT}
        return self._rows.of(_text(identity), time_ms, features)


class MappedAnswers:
    """Follows the paths of one model's answers."""

    def __init__(self, limits: Limits, mapped: MappedAnswer) -> None:
        self._limits = limits
        self._id, self._score, self._version = _path(mapped.id), _path(mapped.score), _path(mapped.version)

    def decode(self, message: Message) -> Answer | Refusal:
        """Decode one record; never raises."""
        plain = object_in(message.value, self._limits)
        if isinstance(plain, Refusal):
            return plain
        identity, score, version = (_at(plain, path) for path in (self._id, self._score, self._version))
        absent = [".".join(path) for path, one in ((self._id, identity), (self._score, score)) if one is _ABSENT]
        if absent:
            return Refusal("missing_field", f"no {', '.join(absent)}")
        given = Given([score], version=None if version is _ABSENT else _text(version))
        return answer_of(_text(identity), given, Chosen(), self._limits)


def open_dialect(schema: ModelSchema, limits: Limits, options: Options) -> Dialect:
    """Open the dialect for one model.

    Raises:
        ContractError: an option is unknown or of a wrong type, a path is empty, or a column isn't declared.
    """
    mapped = said("mapped_json", options, Mapped)
    undeclared = sorted(set(mapped.columns) - {column.name for column in schema.columns})
    if undeclared:
        raise ContractError(f"options of the dialect mapped_json: columns {', '.join(undeclared)} aren't in the schema")
    return MappedJson(schema, limits, mapped)


def open_answers(limits: Limits, options: Options) -> AnswerDialect:
    """Open the answers of one model.

    Raises:
        ContractError: an option is unknown or of a wrong type, or a path is empty.
    """
    return MappedAnswers(limits, said("mapped_json", options, MappedAnswer))


def example(request_id: str, time_ms: int, columns: Mapping[str, float | str | None]) -> Written:
    """Write a request that needs no options."""
    return Written(msgspec.json.encode({"id": request_id, "time_ms": time_ms, **columns}))


def answer_example(request_id: str, score: float) -> Written:
    """Write an answer that needs no options."""
    return Written(msgspec.json.encode({"id": request_id, "score": score}))


def _path(text: str) -> Path:
    steps = tuple(text.split("."))
    if not all(steps):
        raise ContractError(f"options of the dialect mapped_json: {text!r} isn't a path; write names joined by dots")
    return steps


def _at(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step, _ABSENT)
        elif isinstance(value, list) and step.isdecimal() and step.isascii() and len(step) < 10 and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
    return value


def _text(identity: Any) -> Any:
    return str(identity) if isinstance(identity, int) and not isinstance(identity, bool) else identity
