"""How much of the change of the expected loss each column explains that moved: columns are put back to the reference's values.

The loss that a row's score lets expect (`streams/statistics/estimates.py`) is asked of the bundle's own graph, for rows that came
since the change and for the same rows with some of their moved columns as in a row of the reference. What a column adds to the
expected loss, averaged over the orders in which columns can be put back, is its Shapley value; together they are what all moved
columns explain. The rest came by columns that hardly moved, and by what goes together with what. Nothing is said of a loss that
rose because a score no longer means what it meant. Source: Štrumbelj, E. and Kononenko, I. (2014), "Explaining prediction models
and individual predictions with feature contributions", Knowledge and Information Systems 41, 647-665; of a loss instead of a
score: Lundberg, S. M. et al. (2020), "From local explanations to global understanding with explainable AI for trees", Nature
Machine Intelligence 2, 56-67.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats

from skills._kit.evidence import with_logged
from skills._kit.frames import Floats, floats, integers, pylist, row_blocks
from streams.contracts.bundle import Manifest
from streams.detectors._shapley import shapley_values
from streams.detectors.base import Columns
from streams.inference.session import Scorer
from streams.statistics.estimates import Estimator

# What it costs at most: so many rows, each walked by so many pairs over so many columns, are 20,000 scores.
ROWS, PAIRS, MOST_COLUMNS = 300, 4, 6
FEWEST_ROWS = 50
_BLOCKS = 30
_TWO_SIDED = 0.975

Loss = Callable[[Columns], Floats]
"""Says which loss is to be expected of rows [rows]."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a column adds to the mean expected loss, with its 95 % interval."""

    feature: str
    loss: float
    low: float
    high: float


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """How far the mean expected loss of some rows lies above the reference's, and what the columns that moved add to it."""

    rise: float
    rows: int
    columns: list[Part]


def expected_by(scorer: Scorer, reference: pa.Table, changed: pa.Table, moved: Sequence[str], seed: int) -> Expected | None:
    """Say what the moved columns explain; None of too few rows, without moved columns, or where no loss is to be expected.

    Args:
        scorer: the bundle.
        reference: whole rows of its reference.
        changed: unflagged predictions since the change in order of time, with the windows that were logged.
        moved: columns that moved, the one that did most first; at most `MOST_COLUMNS` are asked.
        seed: of the orders, and of which rows of the reference are taken.
    """
    outcomes = scorer.profile.outcomes
    names = [name for name in moved if name in reference.column_names and name in changed.column_names][:MOST_COLUMNS]
    least = min(changed.num_rows, reference.num_rows)
    # What stands for a model that is served elsewhere has other scores than that.
    if outcomes is None or not sum(outcomes.rows) or not names or least < FEWEST_ROWS or scorer.manifest.is_stand_in:
        return None
    evenly = np.linspace(0, changed.num_rows, min(changed.num_rows, ROWS), endpoint=False).astype(np.int64)
    rows, estimator = with_logged(changed.take(pa.array(evenly)), scorer.manifest.windows), Estimator(outcomes)
    edges = np.array(scorer.profile.score.edges)

    def expected_of(columns: Columns, time_ms: Sequence[int]) -> Floats:
        found: Floats = estimator.loss[np.searchsorted(edges, scorer.score_rows(columns, time_ms), side="right")]
        return found

    given, time_ms = _columns(scorer.manifest, rows, rows.column_names), integers(rows, "time_ms")

    def expected(walked: Columns) -> Floats:
        times = len(next(iter(walked.values()))) // rows.num_rows
        kept = {name: values.repeat(times) for name, values in given.items() if name not in walked}
        return expected_of({**kept, **walked}, time_ms.repeat(times).tolist())

    usual = float((estimator.rows * estimator.loss).sum() / estimator.rows.sum())
    rise = float(expected_of(given, time_ms.tolist()).mean()) - usual
    now, then = {name: given[name] for name in names}, _columns(scorer.manifest, reference, names)
    return Expected(rise=rise, rows=rows.num_rows, columns=parts_of(expected, now, then, np.random.default_rng(seed)))


def parts_of(expected: Loss, now: Columns, then: Columns, generator: np.random.Generator) -> list[Part]:
    """Return what each column adds to the mean expected loss, the largest first.

    Args:
        expected: asked of rows whose columns are partly those of `then`.
        now: columns of rows in order of time [rows].
        then: the same columns of the reference's rows [any].
        generator: draws orders and rows.
    """
    added = shapley_values(expected, now, then, PAIRS, generator)
    # Rows near each other are alike: what a mean of them errs by is seen from block to block.
    blocks = row_blocks(len(added), min(_BLOCKS, len(added)))
    counts = np.bincount(blocks)
    means = np.stack([np.bincount(blocks, column) / counts for column in added.T])
    error = means.std(axis=1, ddof=1) / np.sqrt(len(counts)) * stats.t.ppf(_TWO_SIDED, len(counts) - 1)
    found = [
        Part(feature=name, loss=float(mean), low=float(mean - half), high=float(mean + half))
        for name, mean, half in zip(now, added.mean(axis=0), error, strict=True)
    ]
    return sorted(found, key=lambda part: (-part.loss, part.feature))


def _columns(manifest: Manifest, table: pa.Table, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Return those of the columns that the graph asks for."""
    numbers = {*manifest.schema.numbers, *(window.name for window in manifest.windows)}
    found: dict[str, npt.NDArray[Any]] = {name: floats(table, name) for name in names if name in numbers}
    for name in manifest.schema.categories:
        if name in names:
            found[name] = np.array(["" if value is None else value for value in pylist(table, name, "category")], object)
    return found
