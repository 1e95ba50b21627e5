"""Slices that nobody declared: parts of the columns that a model looks at most, and of pairs of them, with enough rows each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.frames import Booleans, codes, column_of, floats
from streams.contracts.bundle import Profile
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.slices import Condition, Slice
from streams.runtime.text import safe

MOST_COLUMNS = 6
MOST_PARTS = 4
MOST_SLICES = 100
LEAST_ROWS = 200
LEAST_SHARE = 0.01


class _Part(NamedTuple):
    name: str
    condition: Condition
    rows: Booleans


def cut_slices(schema: ModelSchema, profile: Profile, table: pa.Table) -> tuple[Slice, ...]:
    """Return slices of one column and of two, those of the most important columns first, at most `MOST_SLICES`.

    A number is cut in quarters, a category in its most frequent values. A slice has at least `LEAST_ROWS` rows and `LEAST_SHARE`
    of them: of fewer nothing is found in time. Tagged columns aren't looked at.

    Args:
        schema: the model's columns.
        profile: with the importance of each, if it is known.
        table: rows that the model hadn't seen [n].
    """
    least = max(LEAST_ROWS, LEAST_SHARE * table.num_rows)
    columns = [column for column in schema.features if not column.tags]
    columns = sorted(columns, key=lambda one: -profile.importance.get(one.name, 0.0))[:MOST_COLUMNS]
    parts = [[part for part in _parts(column, table) if part.rows.sum() >= least] for column in columns]
    found = [Slice(name=part.name, conditions=(part.condition,)) for of_column in parts for part in of_column]
    for first, second in combinations(parts, 2):
        found += [_both(one, other) for one in first for other in second if (one.rows & other.rows).sum() >= least]
    return tuple(found[:MOST_SLICES])


def _both(one: _Part, other: _Part) -> Slice:
    return Slice(name=f"{one.name} and {other.name}", conditions=(one.condition, other.condition))


def _parts(column: Column, table: pa.Table) -> Sequence[_Part]:
    return _of_number(column.name, table) if column.kind == "number" else _of_category(column.name, table)


def _of_number(name: str, table: pa.Table) -> list[_Part]:
    values = floats(table, name)
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    inner = np.unique(np.quantile(known, np.arange(1, MOST_PARTS) / MOST_PARTS))
    edges = [None, *inner[inner > known.min()].tolist(), None]
    found = []
    for low, high in pairwise(edges):
        rows = (values >= (-np.inf if low is None else low)) & (values < (np.inf if high is None else high))
        text = f"{name}={'' if low is None else f'{low:.4g}'}..{'' if high is None else f'{high:.4g}'}"
        found.append(_Part(text, Condition(column=name, low=low, high=high), rows))
    # A number that never differs has one part, which is everything.
    return found if len(found) > 1 else []


def _of_category(name: str, table: pa.Table) -> list[_Part]:
    values, texts = codes(column_of(table, name))
    counts = np.bincount(values[values >= 0], minlength=len(texts))
    frequent = [code for code in np.argsort(-counts, kind="stable").tolist() if texts[code]][:MOST_PARTS]
    return [
        _Part(f"{name}={safe(str(texts[code]))}", Condition(column=name, values=(str(texts[code]),)), values == code)
        for code in frequent
    ]
