"""Labels to Arrow, as they came: those that never meet a prediction too."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streams.archiving.decoding import Decoded
from streams.contracts.labels import LabelHead, label_of
from streams.contracts.schema import ModelSchema
from streams.lake.tables import LABELS, table_schema
from streams.transport.records import Record


class LabelDecoder:
    """Decodes the labels of one model. What can't be used is left out here: joining has put it into quarantine."""

    def __init__(self, schema: ModelSchema) -> None:
        self._task = schema.task
        self.schema = table_schema(schema, LABELS)

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Decode records without watermarks; never raises for what is in them."""
        read = [(record, label_of(record.value, self._task)) for record in records]
        rows = [
            (label.id, record.partition, record.offset, label.label, label.time_ms)
            for record, label in read
            if isinstance(label, LabelHead)
        ]
        columns = list(zip(*rows, strict=True)) or [()] * len(self.schema)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self.schema, strict=True)]
        return Decoded(pa.table(arrays, schema=self.schema), [])
