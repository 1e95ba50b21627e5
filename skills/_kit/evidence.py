"""Measures what a diagnosis rests on: recent predictions and outcomes against the bundle's reference and the history."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.features import unflagged
from skills._kit.frames import Floats, codes, column_of, floats, integers, row_blocks, with_columns
from skills._kit.metrics import losses
from skills._kit.recent import Recent
from skills._kit.scoring import score_table
from skills._kit.shifts import Shift, category_shift, number_shares, number_shift
from streams.contracts.bundle import NumberProfile, Profile
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema
from streams.inference.session import Scorer
from streams.statistics.distances import psi
from streams.statistics.estimates import Estimator

RESCORED_ROWS = 500
MISMATCH = 1e-3
GROWN = 3.0
LEAST_LABELS = 50
BLOCKS = 40
_FEWEST_STRETCHES = 3
_PAIRS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))
# So improbable is no chance.
_NEVER = 1e-9


def shifts_of(schema: ModelSchema, profile: Profile, predictions: pa.Table) -> list[Shift]:
    """Compare every profiled feature and the score, the largest shift first."""
    rows = unflagged(predictions)
    if not rows.num_rows:
        return []
    names = {column.name for column in schema.features}
    found = [number_shift(name, kept, floats(rows, name)) for name, kept in profile.numbers.items() if name in names]
    found += [category_shift(name, kept, column_of(rows, name).to_pylist()) for name, kept in profile.categories.items()]
    scores = floats(rows, "score")
    if np.isfinite(scores).any():
        found.append(number_shift("score", profile.score, scores[np.isfinite(scores)]))
    return sorted(found, key=lambda shift: (-shift.statistic, shift.feature))


def window_shifts(profile: Profile, predictions: pa.Table) -> list[Shift]:
    """Compare the windows that were served with the bundle's reference, by name.

    A key that comes empty leaves every window over it empty, and broken values stay in windows for as long as these reach back,
    while the columns are as they were. Rows that another bundle answered know nothing of this one's windows.
    """
    served = pc.list_flatten(pc.cast(unflagged(predictions).column("windows"), _PAIRS)).combine_chunks()
    names = pc.dictionary_encode(served.field("name"))
    values = np.asarray(pc.fill_null(served.field("value"), float("nan")), np.float64)
    codes, known = np.asarray(names.indices), names.dictionary.to_pylist()
    return [
        number_shift(name, profile.numbers[name], values[codes == code])
        for code, name in sorted(enumerate(known), key=lambda pair: str(pair[1]))
        if name in profile.numbers
    ]


def flagged_share(predictions: pa.Table) -> float:
    """Return the share of suspect rows."""
    return 1 - unflagged(predictions).num_rows / max(predictions.num_rows, 1)


def row_losses(task: str, outcomes: pa.Table) -> Floats:
    """Return the loss of each outcome under the score that was served."""
    return losses(task, floats(outcomes, "label"), floats(outcomes, "score"))


def loss_change(profile: Profile, found: Floats) -> tuple[float | None, float]:
    """Return (standard errors above the reference, relative change); rows are in order of time. None with too few labels."""
    if len(found) < LEAST_LABELS:
        return None, 0.0
    blocks = row_blocks(len(found), min(BLOCKS, len(found) // 10))
    means = np.bincount(blocks, found) / np.bincount(blocks)
    error = max(float(means.std(ddof=1)) / np.sqrt(len(means)), profile.loss_std / np.sqrt(len(found)), 1e-12)
    above = float(found.mean()) - profile.loss_mean
    return float(above / error), float(above / max(profile.loss_mean, 1e-12))


def estimated_change(profile: Profile, predictions: pa.Table) -> tuple[float | None, float]:
    """Return `loss_change` of the loss that the scores let expect; None without a reference for it, or of too few rows."""
    scores = floats(unflagged(predictions), "score")
    scores = scores[np.isfinite(scores)]
    outcomes = profile.outcomes
    if outcomes is None or not sum(outcomes.rows) or len(scores) < LEAST_LABELS:
        return None, 0.0
    estimator = Estimator(outcomes)
    bins = len(outcomes.rows)
    usual, now = estimator.rows / estimator.rows.sum(), _binned(profile, scores, bins) / len(scores)
    above = float(((now - usual) * estimator.loss).sum())
    mean = float((usual * estimator.loss).sum())
    spread = float((usual * (estimator.loss - mean) ** 2).sum())
    error = max(float(np.sqrt(spread * (1 / len(scores) + 1 / estimator.rows.sum()))), 1e-12)
    return above / error, above / max(mean, 1e-12)


def _binned(profile: Profile, scores: Floats, bins: int) -> Floats:
    return np.bincount(np.searchsorted(profile.score.edges, scores, side="right"), minlength=bins).astype(np.float64)


def dead_numbers(profile: Profile, changed: pa.Table, earlier: Sequence[pa.Table]) -> list[str]:
    """Return the numbers that have had one value since the change, which chance hardly does, and never did for so long before.

    Args:
        profile: the reference.
        changed: requests since the change.
        earlier: stretches before it, each as long, the newest first. A column that was as still in one of them (a day's weather,
            a month) is no news, but for the newest ones: it may have come to its standstill in them already.
    """
    told = [stretch for stretch in earlier if stretch.num_rows >= changed.num_rows / 4]
    if len(told) < _FEWEST_STRETCHES:
        return []
    return [
        name
        for name, kept in profile.numbers.items()
        if name in changed.column_names
        and _is_still(kept, floats(changed, name))
        and _moved_until_now(float(_known(changed, name)[0]), [_known(stretch, name) for stretch in told])
    ]


def _is_still(profile: NumberProfile, values: Floats) -> bool:
    known = np.unique(values[np.isfinite(values)])
    if len(known) != 1:
        return False
    share = profile.shares[int(np.searchsorted(profile.edges, known[0], side="right"))]
    rows = int(np.isfinite(values).sum())
    return share <= 0 or rows * np.log(share) < np.log(_NEVER)


def _moved_until_now(value: float, stretches: Sequence[Floats]) -> bool:
    """Whether a column had several values in each stretch up to the one in which it came to a standstill at this value."""
    found = [np.unique(stretch) for stretch in stretches]
    before = list(itertools.dropwhile(lambda values: len(values) == 1 and values[0] == value, found))
    return len(before) >= _FEWEST_STRETCHES and all(len(values) > 1 for values in before)


def _known(table: pa.Table, name: str) -> Floats:
    values = floats(table, name)
    return values[np.isfinite(values)]


def mismatch_share(scorer: Scorer, predictions: pa.Table) -> float:
    """Score some recent rows again from what was logged; return the share that was served another score."""
    mine = predictions.filter(pc.equal(predictions.column("digest"), scorer.digest))
    if not mine.num_rows:
        return 0.0
    rows = mine.take(pa.array(np.unique(np.linspace(0, mine.num_rows - 1, RESCORED_ROWS).astype(np.int64))))
    again = score_table(scorer, with_logged(rows, scorer.manifest.windows))
    served = floats(rows, "score")
    return float(np.mean(~(np.abs(again - served) <= MISMATCH * np.maximum(1.0, np.abs(served)))))


def with_logged(rows: pa.Table, windows: Sequence[Window]) -> pa.Table:
    """Append the windows that predictions were scored with, as columns."""
    logged: list[Mapping[str, float | None]] = [dict(pairs or ()) for pairs in rows.column("windows").to_pylist()]
    values = [
        np.array([np.nan if (value := row.get(window.name)) is None else value for row in logged], dtype=np.float64)
        for window in windows
    ]
    return with_columns(rows, [window.name for window in windows], values)


def nearness(schema: ModelSchema, profile: Profile, recent: pa.Table, stretches: Sequence[pa.Table]) -> float:
    """Return how much nearer an earlier stretch is to the recent rows than the reference is, 0 to 1.

    Only a regime that went away and came back counts: stretches are given newest first, and those before the first one
    that was far off are part of the same regime.
    """
    names = [name for name in profile.numbers if name in {column.name for column in schema.features}]
    if not names or not recent.num_rows:
        return 0.0
    usual = {name: np.r_[np.array(kept.shares) * (1 - kept.missing), kept.missing] for name, kept in profile.numbers.items()}
    now = {name: number_shares(profile.numbers[name], floats(recent, name)) for name in names}
    from_reference = max(psi(now[name], usual[name]) for name in names)
    best, went_away = from_reference, False
    for stretch in stretches:
        if stretch.num_rows >= recent.num_rows / 4:
            then = {name: number_shares(profile.numbers[name], floats(stretch, name)) for name in names}
            distance = max(psi(now[name], then[name]) for name in names)
            went_away = went_away or distance >= from_reference / 2
            best = min(best, distance) if went_away else best
    return float(max(0.0, 1 - 2 * best / from_reference)) if from_reference > 0 else 0.0


class Segment(NamedTuple):
    """Rows of categories that are new or have grown: their share of recent rows and of the excess loss."""

    share: float
    excess: float


def new_segment(profile: Profile, outcomes: pa.Table, found: Floats) -> Segment:
    """Look at the category values that are new or `GROWN` times as frequent as in the reference."""
    best = Segment(0.0, 0.0)
    over = np.maximum(found - profile.loss_mean, 0.0)
    for name, kept in profile.categories.items():
        values, texts = codes(column_of(outcomes, name))
        shares = np.bincount(values[values >= 0], minlength=len(texts)) / max(len(values), 1)
        grown = [
            share > 0.01 and share > GROWN * kept.shares.get(str(text), 0.0) for share, text in zip(shares, texts, strict=True)
        ]
        inside = np.r_[np.array(grown, dtype=np.bool_), False][values]
        if inside.any() and over.sum() > 0 and found[inside].mean() > profile.loss_mean:
            segment = Segment(float(inside.mean()), float(over[inside].sum() / over.sum()))
            # Its part of the excess must be larger than its part of the rows, or it is no worse than the rest.
            if segment.excess > 1.2 * segment.share:
                best = max(best, segment, key=lambda one: one.excess)
    return best


class Labels(NamedTuple):
    """The state of the labels: how many came for each prediction, delays in ms, rows, and what is odd about them."""

    coverage: float | None
    delay_ms_p50: float | None
    delay_ms_p90: float | None
    rows: int
    delay_ratio: float
    one_class: bool
    corrected: float


def labels_of(task: str, recent: Recent) -> Labels:
    """Describe how recent predictions got their labels."""
    # Labels that came, not labels of what was predicted: with a delay of a week the predictions of the last week have none, and
    # nothing is wrong with them.
    rows = pc.count_distinct(recent.outcomes.column("id")).as_py()
    delays, earlier = _delays(recent.outcomes), _delays(recent.before)
    middle, late = (float(np.quantile(delays, level)) if len(delays) else None for level in (0.5, 0.9))
    usual = float(np.quantile(earlier, 0.9)) if len(earlier) >= LEAST_LABELS else None
    labels = floats(recent.outcomes, "label")
    return Labels(
        coverage=min(1.0, rows / recent.predictions.num_rows) if recent.predictions.num_rows else None,
        delay_ms_p50=middle,
        delay_ms_p90=late,
        rows=rows,
        delay_ratio=late / max(usual, 1.0) if late is not None and usual is not None else 1.0,
        one_class=task == "binary" and len(labels) >= LEAST_LABELS and len(np.unique(labels)) < 2,
        corrected=float(np.mean(integers(recent.outcomes, "revision") > 0)) if len(labels) else 0.0,
    )


def _delays(outcomes: pa.Table) -> Floats:
    return (integers(outcomes, "known_ms") - integers(outcomes, "time_ms")).astype(np.float64)
