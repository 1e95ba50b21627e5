"""Records to Arrow, in bulk: one typed pass over the JSON, then one array per column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
import pyarrow as pa

from streams.contracts.schema import ModelSchema
from streams.lake.tables import OUTCOMES, table_schema
from streams.transport.records import Record

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_AT_ONCE = 2_048
_LATEST_MS = 253_402_300_799_999
"""The end of the year 9999: later times have no date."""

Time = Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS)]
Number32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Number64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Undecodable(NamedTuple):
    """A record that isn't what its topic holds, and why."""

    record: Record
    detail: str


class Decoded(NamedTuple):
    """Rows in the order of the records, as the lake's table has them, and the records that could not be used."""

    rows: pa.Table
    undecodable: list[Undecodable]


class Decodes(Protocol):
    """Decodes the records of one table.

    Attributes:
        schema: of its rows, as `table_schema` says.
    """

    schema: pa.Schema

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Decode records without watermarks and markers; never raises for what is in them."""
        ...


class Decoder:
    """Decodes the predictions or the outcomes of one model. What doesn't fit the schema's types is refused, never guessed."""

    def __init__(self, schema: ModelSchema, table: str) -> None:
        self._names = [column.name for column in schema.columns]
        self.schema = table_schema(schema, table)
        self._is_outcome = table == OUTCOMES
        prediction = _prediction_type(schema)
        decoder: Any = msgspec.json.Decoder(_outcome_type(prediction) if self._is_outcome else prediction)
        self._one: Callable[[bytes], Any] = decoder.decode
        self._lines: Callable[[bytes], list[Any]] = decoder.decode_lines

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Decode records without watermarks and markers; never raises for what is in them."""
        # Some at a time: of many more the garbage collector takes as long as the decoding.
        parts, undecodable = [self.schema.empty_table()], list[Undecodable]()
        for first in range(0, len(records), _AT_ONCE):
            decoded, refused = self._structs(records[first : first + _AT_ONCE])
            parts.append(self._table(decoded))
            undecodable += refused
        return Decoded(pa.concat_tables(parts).combine_chunks(), undecodable)

    def _structs(self, records: Sequence[Record]) -> tuple[list[Any], list[Undecodable]]:
        lines = b"\n".join(record.value or b"" for record in records)
        if lines.count(b"\n") == len(records) - 1:  # else a line isn't a record
            try:
                decoded = self._lines(lines)
                if len(decoded) == len(records):
                    return decoded, []
            except _UNREADABLE:
                pass
        # Some record is broken, empty, or has line breaks of its own: one by one shows which.
        decoded, undecodable = [], []
        for record in records:
            try:
                decoded.append(self._one(record.value or b""))
            except _UNREADABLE as error:
                undecodable.append(Undecodable(record, str(error)))
        return decoded, undecodable

    def _table(self, decoded: Sequence[Any]) -> pa.Table:
        predictions = [outcome.prediction for outcome in decoded] if self._is_outcome else decoded
        columns = [prediction.columns for prediction in predictions]
        lists: dict[str, Any] = {name: [getattr(row, name) for row in columns] for name in self._names}
        lists |= {name: [getattr(row, name) for row in predictions] for name in _PLAIN}
        if self._is_outcome:
            lists |= {name: [getattr(row, name) for row in decoded] for name in ("label", "known_ms", "revision")}
        arrays: dict[str, pa.Array] = {name: pa.array(values, self.schema.field(name).type) for name, values in lists.items()}
        arrays["windows"] = _maps([row.windows for row in predictions])
        arrays["shadows"] = _shadows([row.shadows for row in predictions], self.schema.field("shadows").type)
        return pa.table([arrays[name] for name in self.schema.names], schema=self.schema)


class _Shadow(msgspec.Struct, gc=False):
    name: str
    digest: str
    score: float | None


_PLAIN: dict[str, Any] = {
    "id": str,
    "partition": Number32,
    "offset": Number64,
    "time_ms": Time,
    "score": float | None,
    "digest": str,
    "generation": Number64,
    "route": str,
    "flags": list[str],
}


def _prediction_type(schema: ModelSchema) -> type[msgspec.Struct]:
    """Field by field `Prediction`, with the model's own columns. A score that isn't a number is null on the wire."""
    kinds = {"number": float | None, "category": str | None}
    fields: list[tuple[str, Any, Any]] = [(column.name, kinds[column.kind], None) for column in schema.columns]
    columns = msgspec.defstruct("Columns", fields, gc=False)
    further: dict[str, Any] = {"columns": columns, "windows": dict[str, float | None], "shadows": list[_Shadow]}
    return msgspec.defstruct("Served", list({**_PLAIN, **further}.items()), gc=False)


def _outcome_type(prediction: type[msgspec.Struct]) -> type[msgspec.Struct]:
    fields: list[Any] = [("prediction", prediction), ("label", float), ("known_ms", Time), ("revision", Number32, 0)]
    return msgspec.defstruct("Labelled", fields, gc=False)


def _maps(rows: Sequence[dict[str, float | None]]) -> pa.MapArray:
    keys = pa.array(list(chain.from_iterable(rows)), pa.string())
    values = pa.array(list(chain.from_iterable(row.values() for row in rows)), pa.float64())
    return pa.MapArray.from_arrays(_offsets(rows), keys, values)


def _shadows(rows: Sequence[list[_Shadow]], kind: pa.DataType) -> pa.ListArray:
    flat = list(chain.from_iterable(rows))
    fields = list(kind.value_type)
    parts = [pa.array([getattr(shadow, field.name) for shadow in flat], field.type) for field in fields]
    return pa.ListArray.from_arrays(_offsets(rows), pa.StructArray.from_arrays(parts, fields=fields)).cast(kind)


def _offsets(rows: Sequence[Any]) -> pa.Array:
    return pa.array(accumulate(map(len, rows), initial=0), pa.int32())
