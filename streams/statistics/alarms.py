"""How often chance alone raises an alarm, and the threshold that makes it as often as was asked.

An alarm begins when something is improbable enough for some buckets in a row, or overwhelmingly so at once, and is over after
some buckets without. Which improbability is enough follows from how alarms would come in a stream made of the model's own past:
its surprises, drawn anew in blocks of whole days with all signals together, so that whatever ties signals to each other and
hours to each other is in them. Far out, where the past has nothing more to draw from, the peaks' excess is taken as exponential,
which it is for whatever has a normal tail.

Sources: Künsch, H. R. (1989), "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17,
1217-1241 (blocks); Leadbetter, M. R. (1991), "On a basis for 'Peaks over Threshold' modeling", Statistics and Probability
Letters 12, 357-362 (peaks of clusters).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

OVERWHELMING = 0.3
"""So much more improbable (powers of ten; twice) than an alarm needs that one bucket is enough.

With five times, half a deviation in buckets of a hundred rows waits for another one more often, and smaller changes are found no
sooner; with 1.25 times, no more is found (measured).
"""

_FEWEST_PEAKS = 30
_HALVINGS = 40
_LEAST_EXCESS = 1e-3
_SOUGHT = np.linspace(0.3, 0.99, 24)
_SMOOTHING = 0.5


class Course(NamedTuple):
    """How many buckets in a row make an alarm, and how many without end it."""

    confirm_after: int
    clear_after: int


ASSUMED_RATE = 2.2
"""Alarms a bucket at improbability 0 of independent normal surprises, extrapolated from where they are rare.

Measured are 1.2 to 2.9, by how many there are and how long a bucket is.
"""


class Tail(NamedTuple):
    """How often alarms begin by chance: `rate` a bucket above `level`, and less by the factor e for each `excess` more."""

    level: float
    rate: float
    excess: float

    def threshold(self, rate: float) -> float:
        """Return the improbability that is reached by chance at this rate a bucket."""
        return self.level + self.excess * math.log(self.rate / rate)

    def chance(self, improbability: float) -> float:
        """Return the rate a bucket at which chance reaches an improbability."""
        return self.rate * math.exp((self.level - improbability) / self.excess)


def assumed_tail() -> Tail:
    """Return the tail of a stream of which nothing is known but that it is undisturbed and its rows are independent."""
    return Tail(0.0, ASSUMED_RATE, 1 / math.log(10.0))


def persistent(improbabilities: Floats, course: Course) -> Floats:
    """Return what counts towards an alarm in each bucket [T]: one signal's least of the last buckets, or an overwhelming one.

    Args:
        improbabilities: of each signal in each bucket [T, m].
        course: how long it must last.
    """
    least = improbabilities.copy()
    for back in range(1, course.confirm_after):
        least[back:] = np.minimum(least[back:], improbabilities[:-back])
        least[:back] = -np.inf
    highest = improbabilities.max(axis=1)
    return np.maximum(least.max(axis=1), highest - (OVERWHELMING if course.confirm_after > 1 else 0.0))


def peaks(lasting: Floats, highest: Floats, level: float, course: Course) -> list[float]:
    """Return the greatest lasting improbability of each alarm at a threshold.

    Args:
        lasting: what counts towards an alarm [T].
        highest: the highest improbability of each bucket [T]; below the threshold it counts towards the end of the alarm.
        level: the threshold.
        course: when an alarm begins and ends.
    """
    found: list[float] = []
    is_on, last = False, -math.inf
    for index in np.flatnonzero(highest >= level).tolist():
        is_on = is_on and index - last <= course.clear_after
        last = index
        if lasting[index] < level:
            continue
        if is_on:
            found[-1] = max(found[-1], float(lasting[index]))
        else:
            found.append(float(lasting[index]))
            is_on = True
    return found


def learn_tail(streams: Sequence[tuple[Floats, Floats]], course: Course, often: float) -> Tail:
    """Fit how often alarms begin by chance.

    Args:
        streams: for each course that alarms take, what counts towards them and the highest improbability, as for `peaks` [T
            each].
        course: when an alarm begins and ends.
        often: the rate a bucket from which the tail is fitted; asked for should be rarer ones.
    """
    number = len(streams[0][0])
    wanted = max(_FEWEST_PEAKS, often * number)
    low = _most_alarms(streams, course)
    high = max(float(lasting.max()) for lasting, _ in streams)
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        if _count(streams, level, course) > wanted:
            low = level
        else:
            high = level
    found = np.array([peak for stream in streams for peak in peaks(*stream, high, course)])
    return Tail(high, len(found) / number, max(float((found - high).mean()), _LEAST_EXCESS))


def _count(streams: Sequence[tuple[Floats, Floats]], level: float, course: Course) -> int:
    return sum(len(peaks(*stream, level, course)) for stream in streams)


def _most_alarms(streams: Sequence[tuple[Floats, Floats]], course: Course) -> float:
    """Find about where alarms are most frequent: below it they run into each other, and lower levels have fewer again."""
    levels = np.quantile(np.concatenate([lasting for lasting, _ in streams]), _SOUGHT)
    return max(levels.tolist(), key=lambda level: _count(streams, level, course))


def drawn_blocks(surprises: Floats, buckets: int, block: int, generator: np.random.Generator) -> Floats:
    """Draw a stream [buckets, m] from a history of surprises [T, m] in blocks of neighbouring buckets, all signals together.

    What a history lacks (NaN) is drawn from the normal distribution: nothing better is known of it.
    """
    block = min(block, len(surprises))
    starts = generator.integers(0, len(surprises) - block + 1, -(-buckets // block))
    drawn = surprises[(starts[:, None] + np.arange(block)).ravel()[:buckets]]
    return np.where(np.isnan(drawn), generator.normal(size=drawn.shape), drawn)


def smoothed(drawn: Floats, generator: np.random.Generator) -> Floats:
    """Add noise to what was drawn from a history and keep its variance: a history holds nothing beyond its extremes.

    Source: Silverman, B. W. and Young, G. A. (1987), "The bootstrap: to smooth or not to smooth?", Biometrika 74, 469-479.
    """
    return (drawn + _SMOOTHING * generator.normal(size=drawn.shape)) / math.sqrt(1 + _SMOOTHING**2)
