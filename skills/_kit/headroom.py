"""How much better the model could be with what was already known: does what happened lately foretell its errors?

A quick look, not a search: the champion's errors on recent rows are held against the mean outcome known before each row, over
every key and range of the grammar. The best few are chosen on earlier rows and measured on later ones, so that the estimate
is honest although many were looked at. A model that lacks a feature of its recent past shows it here, whether or not it has
become worse.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.features import Facts
from skills._kit.frames import Floats, Singles, floats, integers, row_blocks, with_columns
from skills._kit.grammar import candidates
from skills._kit.metrics import Estimate, compared
from skills._kit.scoring import score_table
from skills._kit.screening import Residuals, binned, gains, residuals
from streams.contracts.features import LABEL, Window
from streams.inference.session import Scorer

LEAST_ROWS = 1_000
MOST_ROWS = 60_000
"""Of outcomes that are looked at."""
MOST_FACTS = 2_000_000
"""Of requests and outcomes that windows over them are computed from: of more there is no quick look."""
ROUNDS = 3
CHOOSING_SHARE = 0.6
CHOOSING_FOLDS = 4
DRAWS = 300
_RIDGE = 20.0
_TINY = 1e-6


class Headroom(NamedTuple):
    """What a few windows of known outcomes would add in the metric (larger is better), with the interval; on how many rows."""

    windows: tuple[Window, ...]
    gain: Estimate
    rows: int


def headroom_of(scorer: Scorer, rows: pa.Table, facts: Facts, seed: int) -> Headroom | None:
    """Measure it; None with too few rows or nothing to try.

    Args:
        scorer: the champion.
        rows: known outcomes in order of time, with `time_ms`, the declared columns and `label`; at most `MOST_ROWS`, the newest.
        facts: what was known, back to the longest range before the first row.
        seed: of the bootstrap.

    Raises:
        LakeError: the champion's own windows can't be computed.
    """
    if rows.num_rows < LEAST_ROWS:
        return None
    time_ms, task = integers(rows, "time_ms"), facts.schema.task
    rate = rows.num_rows / max(int(time_ms[-1] - time_ms[0]), 1)
    own = scorer.manifest.windows
    tried = [one.window for one in candidates(facts.schema, rows, rate, facts.skew_ms)]
    tried = [
        one for one in tried if one.source == "outcomes" and one.aggregate == "mean" and one.column == LABEL and one not in own
    ]
    if not tried:
        return None
    scored = with_columns(rows, [window.name for window in own], list(facts.columns(own, rows).T))
    scores, labels = score_table(scorer, scored), floats(rows, "label")
    margins, values = _margins(task, scores), facts.columns(tried, rows).astype(np.float32)
    cut = int(rows.num_rows * CHOOSING_SHARE)
    chosen, better = _corrected(task, labels, margins, values, cut)
    if not chosen:
        return Headroom((), Estimate(0.0, 0.0, 0.0, 0.0, 0.0), rows.num_rows - cut)
    corrected = _scores(task, better[cut:])
    *_, difference = compared(task, labels[cut:], scores[cut:], corrected, seed=seed, draws=DRAWS)
    sign = 1.0 if task == "binary" else -1.0
    numbers = (difference.value, difference.low, difference.high, difference.low999, difference.high999)
    if not all(np.isfinite(number) for number in numbers):
        return None
    ordered = numbers if sign > 0 else (-numbers[0], -numbers[2], -numbers[1], -numbers[4], -numbers[3])
    return Headroom(tuple(tried[place] for place in chosen), Estimate(*ordered), rows.num_rows - cut)


def _corrected(task: str, labels: Floats, margins: Floats, values: Singles, cut: int) -> tuple[list[int], Floats]:
    """Correct the margins by one window after the other, as long as one surely gains on the rows before `cut`."""
    chosen: list[int] = []
    for _ in range(ROUNDS):
        against = residuals(task, labels, margins, np.ones(len(labels)))
        early = Residuals(against.gradient[:cut], against.curvature[:cut])
        found = gains(values[:cut], early, row_blocks(cut, CHOOSING_FOLDS))
        best = int(np.argmax(found))
        if found[best] <= 0:
            break
        chosen.append(best)
        margins = margins + _step(values[:, best], against, cut)
    return chosen, margins


def _step(column: Singles, against: Residuals, cut: int) -> Floats:
    """Return the correction of each row's margin by its bin, learned on the rows before `cut`."""
    bins, number = binned(column, np.arange(len(column)) < cut)
    slope = np.bincount(bins[:cut], against.gradient[:cut], number)
    bend = np.bincount(bins[:cut], against.curvature[:cut], number)
    moved: Floats = (-slope / (bend + _RIDGE))[bins]
    return moved


def _margins(task: str, scores: Floats) -> Floats:
    if task != "binary":
        return scores
    kept = np.clip(scores, _TINY, 1 - _TINY)
    odds: Floats = np.log(kept / (1 - kept))
    return odds


def _scores(task: str, margins: Floats) -> Floats:
    return 1 / (1 + np.exp(-margins)) if task == "binary" else margins
