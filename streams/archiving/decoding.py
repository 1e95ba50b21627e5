"""Records to Arrow, in bulk: one typed pass over the JSON, then one array per column."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from streams.contracts.schema import ModelSchema
from streams.lake.tables import OUTCOMES, table_schema
from streams.transport.records import Record
from streams.transport.typed import PLAIN, Shadow, TypedDecoder, Undecodable

_AT_ONCE = 2_048


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
        self._decoder = TypedDecoder(schema, outcomes=self._is_outcome)

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Decode records without watermarks and markers; never raises for what is in them."""
        # Some at a time: of many more the garbage collector takes as long as the decoding.
        parts, undecodable = [self.schema.empty_table()], list[Undecodable]()
        for first in range(0, len(records), _AT_ONCE):
            typed = self._decoder.decode(records[first : first + _AT_ONCE])
            parts.append(self._table(typed.rows))
            undecodable += typed.undecodable
        return Decoded(pa.concat_tables(parts).combine_chunks(), undecodable)

    def _table(self, decoded: Sequence[Any]) -> pa.Table:
        predictions = [outcome.prediction for outcome in decoded] if self._is_outcome else decoded
        columns = [prediction.columns for prediction in predictions]
        lists: dict[str, Any] = {name: [getattr(row, name) for row in columns] for name in self._names}
        lists |= {name: [getattr(row, name) for row in predictions] for name in PLAIN}
        if self._is_outcome:
            lists |= {name: [getattr(row, name) for row in decoded] for name in ("label", "known_ms", "revision")}
        arrays: dict[str, pa.Array] = {name: pa.array(values, self.schema.field(name).type) for name, values in lists.items()}
        arrays["windows"] = _maps([row.windows for row in predictions])
        arrays["shadows"] = _shadows([row.shadows for row in predictions], self.schema.field("shadows").type)
        return pa.table([arrays[name] for name in self.schema.names], schema=self.schema)


def _maps(rows: Sequence[dict[str, float | None]]) -> pa.MapArray:
    keys = pa.array(list(chain.from_iterable(rows)), pa.string())
    values = pa.array(list(chain.from_iterable(row.values() for row in rows)), pa.float64())
    return pa.MapArray.from_arrays(_offsets(rows), keys, values)


def _shadows(rows: Sequence[list[Shadow]], kind: pa.DataType) -> pa.ListArray:
    flat = list(chain.from_iterable(rows))
    fields = list(kind.value_type)
    parts = [pa.array([getattr(shadow, field.name) for shadow in flat], field.type) for field in fields]
    return pa.ListArray.from_arrays(_offsets(rows), pa.StructArray.from_arrays(parts, fields=fields)).cast(kind)


def _offsets(rows: Sequence[Any]) -> pa.Array:
    return pa.array(accumulate(map(len, rows), initial=0), pa.int32())
