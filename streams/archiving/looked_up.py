"""Records of registered sources to Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from streams.archiving.decoding import Decoded
from streams.contracts.schema import ModelSchema
from streams.dialects.base import Dialect, Refusal, Row
from streams.lake.tables import source_table, table_schema
from streams.transport.records import Record
from streams.transport.typed import Undecodable


class SourceDecoder:
    """Decodes the records of one source of one model. Nobody before has refused any, so those that can't be used are here.

    Args:
        schema: the model's, which registers the source.
        source: its name.
        dialect: decodes its records.
    """

    def __init__(self, schema: ModelSchema, source: str, dialect: Dialect) -> None:
        self._names = [column.name for column in schema.columns_of(source)]
        self.schema = table_schema(schema, source_table(source))
        self._dialect = dialect

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Decode records without watermarks; never raises for what is in them."""
        rows, undecodable = list[tuple[Record, Row]](), list[Undecodable]()
        for record in records:
            what = self._dialect.decode(record)
            if isinstance(what, Refusal):
                undecodable.append(Undecodable(record, f"{what.reason}: {what.detail}"))
            else:
                rows.append((record, what))
        lists: dict[str, list[Any]] = {
            "id": [row.id for _, row in rows],
            "partition": [record.partition for record, _ in rows],
            "offset": [record.offset for record, _ in rows],
            "time_ms": [row.time_ms for _, row in rows],
        }
        lists |= {name: [getattr(row.features, name) for _, row in rows] for name in self._names}
        return Decoded(pa.table([pa.array(lists[field.name], field.type) for field in self.schema], self.schema), undecodable)
