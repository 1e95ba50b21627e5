"""The search for windows, rung by rung: screen all candidates on a sample, carry the best to all rows, select forward.

Deterministic for a seed: `budget_seconds` bounds the rows, and so the work, not the time. Only a machine that is several times
slower than any we know is stopped by the clock, so that the speed of a machine changes no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.design import design_of, thinned_apart
from skills._kit.errors import NoDataError
from skills._kit.features import Facts
from skills._kit.frames import Booleans, Floats, Integers, floats, integers, row_blocks
from skills._kit.grammar import Candidate, candidates
from skills._kit.screening import gains, moved, residuals
from skills._kit.selection import SCREENING_FOLDS, Accepted, Judge, Rejected, Selection, Survivor
from streams.contracts.features import Window
from streams.runtime.clock import WallClock

ROWS_PER_SECOND = 1_500
MOST_ROWS = 80_000
PATIENCE = 5
LEAST_ROWS = 600
SCREENED_ROWS = 12_000
CONTROLS = 60
SURVIVORS = 48
OF_ONE_KIND = 3
MOST_STATE_BYTES = 2_000_000_000
MOST_REJECTED = 200
CHECKED_ROWS = 2_000


class Question(NamedTuple):
    """What is searched: rows in order of time with `label`, the windows that the model has already, and all facts.

    From `since_ms` on rows are new to the model, and it is on these that windows must gain.
    """

    train: pa.Table
    known: tuple[Window, ...]
    facts: Facts
    facts_per_ms: float
    seed: int
    budget_seconds: float
    since_ms: int | None = None


class Found(NamedTuple):
    """What came out; `tried` counts all candidates, `rejected` is cut to the most promising."""

    accepted: list[Accepted]
    rejected: list[Rejected]
    tried: int


def search(question: Question, clock: WallClock) -> Found:
    """Look for windows that make the model better.

    Raises:
        NoDataError: there are too few rows or labels.
    """
    ends = clock.monotonic() + PATIENCE * question.budget_seconds
    schema, generator = question.facts.schema, np.random.default_rng(question.seed)
    labels = floats(question.train, "label")
    if len(labels) < LEAST_ROWS:
        raise NoDataError(f"{len(labels)} rows are too few to search for windows; at least {LEAST_ROWS} are needed")
    most_rows = int(min(MOST_ROWS, max(LEAST_ROWS, question.budget_seconds * ROWS_PER_SECOND)))
    new = _new(question)
    index, weights = thinned_apart(labels, new, schema.task, most_rows, generator)
    design = design_of(question.train, schema, [window.name for window in question.known], index, weights)
    judge = Judge(design, question.seed, new[index])
    tried = [one for one in _spelled(question) if one.window not in question.known]
    affordable = [one for one in tried if one.state_bytes <= MOST_STATE_BYTES]
    dear = [Rejected(one, "its state would be too large") for one in tried if one.state_bytes > MOST_STATE_BYTES]
    chosen, screened = _screen(question, affordable, judge, index, generator)
    rows = question.train.take(pa.array(index))
    values = question.facts.columns([candidate.window for candidate in chosen], rows).astype(np.float32)
    survivors = [Survivor(candidate, values[:, place].copy()) for place, candidate in enumerate(chosen)]
    selection = Selection(judge, survivors, question.seed, lambda: clock.monotonic() > ends)
    selection.run()
    accepted, wrong = _checked(question, selection.accepted, rows)
    return Found(accepted, [*wrong, *selection.rejected, *screened, *dear][:MOST_REJECTED], len(tried))


def _new(question: Question) -> Booleans:
    """Return which rows are new to the model [rows]; none where they are too few to choose by."""
    new: Booleans = integers(question.train, "time_ms") >= (question.since_ms or 0)
    return new if new.sum() >= LEAST_ROWS else np.zeros_like(new)


def _spelled(question: Question) -> list[Candidate]:
    facts = question.facts
    return candidates(facts.schema, question.train, question.facts_per_ms, facts.skew_ms, facts.looked_up)


def _screen(
    question: Question, tried: Sequence[Candidate], judge: Judge, index: Integers, generator: np.random.Generator
) -> tuple[list[Candidate], list[Rejected]]:
    """Rung 0: keep what surely gains more alone than the best control does, at most a few of a kind."""
    if not tried:
        return [], []
    design, among = judge.design, np.flatnonzero(judge.rows(judge.choosing))
    picked = np.sort(generator.choice(len(among), min(SCREENED_ROWS, len(among)), replace=False))
    rows = among[picked]
    margins = judge.margins((), judge.choosing)[picked]
    some = question.train.take(pa.array(index[rows]))
    values = question.facts.columns([one.window for one in tried], some).astype(np.float32)
    against = residuals(design.task, design.labels[rows], margins, design.weights[rows])
    folds = row_blocks(len(rows), SCREENING_FOLDS)
    found = gains(values, against, folds)
    control = np.stack([values[moved(len(rows), generator), generator.integers(len(tried))] for _ in range(CONTROLS)], axis=1)
    floor = max(float(gains(control, against, folds).max()), 0.0)
    return _best(tried, found, floor)


def _best(tried: Sequence[Candidate], found: Floats, floor: float) -> tuple[list[Candidate], list[Rejected]]:
    kept: list[int] = []
    rejected: list[Rejected] = []
    of_kind: dict[tuple[object, ...], int] = {}
    for place in sorted(range(len(tried)), key=lambda i: (-found[i], i)):
        window = tried[place].window
        kind = (window.source, window.aggregate, window.column, window.by)
        if found[place] <= floor:
            rejected.append(Rejected(tried[place], "alone it gains no more than values moved in time do"))
        elif of_kind.get(kind, 0) >= OF_ONE_KIND or len(kept) >= SURVIVORS:
            rejected.append(Rejected(tried[place], "others like it gain more alone"))
        else:
            of_kind[kind] = of_kind.get(kind, 0) + 1
            kept.append(place)
    return [tried[place] for place in sorted(kept)], rejected


def _checked(question: Question, accepted: list[Accepted], rows: pa.Table) -> tuple[list[Accepted], list[Rejected]]:
    """Compute what was accepted a second time, by SQL, on some rows."""
    if not accepted:
        return [], []
    windows = [one.candidate.window for one in accepted]
    some = rows.take(pa.array(np.linspace(0, rows.num_rows - 1, min(CHECKED_ROWS, rows.num_rows)).astype(np.int64)))
    ours, theirs = question.facts.columns(windows, some), question.facts.queried(windows, some)
    right = [bool(np.allclose(ours[:, i], theirs[:, i], rtol=1e-4, atol=1e-6, equal_nan=True)) for i in range(len(windows))]
    wrong = [
        Rejected(one.candidate, "computed in another way it has other values")
        for one, ok in zip(accepted, right, strict=True)
        if not ok
    ]
    return [one for one, ok in zip(accepted, right, strict=True) if ok], wrong
