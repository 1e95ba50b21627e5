"""The world of the family's checks: independent rows, scores that are true probabilities, and a broken variant of it all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats

from streams.contracts.bundle import (
    CategoryProfile,
    Golden,
    Interval,
    Manifest,
    NumberProfile,
    Profile,
    ScoreOutcomes,
    SliceProfile,
)
from streams.contracts.schema import Column, ModelSchema, Task
from streams.contracts.slices import Condition, Slice
from streams.contracts.summaries import (
    FIXED,
    SAMPLED_SCORE,
    SCORE_BINS,
    CategoryCounts,
    InputSummary,
    LossSummary,
    NumberCounts,
    SliceLosses,
)  # fmt: skip
from streams.detectors._measures import auc
from streams.detectors.base import BucketView, Columns, Requests
from streams.statistics.arrivals import count_arrivals
from streams.statistics.contents import Content, Contents, content_hashes
from streams.statistics.slices import rows_of
from streams.statistics.waits import count_waits

Floats = npt.NDArray[np.float64]

DAY_MS = 86_400_000
MIDDLE = 10.0
"""Of the sizes, which are all above 0."""
# How size and weight are correlated.
_TOGETHER = 0.8
COLOURS = ("blue", "green", "red")
SLICES = (
    Slice(name="warm", conditions=(Condition(column="colour", values=("red", "new")),)),
    Slice(name="large", conditions=(Condition(column="size", low=MIDDLE),)),
)
FOUND = (
    Slice(name="small and red", conditions=(Condition(column="size", high=MIDDLE), Condition(column="colour", values=("red",)))),
)


class Rows(NamedTuple):
    """Drawn rows as columns [rows]; `loss` is log loss for binary, squared error for regression.

    `delay` is how long the label takes, `wait` how long the answer does, `behind` how far the event time lies behind arrival, all
    in milliseconds. `known` says whether the label comes within a day of the bucket's end.
    `text` is an embedding [rows, coordinates], of no coordinates where the world has none.
    """

    size: Floats
    weight: Floats
    colour: npt.NDArray[np.str_]
    score: Floats
    label: Floats
    loss: Floats
    delay: Floats
    wait: Floats
    behind: Floats
    known: npt.NDArray[np.bool_]
    text: Floats


class World:
    """Draws rows, and makes the reference and the views of buckets from them.

    Args:
        seed: of all that is drawn.
        task: the model's.
        reference_rows: in the reference.
        coordinates: of an embedding, each a column; 0 for none.
    """

    def __init__(self, seed: int, task: Task = "binary", reference_rows: int = 2_000, *, coordinates: int = 0) -> None:
        self.task: Task = task
        self.rows = 600
        self._generator = np.random.default_rng(seed)
        # Their own, so that what is drawn of everything else doesn't hang on them.
        self._of_weight, self._of_delay, self._of_wait, self._of_behind, self._of_text, self._of_known = (
            np.random.default_rng([seed, number]) for number in range(1, 7)
        )
        self._coordinates = coordinates
        rows = self._draw(reference_rows, is_broken=False)
        self.reference = pa.table(
            {name: _or_none(values) for name, values in _numbers(rows).items()}
            | {"colour": rows.colour, "label": rows.label, SAMPLED_SCORE: rows.score}
        )
        self.profile = _profile(rows, is_binary=task == "binary")
        golden = Golden(columns=[], windows=[], time_ms=[], scores=[])
        kinds: dict[str, Literal["number", "category"]] = {**dict.fromkeys(_numbers(rows), "number"), "colour": "category"}
        schema = ModelSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()), task=task)
        self.manifest = Manifest(model="m", schema=schema, golden=golden, metrics=_metrics(task, rows))

    def answer(self, rows: Columns, time_ms: Sequence[int]) -> Floats:
        """Answer as a model would that looks at all of a row, and at the time not at all [rows]."""
        del time_ms
        size, weight = (np.nan_to_num(rows[name] - middle) for name, middle in (("size", MIDDLE), ("weight", 0.0)))
        value: Floats = 0.8 * size + 0.5 * weight + 1.0 * (rows["colour"] == "blue")
        return value if self.task == "regression" else 1 / (1 + np.exp(-value))

    def view(self, index: int, *, rows: int = 600, is_broken: bool = False) -> BucketView:
        """Return the view of one day's bucket of new rows; broken, as many requests again are suspect, and as many rejected."""
        drawn, suspect = self._draw(rows, is_broken=is_broken), rows if is_broken else 0
        start_ms = index * DAY_MS
        return BucketView(
            model="m",
            digest="d",
            start_ms=start_ms,
            end_ms=start_ms + DAY_MS,
            inputs=self._inputs(drawn, start_ms),
            losses=self._losses(drawn, start_ms),
            requests=Requests(rows + suspect, suspect, rejected=suspect),
        )

    def _draw(self, rows: int, *, is_broken: bool) -> Rows:
        generator = self._generator
        # Broken, all sizes are one.
        size = generator.normal(MIDDLE, 1.0, rows)
        if is_broken:
            size[:] = 1.5
        # Broken, weights are as they were but have nothing to do with sizes.
        together = 0.0 if is_broken else _TOGETHER
        weight = together * (size - MIDDLE) + math.sqrt(1 - together**2) * self._of_weight.normal(size=rows)
        size[generator.random(rows) < (0.3 if is_broken else 0.05)] = math.nan
        colour = generator.choice([*COLOURS, "new"], rows, p=(0.1, 0.1, 0.5, 0.3) if is_broken else (0.5, 0.3, 0.2, 0.0))
        # Broken, all that is embedded has moved, and is more alike.
        text = self._of_text.normal(size=(rows, self._coordinates)) * (0.5 if is_broken else 1.0) + (1.0 if is_broken else 0.0)
        # Broken, positive labels are rarer.
        truth = generator.beta(2, 5 if is_broken else 2, rows)
        # Broken, scores say nothing of the truth, and most of them are near the middle, where a model is least sure.
        score = generator.beta(9, 7, rows) if is_broken else truth
        # Broken, labels take three times as long, answers a hundred times, and clocks are five minutes fast.
        delay = self._of_delay.exponential(3 * DAY_MS if is_broken else DAY_MS, rows)
        wait = self._of_wait.lognormal(math.log(1_000 if is_broken else 10), 0.5, rows)
        behind = self._of_behind.exponential(2_000, rows) - (300_000 if is_broken else 0)
        # Broken, a third of the labels more never come.
        known = self._of_known.random(rows) < (0.6 if is_broken else 0.9)
        if self.task == "regression":
            unsure = 0.15 - 0.2 * np.abs(score - 0.5)
            label = score + generator.normal(size=rows) * unsure * (3 if is_broken else 1) + (0.2 if is_broken else 0.0)
            return Rows(size, weight, colour, score, label, (score - label) ** 2, delay, wait, behind, known, text)
        label = (generator.random(rows) < truth).astype(np.float64)
        loss = -np.log(np.clip(np.where(label == 1, score, 1 - score), 1e-9, 1))
        return Rows(size, weight, colour, score, label, loss, delay, wait, behind, known, text)

    def _inputs(self, rows: Rows, start_ms: int) -> InputSummary:
        profile, numbers, sampled = self.profile, _numbers(rows), min(500, len(rows.score))
        return InputSummary(
            model="m", digest="d", partition=0, bucket_start_ms=start_ms, bucket_end_ms=start_ms + DAY_MS,
            rows=len(rows.score),
            numbers={name: _number_counts(one, numbers[name]) for name, one in profile.numbers.items()},
            categories={"colour": _category_counts(profile.categories["colour"], rows.colour)},
            score=_number_counts(profile.score, rows.score),
            # Rows are independent, so the first ones are as fair a sample as any.
            sample=[(row, _sampled(rows, numbers, row)) for row in range(sampled)],
            contents=_contents(rows),
            waits=count_waits(rows.wait.astype(np.int64)).tolist(),
            arrivals=count_arrivals(rows.behind.astype(np.int64)).tolist(),
        )  # fmt: skip

    def _losses(self, rows: Rows, start_ms: int) -> LossSummary:
        is_binary = self.task == "binary"
        positives, negatives = (_histogram(rows.score[rows.label == label]) if is_binary else [] for label in (1, 0))
        return LossSummary(
            model="m", slot="champion", digest="d", partition=0, bucket_start_ms=start_ms, bucket_end_ms=start_ms + DAY_MS,
            rows=len(rows.score), loss=_fixed(rows.loss), loss_squares=_fixed(rows.loss**2),
            brier=_fixed((rows.score - rows.label) ** 2), delay_ms=round(rows.delay.sum()),
            positives=positives, negatives=negatives,
            slices={one.name: _slice_losses(_losses_of(one, rows)) for one in (*SLICES, *FOUND)},
            labels=_fixed(rows.label), label_squares=_fixed(rows.label**2), scores=_fixed(rows.score),
            # Of cohorts alone: all else is summed up as if every label were known.
            cohorts=[(start_ms, int(rows.known.sum()))],
        )  # fmt: skip


