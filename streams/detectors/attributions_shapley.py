"""Does the model lean on its columns as it did? Shapley values of the sampled rows, asked of the bundle's own graph."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.contracts.schema import Task
from streams.contracts.summaries import InputSummary
from streams.detectors._joint import Remembered, Values, floats_of, shuffled, texts_of
from streams.detectors._shapley import shapley_values
from streams.detectors._tested import FEWEST
from streams.detectors.base import BucketView, Columns, Floats, Graph, Readings, Setup, Signal, Sketch, floor_of, nothing

UNIT = "standard deviations of a row's attribution"

# What a bucket costs: so many rows are explained by so many pairs of walks, fewer where that would ask the graph for more scores.
_MOST_ROWS = 100
_MOST_PAIRS = 4
_MOST_SCORES = 20_000
# And for each row of a bucket so many of the reference when it is opened.
_REFERENCE = 5
# As many values are in memory at once, some tens of MB.
_MOST_VALUES = 4_000_000
_SEED = 3
# Scores are kept so far from 0 and 1.
_EDGE = 1e-6
# Of the largest deviation: where a model hardly ever looks at a column, a few rows would be endlessly many of its own.
_LEAST_DEVIATION = 0.05
_YEAR_MS = 365 * 86_400_000
_NO_SIGN = 1 << 63


class AttributionsShapley:
    """Follows the mean absolute attribution of each column and window: how much of the scores is its, up or down.

    It moves where a column moves that the model looks at, and hardly where one does that it doesn't; and it moves where a column
    begins to count for other reasons, because those that it goes together with have changed. Attributions are of log odds for
    binary models, of values for regression, compared with the reference's rows. What is usual of them is measured on other rows
    of the reference by as many walks, so that the error of so few walks is in it. Formulas count for the columns that they read;
    tagged columns are in no sample and count as missing throughout. Nor is a row's time in a sample: where the graph reads one,
    rows are given times of a year by chance, in the reference and in buckets alike, so that what depends on the hour is seen as
    it is over all hours. Of a model that is served elsewhere there is no graph, and nothing is said.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        self._remembered = Remembered()
        self.signals: Sequence[Signal] = []
        self._asked = _asked(setup)
        usual = self._asked.usual() if self._asked is not None else None
        if usual is None:
            self.close()
            return
        self._usual = usual
        self.signals = [
            Signal(
                "feature_drift", name, "mean absolute attribution", UNIT,
                floor_of(setup.profile, name, setup.floors.deviations), usual.rows, skewness=skewness,
            )
            for name, skewness in zip(usual.names, usual.skewness.tolist(), strict=True)
        ]  # fmt: skip

    def read(self, view: BucketView) -> Readings:
        """Explain some of the sampled rows, evenly taken."""
        if self._asked is None or (rows := self._asked.sampled(view.inputs)) is None:
            return nothing(len(self.signals))
        found = self._asked.attributed(rows, np.random.default_rng([_SEED, view.start_ms % _NO_SIGN]))
        if not np.isfinite(found).all():
            return nothing(len(self.signals))
        mean = found.mean(axis=0)
        self._remembered.keep(view, dict(zip(self._asked.reference, mean.tolist(), strict=True)))
        level = (mean[self._usual.places] - self._usual.mean) / self._usual.deviation
        return Readings(level, np.full(len(level), float(len(found))), level)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the column's mean absolute attribution, and which share that is of all columns'."""
        name = self.signals[index].watched
        found = (self._usual.means, self._remembered.mean(views))
        return Sketch(
            *({"attribution": one[name], "share": one[name] / (sum(one.values()) or 1.0)} if one else {} for one in found)
        )

    def close(self) -> None:
        """Let go of the graph."""
        self._asked = None


class _Usual(NamedTuple):
    """Absolute attributions of the reference's rows: of those columns that have any, and by name the means of all.

    `places` are theirs among all columns; mean, deviation and skewness of a row are [m each].
    """

    rows: float
    places: list[int]
    names: list[str]
    mean: Floats
    deviation: Floats
    skewness: Floats
    means: dict[str, float]


class _Asked:
    """The graph, and the reference that rows are compared with.

    Args:
        graph: what is asked.
        task: what its scores are.
        numbers: which columns are numbers; the others are categories.
        reference: values by column, in random order; half of them are compared with, half are explained to say what is usual.
    """

    def __init__(self, graph: Graph, task: Task, numbers: frozenset[str], reference: dict[str, Values]) -> None:
        self._graph, self._task, self._numbers = graph, task, numbers
        self.reference: Columns = self._columns(reference)
        half = len(next(iter(self.reference.values()))) // 2
        self._others = {name: values[:half] for name, values in self.reference.items()}
        steps = 2 * (len(reference) + 1)
        self._rows = int(np.clip(_MOST_SCORES // steps, FEWEST, _MOST_ROWS))
        self._pairs = int(np.clip(_MOST_SCORES // (steps * self._rows), 1, _MOST_PAIRS))
        until = half + _REFERENCE * self._rows
        self._explained = {name: values[half:until] for name, values in self.reference.items()}

    def usual(self) -> _Usual | None:
        """Say what is usual; None where no column adds anything to the scores."""
        found = self.attributed(self._explained, np.random.default_rng(_SEED))
        mean, deviation = found.mean(axis=0), found.std(axis=0)
        places = np.flatnonzero(deviation > 0).tolist()
        if not places or not np.isfinite(found).all():
            return None
        bounded = np.maximum(deviation, _LEAST_DEVIATION * deviation.max())[places]
        skewness = (((found[:, places] - mean[places]) / bounded) ** 3).mean(axis=0)
        names = list(self.reference)
        means = dict(zip(names, mean.tolist(), strict=True))
        return _Usual(float(len(found)), places, [names[place] for place in places], mean[places], bounded, skewness, means)

    def sampled(self, inputs: InputSummary | None) -> Columns | None:
        """Return some of a bucket's sampled rows; None where there are too few, or none of them knows of a column."""
        rows = [row for _, row in inputs.sample] if inputs is not None else []
        if len(rows) < FEWEST or not self.reference.keys() <= set().union(*rows):
            return None
        evenly = np.linspace(0, len(rows), min(len(rows), self._rows), endpoint=False).astype(np.int64).tolist()
        return self._columns({name: [rows[place].get(name) for place in evenly] for name in self.reference})

    def attributed(self, rows: Columns, generator: np.random.Generator) -> Floats:
        """Return absolute attributions [rows, columns]."""
        number, walked = len(next(iter(rows.values()))), 2 * self._pairs * (len(rows) + 1)
        at_once = max(_MOST_VALUES // (walked * len(rows)), 1)
        found = []
        for begin in range(0, number, at_once):
            some = {name: values[begin : begin + at_once] for name, values in rows.items()}
            time_ms = generator.integers(_YEAR_MS, size=min(at_once, number - begin)).repeat(walked).tolist()
            score = functools.partial(self._scores, time_ms)
            found.append(shapley_values(score, some, self._others, self._pairs, generator))
        return np.abs(np.concatenate(found))

    def _scores(self, time_ms: Sequence[int], rows: Columns) -> Floats:
        scores = self._graph(rows, time_ms)
        if self._task == "regression":
            return scores
        kept = np.clip(scores, _EDGE, 1 - _EDGE)
        odds: Floats = np.log(kept / (1 - kept))
        return odds

    def _columns(self, values: dict[str, Values]) -> Columns:
        return {
            name: floats_of(one) if name in self._numbers else np.array(texts_of(one), dtype=object)
            for name, one in values.items()
        }


def _asked(setup: Setup) -> _Asked | None:
    """Open the graph; None where it or the reference's rows can't be had, or there are too few."""
    table = setup.read_rows()
    if table is None or table.num_rows < 2 * FEWEST:
        return None
    names = [name for name in table.column_names if name in setup.profile.numbers or name in setup.profile.categories]
    if not names or (graph := setup.open_graph()) is None:
        return None
    return _Asked(graph, setup.manifest.schema.task, frozenset(setup.profile.numbers), shuffled(table.select(names)).to_pydict())


def open_detector(setup: Setup) -> AttributionsShapley:
    """Open it."""
    return AttributionsShapley(setup)
