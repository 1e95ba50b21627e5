"""More of the same: a stream at a multiple of its rate.

Every row of the span comes again under new ids, at most a minute later, in copies that have keys of their own: a population
that has grown, not customers who suddenly buy ten times as often. Squeezing event times instead would change what every window
counts. The copies' keys are new at the beginning of the span, so their windows fill up during it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from tests.bench.closed_loop.injections.base import Placed, Span, declared, inside
from tests.bench.closed_loop.rows import Rows, sort

KIND = "faster"
LATEST_MS = 60_000


class Options(Placed):
    """Multiply the rate by `factor`."""

    kind: Literal["faster"]
    factor: int = Field(ge=2, le=100)
    keys: tuple[str, ...] = ()
    """Columns whose values get the copy's number."""


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows and `factor` - 1 copies of those in the span; their labels are known as long after."""
    keys = [declared(rows, key) for key in options.keys]
    chosen = rows[inside(rows, span)]
    copies = []
    for number in range(1, options.factor):
        later = rng.integers(0, LATEST_MS, len(chosen))
        copy = chosen.assign(
            id=chosen["id"] + f"-{number}",
            time_ms=chosen["time_ms"] + later,
            known_ms=chosen["known_ms"] + later.astype("float64"),
        )
        copies.append(copy.assign(**{key: (copy[key] + f"-{number}").where(copy[key].notna(), None) for key in keys}))
    return sort(pd.concat([rows, *copies], ignore_index=True))
