"""Rows as the search sees them: columns as arrays, categories put in an order that trees can cut, and time-ordered folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.frames import Booleans, Floats, Integers, Singles, codes, column_of, fingerprint, floats, integers
from streams.contracts.schema import ModelSchema

PRIOR_ROWS = 20.0
RARE_ROWS = 10


class Design(NamedTuple):
    """A table for fitting, in order of time.

    `numbers` is [rows, numeric features and windows], `categories` [rows, categorical features] as codes (-1 missing);
    both with columns in an order that depends on their content only. `weights` undo the thinning.
    """

    task: str
    numbers: Singles
    categories: Integers
    labels: Floats
    weights: Floats
    time_ms: Integers
    known_ms: Integers

    def matrix(self, rows: Booleans | Integers, learning: Booleans, extra: Sequence[Singles] = ()) -> Singles:
        """Return the feature matrix of `rows`, categories ordered by what the `learning` rows say, with extra columns."""
        columns = [self.numbers[rows]]
        for index in range(self.categories.shape[1]):
            ranks = order_of_codes(self.categories[:, index], self.labels, learning)
            columns.append(ranks[self.categories[rows, index]][:, None])
        return np.hstack([*columns, *(values[rows][:, None] for values in extra)]).astype(np.float32)


def order_of_codes(values: Integers, labels: Floats, learning: Booleans) -> Singles:
    """Return each code's rank by mean label among the learning rows, NaN for rare ones; the last entry is for missing.

    Means are drawn towards the overall mean by `PRIOR_ROWS` rows, so that a small category can't come out extreme.
    """
    number = int(values.max(initial=-1)) + 1
    seen = learning & (values >= 0)
    counts = np.bincount(values[seen], minlength=number).astype(np.float64)
    overall = float(labels[learning].mean()) if learning.any() else 0.0
    means = (np.bincount(values[seen], labels[seen], number) + PRIOR_ROWS * overall) / (counts + PRIOR_ROWS)
    ranks = np.full(number + 1, np.nan, dtype=np.float32)
    common = np.flatnonzero(counts >= RARE_ROWS)
    # Ties go by the number of rows, so that neither names nor the order of first sight matter.
    ranks[common[np.lexsort((counts[common], means[common]))]] = np.arange(len(common))
    return ranks


def design_of(table: pa.Table, schema: ModelSchema, windows: Sequence[str], index: Integers, weights: Floats) -> Design:
    """Build a design from rows `index` of a data set; `windows` names the window columns that are there already."""
    kept = table.take(pa.array(index))
    numbers = [floats(kept, name) for name in (*schema.numbers, *windows)]
    texts = [codes(column_of(kept, name))[0] for name in schema.categories]
    return Design(
        task=schema.task,
        numbers=np.array(sorted(numbers, key=fingerprint), dtype=np.float32).reshape(len(numbers), kept.num_rows).T,
        categories=np.array(sorted(texts, key=fingerprint), dtype=np.int64).reshape(len(texts), kept.num_rows).T,
        labels=floats(kept, "label"),
        weights=weights,
        time_ms=integers(kept, "time_ms"),
        known_ms=integers(kept, "known_ms"),
    )


def thinned(labels: Floats, task: str, most_rows: int, generator: np.random.Generator) -> tuple[Integers, Floats]:
    """Choose at most `most_rows` rows, in order, and the weights that make up for the others.

    Of a binary task the rarer class is kept as far as it fills half of the rows; single positives are worth more than zeros.
    """
    rows = len(labels)
    if rows <= most_rows:
        return np.arange(rows, dtype=np.int64), np.ones(rows)
    if task != "binary":
        kept = np.sort(generator.choice(rows, most_rows, replace=False))
        return kept.astype(np.int64), np.full(most_rows, rows / most_rows)
    positive = np.flatnonzero(labels > 0.5)
    rare, common = sorted((positive, np.flatnonzero(labels <= 0.5)), key=len)
    of_rare = min(len(rare), max(most_rows // 2, round(most_rows * len(rare) / rows)))
    taken = [generator.choice(part, size, replace=False) for part, size in ((rare, of_rare), (common, most_rows - of_rare))]
    weights = [np.full(len(part), len(whole) / max(len(part), 1)) for part, whole in zip(taken, (rare, common), strict=True)]
    index, weight = np.concatenate(taken), np.concatenate(weights)
    order = np.argsort(index)
    return index[order].astype(np.int64), weight[order]


def thinned_apart(
    labels: Floats, new: Booleans, task: str, most_rows: int, generator: np.random.Generator
) -> tuple[Integers, Floats]:
    """Choose as `thinned` does, but `new` rows fill half if there are as many, and the others what is left."""
    if new.all() or not new.any():
        return thinned(labels, task, most_rows, generator)
    of_new, of_old = np.flatnonzero(new), np.flatnonzero(~new)
    most_new = max(most_rows // 2, most_rows - len(of_old))
    parts = [
        (rows, *thinned(labels[rows], task, most, generator))
        for rows, most in ((of_new, most_new), (of_old, most_rows - min(len(of_new), most_new)))
    ]
    index, weight = (np.concatenate([rows[kept] for rows, kept, _ in parts]), np.concatenate([weights for *_, weights in parts]))
    order = np.argsort(index)
    return index[order].astype(np.int64), weight[order]
