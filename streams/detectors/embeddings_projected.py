"""Embeddings: do the vectors whose coordinates some columns are still lie where they did, and are they as long?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from streams.contracts.summaries import InputSummary
from streams.detectors._joint import Remembered, Values, floats_of, shuffled
from streams.detectors._tested import FEWEST
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

UNIT = "standard deviations of a row"

FEWEST_COORDINATES = 8
"""Of fewer columns with running numbers it isn't said that they are one vector."""

_DIRECTIONS = 8
_NORM = "norm"
_SEED = 4
# In deviations of its coordinate: no outlier lies farther out.
_FARTHEST = 10.0
# Vectors that are all of one length would leave no deviation of it; any would then be endless.
_LEAST_DEVIATION = 0.05
_SHOWN = 3
_COORDINATE = re.compile(r"(.+?)(\d+)")


class EmbeddingsProjected(Stateless):
    """Follows the mean of embedded rows along a few directions, and their mean norm.

    Columns are coordinates of one vector where their names share a stem and end in running numbers, at least eight of them
    (`text_0` to `text_127`). Each is standardised by half of the reference's rows, and the other half, which isn't a bit too near
    to its own means, says what is usual; a missing one is its mean. The directions are orthonormal, drawn by chance and always
    the same: of the squared length of any shift they see on average their share of the dimensions, so that vectors which move are
    seen in a few signals instead of hundreds, each as sure as that of one column. What moves across them is not seen, what
    changes shape without moving by the norm alone. Vectors that are lost have norm 0. A sketch names the coordinates whose means
    have moved most. Source: Johnson, W. B. and Lindenstrauss, J. (1984), "Extensions of Lipschitz mappings into a Hilbert space",
    Contemporary Mathematics 26, 189-206.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        self._embeddings = _embeddings(setup)
        self._of = [(one, aspect) for one in self._embeddings for aspect in one.aspects]
        self.signals: Sequence[Signal] = [
            Signal("feature_drift", one.name, aspect, UNIT, setup.floors.deviations, one.rows, skewness=skewness)
            for one in self._embeddings
            for aspect, skewness in zip(one.aspects, one.skewness.tolist(), strict=True)
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the sampled rows; both level and effect are means of what lies along each direction, and of the norm."""
        found = [one.read(view) for one in self._embeddings]
        return Readings(*(np.concatenate(parts) for parts in zip(*found, strict=True))) if found else nothing(0)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the direction, the norm and the coordinates that have moved most, these in deviations of a row."""
        embedding, aspect = self._of[index]
        return embedding.sketch(aspect, views)


class _Embedding:
    """The vectors of some columns, as the reference's rows have them.

    Args:
        columns: the reference's values by coordinate, in order of their numbers, of rows in random order; each varies in the
            first half of them.
    """

    def __init__(self, columns: Mapping[str, Values]) -> None:
        self._names = list(columns)
        self.name = f"{self._names[0]} to {self._names[-1]}"
        values, self._directions = _stacked(columns.values()), _orthonormal(len(columns))
        half = len(values) // 2
        self._middle, self._width = np.nanmean(values[:half], axis=0), np.nanstd(values[:half], axis=0)
        self.aspects = [*(f"direction {number}" for number in range(1, self._directions.shape[1] + 1)), _NORM]
        parts = self._parts(vectors := self._vectors(values[half:]))
        self.rows, self._mean = float(len(parts)), parts.mean(axis=0)
        self._deviation = np.maximum(parts.std(axis=0), _LEAST_DEVIATION)
        self.skewness: Floats = (((parts - self._mean) / self._deviation) ** 3).mean(axis=0)
        self._usual = self._told(vectors, parts)
        self._remembered = Remembered()

    def read(self, view: BucketView) -> Readings:
        sampled = self._sampled(view.inputs)
        if sampled is None:
            return nothing(len(self.aspects))
        parts = self._parts(vectors := self._vectors(sampled))
        self._remembered.keep(view, self._told(vectors, parts))
        level = (parts.mean(axis=0) - self._mean) / self._deviation
        return Readings(level, np.full(len(level), float(len(parts))), level)

    def sketch(self, aspect: str, views: Sequence[BucketView]) -> Sketch:
        before, after = self._usual, self._remembered.mean(views)
        moved = sorted(self._names, key=lambda name: -abs(after[name] - before[name])) if after else []
        shown = list(dict.fromkeys([aspect, _NORM, *moved[:_SHOWN]])) if after else []
        return Sketch({name: before[name] for name in shown}, {name: after[name] for name in shown})

    def _sampled(self, inputs: InputSummary | None) -> Floats | None:
        """Return the coordinates of a bucket's sampled rows; None where there are too few, or none of them knows of one."""
        rows: list[Mapping[str, Any]] = [row for _, row in inputs.sample] if inputs is not None else []
        if len(rows) < FEWEST or not set(self._names) <= set().union(*rows):
            return None
        return _stacked([row.get(name) for row in rows] for name in self._names)

    def _vectors(self, values: Floats) -> Floats:
        """Standardise coordinates [rows, d]."""
        away = np.clip((values - self._middle) / self._width, -_FARTHEST, _FARTHEST)
        return np.where(np.isnan(away), 0.0, away)

    def _parts(self, vectors: Floats) -> Floats:
        """Return what lies along each direction, and the norm [rows, aspects]."""
        return np.c_[vectors @ self._directions, np.linalg.norm(vectors, axis=1)]

    def _told(self, vectors: Floats, parts: Floats) -> dict[str, float]:
        means = zip([*self.aspects, *self._names], [*parts.mean(axis=0).tolist(), *vectors.mean(axis=0).tolist()], strict=True)
        return dict(means)


