"""Counts on a reference's bins as arrays, for all columns of a bucket at once, and sketches of them for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from streams.contracts.bundle import NumberProfile
from streams.contracts.summaries import NumberCounts
from streams.detectors._contrasts import ASPECTS, WEIGHTS, normal_scores, skewness
from streams.detectors.base import Floats, Readings, Signal, Sketch
from streams.statistics.distances import jensen_shannon, psi, wasserstein

UNIT = "standard deviations of a row"
_SHOWN = {"p10": 0.1, "median": 0.5, "p90": 0.9}


class BinScores:
    """The scores of some numbers' bins, as one matrix for all of them.

    Args:
        profiles: the numbers' references, by name.
        kind: of the events.
        floors: the smallest effects that matter, in standard deviations of a row, by name.
        rows: behind the profiles.
    """

    def __init__(self, profiles: Mapping[str, NumberProfile], kind: str, floors: Mapping[str, float], rows: int) -> None:
        scores = {name: normal_scores(profile.shares) for name, profile in profiles.items()}
        self.names = [name for name in profiles if scores[name]]
        self._width = max((len(profiles[name].shares) for name in self.names), default=0)
        self.signals: list[Signal] = []
        self._column: list[int] = []
        padded: list[Floats] = []
        for column, name in enumerate(self.names):
            shares = profiles[name].shares
            reference = rows * (1 - profiles[name].missing)
            for aspect, weight, score in zip(ASPECTS, WEIGHTS, scores[name], strict=False):
                skewed = skewness(shares, score)
                self.signals.append(Signal(kind, name, aspect, UNIT, floors[name], reference, skewness=skewed, weight=weight))
                self._column.append(column)
                padded.append(np.r_[score, np.zeros(self._width - len(score))])
        self._scores = np.array(padded).reshape(len(padded), self._width)

    def read(self, counts: Mapping[str, NumberCounts]) -> Readings:
        """Return the mean score of the counted rows; both level and effect are it."""
        bins = np.zeros((len(self.names), self._width))
        for row, name in zip(bins, self.names, strict=True):
            if (found := counts.get(name)) is not None:
                row[: len(found.bins)] = found.bins
        rows = bins.sum(axis=1)[self._column]
        with np.errstate(invalid="ignore", divide="ignore"):
            level = np.where(rows > 0, (bins[self._column] * self._scores).sum(axis=1) / rows, np.nan)
        return Readings(level, rows, level)


def sketch_numbers(profile: NumberProfile, many: Sequence[NumberCounts]) -> Sketch:
    """Describe a number before and after by three quantiles, to the precision of the bins, what is missing, and what it costs.

    What is measured on the stretch as a whole also says how far apart the two distributions are, Wasserstein's in the number's
    unit.
    """
    bins = np.sum([counts.bins for counts in many], axis=0) if many else np.zeros(len(profile.shares))
    known, missing = float(np.sum(bins)), sum(counts.missing for counts in many)
    before = {"missing": profile.missing, **_quantiles(profile, np.asarray(profile.shares))}
    after = {"missing": missing / max(known + missing, 1.0), **_quantiles(profile, np.asarray(bins, np.float64))}
    if bins.sum():
        now, usual = bins / bins.sum(), np.asarray(profile.shares)
        after["psi"], after["jensen_shannon"] = psi(now, usual), jensen_shannon(now, usual)
        after["wasserstein"] = wasserstein(now, usual, [profile.low, *profile.edges, profile.high])
    if profile.loss and bins.sum():
        # What the column's own drift costs, if rows of a bin fare as they did.
        before["expected_loss"] = float(np.dot(profile.shares, profile.loss))
        after["expected_loss"] = float(np.dot(bins, profile.loss) / bins.sum())
    return Sketch(before, after)


def _quantiles(profile: NumberProfile, weights: Floats) -> dict[str, float]:
    if not weights.sum():
        return {}
    below = np.r_[0.0, np.cumsum(weights)] / weights.sum()
    # Equal shares have no inverse; a hair's breadth makes them rise without moving any quantile that is shown.
    rising = below + np.arange(len(below)) * 1e-12
    shown = np.interp(list(_SHOWN.values()), rising, np.r_[profile.low, profile.edges, profile.high])
    return {name: float(value) for name, value in zip(_SHOWN, shown, strict=True)}