def _profile(rows: Rows, *, is_binary: bool) -> Profile:
    known = rows.colour[rows.colour != ""]
    shares = {name: float(np.mean(known == name)) for name in COLOURS}
    score, residual = _number_profile(rows.score), rows.label - rows.score
    return Profile(
        rows=len(rows.score),
        later_rows=len(rows.score),
        numbers={name: _number_profile(values) for name, values in _numbers(rows).items()},
        categories={"colour": CategoryProfile(shares=shares, missing=0.0)},
        score=score,
        label_mean=float(rows.label.mean()),
        label_std=float(rows.label.std()),
        label_skew=float(stats.skew(rows.label)),
        loss_mean=float(rows.loss.mean()),
        loss_std=float(rows.loss.std()),
        loss_skew=float(stats.skew(rows.loss)),
        residual_mean=float(residual.mean()),
        residual_std=float(residual.std()),
        residual_skew=float(stats.skew(residual)),
        positives=_histogram(rows.score[rows.label == 1]) if is_binary else [],
        negatives=_histogram(rows.score[rows.label == 0]) if is_binary else [],
        outcomes=_outcomes(rows, score, is_binary=is_binary),
        slices=tuple(_slice_profile(one, _losses_of(one, rows)) for one in (*SLICES, *FOUND)),
    )


