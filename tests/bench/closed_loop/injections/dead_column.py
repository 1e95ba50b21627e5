"""A column that stops saying anything: an upstream job has died, and its default is written."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tests.bench.closed_loop.injections.base import OneOf, Placed, Span, declared, inside, single
from tests.bench.closed_loop.rows import Rows

KIND = "dead_column"


class Options(Placed):
    """Write `value` into every row's `column`."""

    kind: Literal["dead_column"]
    column: OneOf[str]
    value: float = 0.0


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows with a constant in the column inside the span."""
    column = declared(rows, single(options.column))
    return rows.assign(**{column: rows[column].mask(inside(rows, span), options.value)})
