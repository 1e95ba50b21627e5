"""Textbook streams whose concept changes at known rows: SEA, SINE and STAGGER, abrupt and gradual.

López Lobo: Synthetic datasets for concept drift detection purposes. Harvard Dataverse, 2020, doi 10.7910/DVN/5OWRGB. Abrupt
streams change at rows 10,000, 20,000 and 30,000; gradual ones at 9,500, 20,000 and 30,500, over 1,000 rows. A row comes each
minute, and its label 200 rows later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd

from streams.contracts.schema import Column, Kind, ModelSchema
from tests.bench.closed_loop.data.base import DataSet, assembled, categories, midnight_ms, numbered

FILE = "synthetic_drift_sea_sine_stagger.parquet"
MINUTE_MS = 60_000
LABEL_ROWS = 200
BUCKET_ROWS = 100
EPOCH = "2020-01-01"

# Name in the file, and the kinds of its columns: STAGGER's are size, colour and shape.
_STREAMS: Final[Mapping[str, tuple[str, Mapping[str, Kind]]]] = {
    "sea_abrupt": ("sea_0123_abrupto_noise_0.2", {"X1": "number", "X2": "number", "X3": "number"}),
    "sea_gradual": ("sea_0123_gradual_noise_0.2", {"X1": "number", "X2": "number", "X3": "number"}),
    "sine_abrupt": ("sine_0123_abrupto", {"X1": "number", "X2": "number"}),
    "sine_gradual": ("sine_0123_gradual", {"X1": "number", "X2": "number"}),
    "stagger_abrupt": ("stagger_0120_abrupto", {"X1": "category", "X2": "category", "X3": "category"}),
    "stagger_gradual": ("stagger_0120_gradual", {"X1": "category", "X2": "category", "X3": "category"}),
}


def load(name: str, folder: Path) -> DataSet:
    """Read one stream of about four weeks.

    Raises:
        KeyError: there is no stream of that name.
    """
    stream, kinds = _STREAMS[name]
    table = pd.read_parquet(folder / FILE, filters=[("stream", "==", stream)])
    schema = ModelSchema(columns=tuple(Column(name=column, kind=kind) for column, kind in kinds.items()))
    time_ms = midnight_ms(EPOCH) + table["i"].astype("int64") * MINUTE_MS
    keys = {"id": numbered(len(table)), "time_ms": time_ms, "label": table["class"], "known_ms": time_ms + LABEL_ROWS * MINUTE_MS}
    columns = {column: table[column] if kind == "number" else categories(table[column]) for column, kind in kinds.items()}
    return DataSet(
        name=name,
        schema=schema,
        rows=assembled(keys | columns, schema),
        epoch_ms=midnight_ms(EPOCH),
        windows=(),
        expressions=(),
        skew_ms=BUCKET_ROWS * MINUTE_MS,
        metric="accuracy",
        group="all",
    )


LOADERS: Final[Mapping[str, Callable[[Path], DataSet]]] = {name: partial(load, name) for name in _STREAMS}