def _embeddings(setup: Setup) -> list[_Embedding]:
    """Find the embeddings of a reference; none where its rows can't be had, or there are too few."""
    table = setup.read_rows()
    if table is None or table.num_rows < 2 * FEWEST:
        return []
    names = [name for name in table.column_names if name in setup.profile.numbers]
    rows = shuffled(table.select(names))
    columns, half = rows.to_pydict(), rows.num_rows // 2
    groups = ([name for name in group if _varies(columns[name][:half])] for group in coordinates(names))
    return [_Embedding({name: columns[name] for name in group}) for group in groups if len(group) >= FEWEST_COORDINATES]


def coordinates(names: Iterable[str]) -> list[list[str]]:
    """Return the columns that are coordinates of a vector each, in order of their numbers; vectors in order of their names."""
    stems: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        if match := _COORDINATE.fullmatch(name):
            stems[match[1]][int(match[2])].append(name)
    found = []
    for stem in sorted(stems):
        numbers = sorted(stems[stem])
        group = [name for number in numbers for name in stems[stem][number]]
        if len(group) == len(numbers) == numbers[-1] - numbers[0] + 1 and len(group) >= FEWEST_COORDINATES:
            found.append(group)
    return found


def _varies(values: Values) -> bool:
    numbers = floats_of(values)
    known = numbers[~np.isnan(numbers)]
    return len(known) > 0 and bool((known != known[0]).any())


def _stacked(columns: Iterable[Values]) -> Floats:
    return np.stack([floats_of(values) for values in columns], axis=1)


def _orthonormal(dimensions: int) -> Floats:
    """Draw directions that are orthogonal to each other, always the same ones [d, directions].

    Their signs are made what they are by no library: levels that were learnt on one machine are read on another.
    """
    drawn = np.random.default_rng(_SEED).normal(size=(dimensions, min(_DIRECTIONS, dimensions)))
    directions, triangle = np.linalg.qr(drawn)
    found: Floats = directions * np.sign(np.diag(triangle))
    return found


def open_detector(setup: Setup) -> EmbeddingsProjected:
    """Open it."""
    return EmbeddingsProjected(setup)
