"""Scoring tables with a loaded bundle; apart from the export, so that who only scores loads no training library."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.frames import Floats, integers, pylist
from streams.contracts.features import Expression, Window
from streams.contracts.schema import ModelSchema
from streams.inference.session import Scorer


class Inputs(NamedTuple):
    """A bundle's inputs: its columns, windows and expressions."""

    schema: ModelSchema
    windows: tuple[Window, ...]
    expressions: tuple[Expression, ...]


def rows_of(inputs: Inputs, table: pa.Table) -> tuple[dict[str, list[float | str | None]], dict[str, list[float | str | None]]]:
    """Return the feature columns and the window columns of a table the way a scorer takes them."""
    columns = {column.name: pylist(table, column.name, column.kind) for column in inputs.schema.features}
    return columns, {window.name: pylist(table, window.name, "number") for window in inputs.windows}


def score_table(scorer: Scorer, table: pa.Table) -> Floats:
    """Score the rows of a table with a loaded bundle; return float64 [rows]."""
    manifest = scorer.manifest
    columns, values = rows_of(Inputs(manifest.schema, manifest.windows, manifest.expressions), table)
    return scorer.score(columns, values, integers(table, "time_ms").tolist()).astype(np.float64)
