"""Which columns of facts windows read, and decoders that build no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from streams.contracts.features import LABEL, Source, Window
from streams.contracts.schema import ModelSchema
from streams.windows.facts import columns_of

_Number64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


def fact_columns(specs: Sequence[Window], schema: ModelSchema, source: Source) -> tuple[str, ...]:
    """Name the columns that the windows read of facts, beside an outcome's label: keys, values, and those of filters."""
    some = [spec for spec in specs if spec.source == source]
    values = [name for spec in some for name in columns_of(spec, schema) if not (source == "outcomes" and name == LABEL)]
    return tuple(dict.fromkeys([*(key for spec in some for key in spec.by), *sorted(values)]))


def decoders_of(columns: Sequence[str], schema: ModelSchema) -> tuple[Any, Any]:
    """Build decoders that read only what windows need: the rest of a record is skipped, not built.

    `offset` is that of the request, -1 in records of writers that don't say it.
    """
    kinds = {name: (float if schema.column(name).kind == "number" else str) | None for name in columns}
    needed = msgspec.defstruct("Columns", [(name, kind, None) for name, kind in kinds.items()], gc=False)
    prediction = msgspec.defstruct(
        "PredictionFact",
        [
            ("time_ms", _Number64),
            ("columns", needed),
            ("offset", _Number64, -1),
            ("flags", list[str], msgspec.field(default_factory=list)),
        ],
        gc=False,
    )
    outcome = msgspec.defstruct("OutcomeFact", [("known_ms", _Number64), ("label", float), ("prediction", prediction)], gc=False)
    return msgspec.json.Decoder(prediction).decode, msgspec.json.Decoder(outcome).decode
