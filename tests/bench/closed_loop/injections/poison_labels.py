"""Labels that lie: some frauds are told as genuine, some genuine rows as fraud. The truth stays what it was."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tests.bench.closed_loop.injections.base import OneOf, Placed, Span, inside, single
from tests.bench.closed_loop.rows import Rows

KIND = "poison_labels"


class Options(Placed):
    """Tell a share of the rows, by event time, another label than the true one; each row is drawn independently."""

    kind: Literal["poison_labels"]
    lost: OneOf[Annotated[float, Field(ge=0, le=1)]]
    """The share of ones told as zero."""

    invented: OneOf[Annotated[float, Field(ge=0, le=1)]]
    """The share of zeros told as one."""


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows with other labels told in the span; `label` and the time of knowing don't change."""
    here, drawn = inside(rows, span), rng.random(len(rows))
    lost = here & (rows["label"] == 1) & (drawn < single(options.lost))
    invented = here & (rows["label"] == 0) & (drawn < single(options.invented))
    return rows.assign(told=rows["told"].mask(lost, 0.0).mask(invented, 1.0))