def _outcomes(rows: Rows, score: NumberProfile, *, is_binary: bool) -> ScoreOutcomes:
    place = np.searchsorted(score.edges, rows.score, side="right")
    counts, losses = np.bincount(place, minlength=10), np.bincount(place, weights=rows.loss, minlength=10)
    positives = np.bincount(place[rows.label == 1], minlength=10)
    right = np.bincount(place[(rows.label == 1) == (rows.score >= 0.5)], minlength=10)
    return ScoreOutcomes(
        rows=counts.tolist(),
        loss=(losses / np.maximum(counts, 1)).tolist(),
        positives=positives.tolist() if is_binary else [],
        right=right.tolist() if is_binary else [],
    )


def _losses_of(one: Slice, rows: Rows) -> Floats:
    columns = rows._asdict()
    return rows.loss[rows_of(one, columns.__getitem__)]


def _slice_losses(loss: Floats) -> SliceLosses:
    return SliceLosses(rows=len(loss), loss=_fixed(loss), loss_squares=_fixed(loss**2))


def _slice_profile(one: Slice, loss: Floats) -> SliceProfile:
    mean, deviation, skew = float(loss.mean()), float(loss.std()), float(stats.skew(loss))
    return SliceProfile(slice=one, rows=len(loss), loss_mean=mean, loss_std=deviation, loss_skew=skew, is_declared=one in SLICES)


def _numbers(rows: Rows) -> dict[str, Floats]:
    """The columns that are numbers."""
    coordinates = {f"text_{number}": values for number, values in enumerate(rows.text.T)}
    return {"size": rows.size, "weight": rows.weight, **coordinates}


def _number_profile(values: Floats) -> NumberProfile:
    known = np.sort(values[~np.isnan(values)])
    edges = np.quantile(known, np.linspace(0.1, 0.9, 9))
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=10)
    return NumberProfile(
        edges=edges.tolist(),
        shares=(counts / len(known)).tolist(),
        missing=1 - len(known) / len(values),
        low=float(known[0]),
        high=float(known[-1]),
        sample=known.tolist(),
    )


def _metrics(task: Task, rows: Rows) -> dict[str, Interval]:
    if task == "regression":
        root = math.sqrt(float(rows.loss.mean()))
        error = float(rows.loss.std()) / math.sqrt(len(rows.loss)) / (2 * root)
        return {"rmse": Interval(root, root - 1.96 * error, root + 1.96 * error)}
    measured = auc(_histogram(rows.score[rows.label == 1]), _histogram(rows.score[rows.label == 0]))
    if measured is None:
        return {}
    value, error, _ = measured
    return {"auc": Interval(value, value - 1.96 * error, value + 1.96 * error)}


def _number_counts(profile: NumberProfile, values: Floats) -> NumberCounts:
    known = values[~np.isnan(values)]
    bins = np.bincount(np.searchsorted(profile.edges, known, side="right"), minlength=len(profile.edges) + 1)
    low, high = int(np.sum(known < profile.low)), int(np.sum(known > profile.high))
    missing, (least, most) = len(values) - len(known), (float(known.min()), float(known.max())) if len(known) else (None, None)
    return NumberCounts(bins=bins.tolist(), missing=missing, low=low, high=high, least=least, most=most)


def _category_counts(profile: CategoryProfile, values: npt.NDArray[np.str_]) -> CategoryCounts:
    counts = {name: int(np.sum(values == name)) for name in profile.shares}
    return CategoryCounts(counts=counts, unseen=len(values) - sum(counts.values()))


def _contents(rows: Rows) -> list[Content]:
    found = Contents()
    found.add(content_hashes([rows.size, rows.colour.tolist()]))
    return found.counted


def _sampled(rows: Rows, numbers: dict[str, Floats], row: int) -> dict[str, float | str | None]:
    values = {name: float(column[row]) for name, column in numbers.items()}
    return {
        **{name: None if math.isnan(value) else value for name, value in values.items()},
        "colour": str(rows.colour[row]),
        SAMPLED_SCORE: float(rows.score[row]),
    }


def _or_none(values: Floats) -> pa.Array:
    return pa.array(values, from_pandas=True)


def _histogram(scores: Floats) -> list[int]:
    bins: list[int] = np.bincount(np.minimum(scores * SCORE_BINS, SCORE_BINS - 1).astype(int), minlength=SCORE_BINS).tolist()
    return bins


def _fixed(values: Floats) -> int:
    return int(np.rint(values * FIXED).astype(np.int64).sum())
