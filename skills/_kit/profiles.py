"""The reference that travels with a bundle: what the model's inputs, scores and losses look like when all is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.cutting import cut_slices
from skills._kit.frames import Booleans, Floats, Integers, column_of, floats
from skills._kit.metrics import auc, losses
from skills._kit.usual import Later, Reference, Rows, Watch, in_slices, score_histograms
from streams.contracts.bundle import CategoryProfile, NumberProfile, Profile, ScoreOutcomes, SliceProfile
from streams.contracts.schema import Column, ModelSchema, Task
from streams.contracts.slices import Slice
from streams.contracts.summaries import SAMPLED_SCORE

BINS = 20
_MOST_SCORE_BINS = 100
_ROWS_OF_A_SCORE_BIN = 100
SAMPLE = 2_000
REFERENCE_ROWS = 5_000
LEFT_BEHIND = 3
"""The reference has at most one of so many rows."""

MOST_CATEGORIES = 200
CUT_SLICES = "loss_slices_found"
"""The detector for whose sake slices are cut."""

# So many rows of mean loss are added to each bin's.
_DRAWN_BY = 20


def number_profile(values: Floats, generator: np.random.Generator, bins: int = BINS) -> NumberProfile:
    """Describe a numeric column [rows] by so many bins; missing values are counted apart."""
    known = np.sort(values[np.isfinite(values)])
    missing = 1 - len(known) / max(len(values), 1)
    if not len(known):
        return NumberProfile(edges=[], shares=[1.0], missing=missing, low=0.0, high=0.0, sample=[])
    edges = np.unique(np.quantile(known, np.arange(1, bins) / bins))
    edges = edges[edges > known[0]]  # an edge at the smallest value would leave an empty bin
    above = known[known > known[0]]
    if len(above) and len(known) - len(above) > len(known) / bins:
        # Counts and amounts that are mostly nothing: the smallest value has a bin of its own, or nothing could move.
        edges = np.unique(np.r_[above[0], edges])
    edges = _between(known, edges)
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    sample = known if len(known) <= SAMPLE else np.sort(generator.choice(known, SAMPLE, replace=False))
    return NumberProfile(
        edges=edges.tolist(),
        shares=(counts / len(known)).tolist(),
        missing=missing,
        low=float(known[0]),
        high=float(known[-1]),
        sample=sample.tolist(),
    )


def _between(known: Floats, edges: Floats) -> Floats:
    """Move each edge to the middle of the gap below the value that it is at, so that no row changes its bin by rounding.

    A tenth of all rows may have one score, and another run of the same model gives another last digit.

    Args:
        known: values in order [rows].
        edges: above the smallest of them, and not above the largest.
    """
    places = np.searchsorted(known, edges, side="left")
    below, above = known[places - 1], known[places]
    middle = below + (above - below) / 2
    return np.unique(np.where(middle > below, middle, above))


def category_profile(values: Sequence[str | None]) -> CategoryProfile:
    """Describe a categorical column: shares among the known values, the most frequent ones only."""
    counts = Counter(value for value in values if value)
    known = sum(counts.values())
    kept = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_CATEGORIES]
    return CategoryProfile(shares={value: count / known for value, count in kept}, missing=1 - known / max(len(values), 1))


def profile_of(
    schema: ModelSchema, table: pa.Table, windows: Sequence[str], later: Later, generator: np.random.Generator
) -> Profile:
    """Describe the training rows, and the scores of later rows that the model hadn't seen.

    Args:
        schema: the model's columns; tagged ones are left out.
        table: the rows, with the window columns.
        windows: names of the window columns.
        later: those rows.
        generator: for the samples.
    """
    kept = [column for column in schema.features if not column.tags]
    numbers = [column.name for column in kept if column.kind == "number"]
    found = losses(schema.task, later.labels, later.scores)
    labels, residuals = floats(table, "label"), later.labels - later.scores
    is_binary = schema.task == "binary"
    return Profile(
        rows=table.num_rows,
        numbers={name: number_profile(floats(table, name), generator) for name in (*numbers, *windows)},
        categories={
            column.name: category_profile(column_of(table, column.name).to_pylist())
            for column in kept
            if column.kind == "category"
        },
        score=number_profile(later.answers, generator, _score_bins(len(later.answers))),
        label_mean=float(labels.mean()),
        label_std=float(labels.std()),
        label_skew=skew_of(labels),
        loss_mean=float(found.mean()),
        loss_std=float(found.std()),
        loss_skew=skew_of(found),
        residual_mean=float(residuals.mean()),
        residual_std=float(residuals.std()),
        residual_skew=skew_of(residuals),
        later_rows=len(found),
        positives=_histogram(later.scores[later.labels > 0.5]) if is_binary else [],
        negatives=_histogram(later.scores[later.labels <= 0.5]) if is_binary else [],
    )


def with_answers(profile: Profile, later: Later, generator: np.random.Generator) -> Profile:
    """Describe the scores anew: what requests like the later rows are answered."""
    return msgspec.structs.replace(profile, score=number_profile(later.answers, generator, _score_bins(len(later.answers))))


def _score_bins(rows: int) -> int:
    """Return how finely scores are told apart: when other ones become frequent, each bin's outcomes must still be theirs."""
    return min(max(rows // _ROWS_OF_A_SCORE_BIN, BINS), _MOST_SCORE_BINS)


def with_outcomes(profile: Profile, task: Task, later: Later, threshold: float) -> Profile:
    """Add what became of the later rows, by the bins of their score."""
    place = np.searchsorted(profile.score.edges, later.answers, side="right")

    def sums(values: Floats | Booleans) -> Floats:
        return np.bincount(place, weights=values, minlength=len(profile.score.edges) + 1).astype(np.float64)

    rows, is_positive = sums(np.ones(len(place))), later.labels > 0.5
    is_right = is_positive == (later.answers >= threshold)
    is_binary = task == "binary"
    outcomes = ScoreOutcomes(
        rows=rows.astype(int).tolist(),
        loss=(sums(losses(task, later.labels, later.scores)) / np.maximum(rows, 1)).tolist(),
        positives=sums(is_positive).astype(int).tolist() if is_binary else [],
        right=sums(is_right).astype(int).tolist() if is_binary else [],
        within=_areas(later, place, len(rows)) if is_binary else [],
    )
    return msgspec.structs.replace(profile, outcomes=outcomes)


def _areas(later: Later, place: Integers, bins: int) -> list[float]:
    """The area under the ROC curve of each bin's rows alone [bins]; 0.5 where they have but one label."""
    areas = np.array([auc(later.labels[place == one], later.scores[place == one]) for one in range(bins)])
    found: list[float] = np.nan_to_num(areas, nan=0.5).tolist()
    return found


def with_column_losses(profile: Profile, task: Task, rows: Rows) -> Profile:
    """Add the mean loss of the later rows by the bins and categories of each column.

    It is drawn to the mean of all where there are few rows, so that a column's drift isn't told to cost what chance did.
    """
    later = rows.table.slice(rows.table.num_rows - len(rows.later.scores))
    found = losses(task, rows.later.labels, rows.later.scores)
    numbers, categories = {}, {}
    for name, one in profile.numbers.items():
        values = floats(later, name)
        known = np.isfinite(values)
        place = np.searchsorted(one.edges, values[known], side="right")
        numbers[name] = msgspec.structs.replace(one, loss=_drawn_means(place, found[known], len(one.shares)).tolist())
    for name, two in profile.categories.items():
        order = {category: number for number, category in enumerate(two.shares)}
        place = np.array([order.get(value, -1) for value in column_of(later, name).to_pylist()], np.int64)
        means = _drawn_means(place[place >= 0], found[place >= 0], len(order))
        categories[name] = msgspec.structs.replace(two, loss=dict(zip(order, means.tolist(), strict=True)))
    return msgspec.structs.replace(profile, numbers=numbers, categories=categories)


def _drawn_means(place: Integers, values: Floats, bins: int) -> Floats:
    mean = float(values.mean()) if len(values) else 0.0
    rows, sums = np.bincount(place, minlength=bins), np.bincount(place, weights=values, minlength=bins)
    drawn: Floats = (sums + _DRAWN_BY * mean) / (rows + _DRAWN_BY)
    return drawn


def sliced(profile: Profile, schema: ModelSchema, watch: Watch, rows: Rows) -> Profile:
    """Add the declared slices and, where they are watched, those that nobody declared."""
    declared = slice_profiles(schema.task, watch.slices, rows)
    if CUT_SLICES not in watch.detectors:
        return msgspec.structs.replace(profile, slices=declared)
    later = rows.table.slice(rows.table.num_rows - len(rows.later.scores))
    found = slice_profiles(schema.task, cut_slices(schema, profile, later), rows)
    found = tuple(msgspec.structs.replace(one, is_declared=False) for one in found)
    return msgspec.structs.replace(profile, slices=(*declared, *found))


def resliced(profile: Profile, schema: ModelSchema, watch: Watch, rows: Rows) -> Profile:
    """Return a bundle's profile with the slices that are to be watched from now on, given rows that came since.

    A declared slice that it has stays what it was, and one that was declared since is described by the rows. Slices that nobody
    declared are cut anew; where the rows have none, there are none. Without any label nothing can be cut, and those that are
    still asked for stay.
    """
    labelled = _labelled(rows)
    if labelled.table.num_rows:
        fresh = sliced(profile, schema, watch, labelled).slices
    else:
        fresh = profile.slices if CUT_SLICES in watch.detectors else ()
    described = {one.slice: one for one in (*fresh, *profile.slices) if one.is_declared}
    declared = [described[one] for one in watch.slices if one in described]
    return msgspec.structs.replace(profile, slices=(*declared, *(one for one in fresh if not one.is_declared)))


def _labelled(rows: Rows) -> Rows:
    """Leave out what the model had seen, and what has no label."""
    later = rows.later
    is_known = later.known_ms >= 0
    table = rows.table.slice(rows.table.num_rows - len(later.scores)).filter(pa.array(is_known))
    return Rows(table, later.kept(is_known))


def slice_profiles(task: Task, slices: Sequence[Slice], rows: Rows) -> tuple[SliceProfile, ...]:
    """Describe the loss of each slice on the rows that the model hadn't seen; one without such rows is left out."""
    found = losses(task, rows.later.labels, rows.later.scores)
    profiles = []
    for one, inside in zip(slices, in_slices(slices, rows), strict=True):
        own = found[inside]
        if len(own):
            mean, deviation = float(own.mean()), float(own.std())
            profiles.append(SliceProfile(slice=one, rows=len(own), loss_mean=mean, loss_std=deviation, loss_skew=skew_of(own)))
    return tuple(profiles)


def reference_of(schema: ModelSchema, table: pa.Table, windows: Sequence[str], generator: np.random.Generator) -> Reference:
    """Draw the rows that travel, in order of time: untagged features, windows and the label, never keys.

    Most rows stay behind: what is usual of a comparison with the reference is learnt from rows that aren't in it.
    """
    names = [column.name for column in schema.features if _may_travel(column)]
    most = min(REFERENCE_ROWS, -(-table.num_rows // LEFT_BEHIND))
    places = np.sort(generator.choice(table.num_rows, most, replace=False))
    return Reference(table.select([*names, *windows, "label"]).take(pa.array(places)), places)


def with_scores(reference: Reference, rows: Rows) -> Reference:
    """Add the scores of rows that the model hadn't seen, as samples have them; null for the others."""
    seen = np.full(rows.table.num_rows - len(rows.later.scores), np.nan)
    scores = np.r_[seen, rows.later.answers][reference.places]
    return reference._replace(rows=reference.rows.append_column(SAMPLED_SCORE, pa.array(scores, from_pandas=True)))


def skew_of(values: Floats) -> float:
    """Return the third moment of standardised values, 0 where they don't vary."""
    deviation = float(values.std())
    return float((((values - values.mean()) / deviation) ** 3).mean()) if deviation > 0 else 0.0


def _histogram(scores: Floats) -> list[int]:
    counted: list[int] = score_histograms(scores, np.zeros(len(scores), np.int64), 1)[0].tolist()
    return counted


def _may_travel(column: Column) -> bool:
    return column.role == "feature" and not column.tags
