"""Slices: the rows that share a value of a category, for looking where a model is good or bad."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.frames import Booleans, codes, column_of
from streams.contracts.schema import ModelSchema

LEAST_ROWS = 200
MOST_SLICES = 30
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Slice(NamedTuple):
    """A slice's name, `column=value`, its column, and which rows belong to it [rows]."""

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


def safe(value: str) -> str:
    """Return a value that pages and prompts may show: itself when plain, else a digest. Data are written by strangers."""
    return value if _PLAIN.fullmatch(value) else "#" + hashlib.sha256(value.encode()).hexdigest()[:8]
