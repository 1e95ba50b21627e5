"""Rows of the reference whose loss is known and that the model hadn't seen, for detectors that expect losses from inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from streams.contracts.summaries import SAMPLED_SCORE, InputSummary
from streams.detectors._joint import Space, floats_of, shuffled
from streams.detectors._measures import row_losses
from streams.detectors._tested import FEWEST
from streams.detectors.base import Floats, Setup

# Half of them are learnt from, half say what is usual.
_FEWEST_KNOWN = 4 * FEWEST


class Known(NamedTuple):
    """The rows in random order: the space of columns, windows and score, where they lie in it [n, d], and their losses [n]."""

    space: Space
    points: Floats
    losses: Floats


def known_rows(setup: Setup) -> Known | None:
    """Read them; None where there are none (in bundles of before the scores travelled), too few, or nothing varies."""
    table = setup.read_rows()
    if table is None or not {SAMPLED_SCORE, "label"} <= set(table.column_names):
        return None
    scores, labels = (floats_of(table.column(name).to_pylist()) for name in (SAMPLED_SCORE, "label"))
    kept = table.filter(pa.array(~np.isnan(scores + labels)))
    if kept.num_rows < _FEWEST_KNOWN:
        return None
    columns = shuffled(kept).to_pydict()
    profile = setup.profile
    inputs = {name: values for name, values in columns.items() if name in profile.numbers or name in profile.categories}
    space = Space({**inputs, SAMPLED_SCORE: columns[SAMPLED_SCORE]}, {**profile.numbers, SAMPLED_SCORE: profile.score})
    scores, labels = (floats_of(columns[name]) for name in (SAMPLED_SCORE, "label"))
    losses = row_losses(setup.manifest.schema.task, labels, scores)
    return Known(space, space.place(columns), losses) if space.columns else None


def scored(inputs: InputSummary | None) -> list[Mapping[str, Any]]:
    """Return a bucket's sampled rows whose score is known; of rows that a training has seen it isn't."""
    return [row for _, row in inputs.sample if row.get(SAMPLED_SCORE) is not None] if inputs is not None else []
