"""A category that nobody has seen: an upstream code list has grown, or a mapping has gone wrong."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tests.bench.closed_loop.injections.base import OneOf, Placed, Span, declared, inside, single
from tests.bench.closed_loop.rows import Rows

KIND = "unseen_category"


class Options(Placed):
    """Write `value` into `column` in a `share` of the rows, drawn independently."""

    kind: Literal["unseen_category"]
    column: OneOf[str]
    share: OneOf[Annotated[float, Field(gt=0, le=1)]]
    value: str = "unseen"


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows with the new value in the drawn rows of the span.

    Raises:
        ValueError: some row has that value already.
    """
    column = declared(rows, single(options.column))
    if (rows[column] == options.value).any():
        raise ValueError(f"injection: {options.value!r} isn't new in column {column!r}; name a value that no row has")
    hit = inside(rows, span) & (rng.random(len(rows)) < single(options.share))
    return rows.assign(**{column: rows[column].mask(hit, options.value)})
