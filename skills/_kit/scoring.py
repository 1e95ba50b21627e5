"""Scoring tables with a loaded bundle; apart from the export, so that who only scores loads no training library."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.frames import Floats, floats, integers, pylist
from streams.contracts.features import Expression, Window
from streams.contracts.schema import ModelSchema
from streams.inference.session import Column, Scorer


class Inputs(NamedTuple):
    """A bundle's inputs: its columns, windows and expressions."""

    schema: ModelSchema
    windows: tuple[Window, ...]
    expressions: tuple[Expression, ...]


def rows_of(inputs: Inputs, table: pa.Table) -> tuple[dict[str, Column], dict[str, Column]]:
    """Return the feature columns and the window columns of a table the way a scorer takes them: numbers as arrays."""
    columns: dict[str, Column] = {name: floats(table, name) for name in inputs.schema.numbers}
    columns |= {name: pylist(table, name, "category") for name in inputs.schema.categories}
    return columns, {window.name: floats(table, window.name) for window in inputs.windows}


def score_table(scorer: Scorer, table: pa.Table) -> Floats:
    """Score the rows of a table with a loaded bundle; return float64 [rows]."""
    manifest = scorer.manifest
    columns, values = rows_of(Inputs(manifest.schema, manifest.windows, manifest.expressions), table)
    return scorer.score(columns, values, integers(table, "time_ms").tolist()).astype(np.float64)
