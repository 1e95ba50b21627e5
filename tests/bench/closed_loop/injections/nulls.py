"""A column that comes empty in a share of the rows."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pandas.api.types import is_numeric_dtype
from pydantic import Field

from tests.bench.closed_loop.injections.base import OneOf, Placed, Span, declared, inside, single
from tests.bench.closed_loop.rows import Rows

KIND = "nulls"


class Options(Placed):
    """Empty `column` in a `share` of the rows, drawn independently."""

    kind: Literal["nulls"]
    column: OneOf[str]
    share: OneOf[Annotated[float, Field(gt=0, le=1)]]


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows with NaN (numbers) or None (categories) in the drawn rows of the span."""
    column = declared(rows, single(options.column))
    hit = inside(rows, span) & (rng.random(len(rows)) < single(options.share))
    empty = float("nan") if is_numeric_dtype(rows[column]) else None
    return rows.assign(**{column: rows[column].mask(hit, empty)})
