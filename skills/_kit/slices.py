"""Slices: the rows that share a value of a category, or a range of a number, for looking where a model is good or bad."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.frames import Booleans, codes, column_of, floats
from streams.contracts.schema import ModelSchema
from streams.runtime.text import safe

LEAST_ROWS = 200
MOST_SLICES = 30
MOST_RANGES = 4


class Slice(NamedTuple):
    """A slice's name, `column=value` or `column=low..high`, its column, and which rows belong to it [rows]."""

    name: str
    column: str
    rows: Booleans


def slices_of(schema: ModelSchema, table: pa.Table, least_rows: int = LEAST_ROWS, most: int = MOST_SLICES) -> list[Slice]:
    """Return the largest slices by untagged categorical features, largest first."""
    found = []
    for column in schema.features:
        if column.kind != "category" or column.tags:
            continue
        values, texts = codes(column_of(table, column.name))
        counts = np.bincount(values[values >= 0], minlength=len(texts))
        for code in np.flatnonzero(counts >= least_rows):
            name = f"{column.name}={safe(str(texts[code]))}"
            found.append((-int(counts[code]), name, Slice(name, column.name, values == code)))
    return [one for _, _, one in sorted(found, key=lambda item: item[:2])[:most]]


def ranges_of(schema: ModelSchema, table: pa.Table, least_rows: int = LEAST_ROWS, most: int = MOST_SLICES) -> list[Slice]:
    """Return slices by ranges of untagged numeric features with equally many rows, in the schema's order.

    Quarters, or thirds or halves where quarters would be too small; fewer where values repeat. For data without a category: a
    model can be worse somewhere there as well. Missing values belong to no slice.
    """
    found = []
    for column in schema.features:
        if column.kind != "number" or column.tags:
            continue
        values = floats(table, column.name)
        known = values[np.isfinite(values)]
        number = min(MOST_RANGES, len(known) // least_rows)
        if number <= 1:
            continue
        edges = np.unique([-np.inf, *np.quantile(known, np.arange(1, number) / number), np.inf])
        for low, high in itertools.pairwise(edges.tolist()):
            rows = (values > low) & (values <= high)
            if rows.sum() >= least_rows:
                name = f"{column.name}={values[rows].min():.4g}..{values[rows].max():.4g}"
                found.append(Slice(name, column.name, rows))
    return found[:most]
