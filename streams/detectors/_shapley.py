"""Shapley values: how much of a row's score each of its columns makes, of any model that can be asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streams.detectors.base import Columns, Floats


def shapley_values(
    score: Callable[[Columns], Floats], rows: Columns, others: Columns, pairs: int, generator: np.random.Generator
) -> Floats:
    """Return how much each column adds to the score of each row, compared with other rows [rows, columns].

    A walk leads from one of the others to the row, column by column in random order; what the score changes by at a step is its
    column's. The values are means over walks. Each is walked in two orders, one the reverse of the other, because what a column
    adds early and late errs in opposite directions. Whatever the number of walks, the values are right on average, and those of a
    row add up to its score less the mean score of the others that its walks came from. Sources: Štrumbelj, E. and Kononenko, I.
    (2014), "Explaining prediction models and individual predictions with feature contributions", Knowledge and Information
    Systems 41, 647-665; Mitchell, R., Cooper, J., Frank, E. and Holmes, G. (2022), "Sampling permutations for Shapley value
    estimation", Journal of Machine Learning Research 23(43), 1-46 (section 4.1).

    Args:
        score: scores the rows of `2 * pairs * (columns + 1)` steps for each row, row after row.
        rows: that are explained, by column.
        others: that they are compared with, with the same columns.
        pairs: of walks for each row.
        generator: draws the orders and the others.
    """
    number, width = len(next(iter(rows.values()))), len(rows)
    forth = generator.permuted(np.tile(np.arange(width), (number, pairs, 1)), axis=2)
    # At which step of a walk each column's turn is [rows, walks, columns], and where walks come from [rows, walks].
    turns = np.concatenate([forth, width - 1 - forth], axis=1)
    origins = np.tile(generator.integers(len(next(iter(others.values()))), size=(number, pairs)), 2)
    steps = np.arange(width + 1)
    walked = {
        name: np.where(turns[:, :, place, None] < steps, values[:, None, None], others[name][origins][:, :, None]).ravel()
        for place, (name, values) in enumerate(rows.items())
    }
    scores = score(walked).reshape(number, 2 * pairs, width + 1)
    added: Floats = np.take_along_axis(np.diff(scores, axis=2), turns, axis=2).mean(axis=1)
    return added
