"""A column that moves: its values plus a constant, around a circle where there is one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tests.bench.closed_loop.injections.base import OneOf, Placed, Span, declared, inside, single
from tests.bench.closed_loop.rows import Rows

KIND = "offset"


class Options(Placed):
    """Add `value` to `column`."""

    kind: Literal["offset"]
    column: OneOf[str]
    value: OneOf[float]
    modulo: float | None = Field(default=None, gt=0)
    """For hours of the day, 24."""


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows with the column moved inside the span; missing values stay missing."""
    column = declared(rows, single(options.column))
    moved = rows[column] + single(options.value)
    if options.modulo is not None:
        moved = moved % options.modulo
    return rows.assign(**{column: rows[column].mask(inside(rows, span), moved)})
