"""A column in another unit: its values times a factor."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tests.bench.closed_loop.injections.base import OneOf, Placed, Span, declared, inside, single
from tests.bench.closed_loop.rows import Rows

KIND = "scale"


class Options(Placed):
    """Multiply `column` by `factor`."""

    kind: Literal["scale"]
    column: OneOf[str]
    factor: OneOf[float]


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows with the column scaled inside the span; missing values stay missing."""
    column = declared(rows, single(options.column))
    return rows.assign(**{column: rows[column].mask(inside(rows, span), rows[column] * single(options.factor))})
