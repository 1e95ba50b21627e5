"""All detectors of one bundle as one row of signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from streams.detectors.base import BucketView, Detector, Readings, Setup, Signal, Sketch, nothing
from streams.runtime.plugins import load_kind

FAMILY = "streams.detectors"

# How many times as many false alarms a kind has as others with as many columns. Broken data is seen at once with few; what
# begins small is seen the sooner the more it has.
_BEGINS_SMALL: Final[Mapping[str, float]] = {"feature_drift": 8.0, "label_drift": 3.0, "loss_drift": 3.0, "performance": 3.0}


class Place(NamedTuple):
    """Where a signal of the panel comes from: a detector, and its number there."""

    detector: str
    number: int


class Panel:
    """Opens detectors and reads them as one.

    Args:
        kinds: of `streams/detectors`, in the order of the signals.
        setup: what they are told.

    Raises:
        PluginError: there is no such kind, or its library isn't installed.
    """

    def __init__(self, kinds: Sequence[str], setup: Setup) -> None:
        self._detectors = {kind: cast("Detector", load_kind(FAMILY, kind).open_detector(setup)) for kind in kinds}
        found = [
            (Place(kind, number), signal)
            for kind, detector in self._detectors.items()
            for number, signal in enumerate(detector.signals)
        ]
        self.places: tuple[Place, ...] = tuple(place for place, _ in found)
        self.signals: tuple[Signal, ...] = tuple(signal for _, signal in found)
        groups = [(place.detector, signal.kind) for place, signal in found]
        self.groups: tuple[tuple[str, str], ...] = tuple(dict.fromkeys(groups))
        """Each detector with each event kind that it can raise."""
        self.group: npt.NDArray[np.int64] = np.array([self.groups.index(group) for group in groups], np.int64)
        """Which group a signal belongs to [m]."""

    def read(self, view: BucketView) -> Readings:
        """Read one bucket; buckets come in order of event time."""
        found = [detector.read(view) for detector in self._detectors.values()]
        return joined(found)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The detectors, in the order of the signals."""
        return tuple(self._detectors)

    def read_one(self, kind: str, view: BucketView | None) -> Readings:
        """Read one bucket by one detector alone; None stands for a bucket that it isn't asked about."""
        detector = self._detectors[kind]
        return nothing(len(detector.signals)) if view is None else detector.read(view)

    def summing(self, kind: str) -> tuple[str, ...]:
        """Return the detectors that raise this kind of event and read no sampled rows, only sums of buckets."""
        return tuple(name for name, raised in self.groups if raised == kind and not self._detectors[name].reads_sample)

    def sketch(self, signal: int, views: Sequence[BucketView]) -> Sketch:
        """Describe a signal over some buckets."""
        place = self.places[signal]
        return self._detectors[place.detector].sketch(place.number, views)

    @property
    def reads_sample(self) -> bool:
        """Whether any detector needs the sampled rows of a bucket."""
        return any(detector.reads_sample for detector in self._detectors.values())

    @property
    def skewness(self) -> npt.NDArray[np.float64]:
        """How skewed each signal's rows are taken to be [m].

        Where only a rise counts, a thin upper tail isn't relied on: what falls far and seldom, as the area under a curve with few
        positives, can rise far as well, and taking its skewness out would make that look like news.
        """
        return np.array([max(one.skewness, 0.0) if one.rises_only else one.skewness for one in self.signals], np.float64)

    def close(self) -> None:
        """Close the detectors."""
        for detector in self._detectors.values():
            detector.close()

    @property
    def parts(self) -> npt.NDArray[np.float64]:
        """What part of the false alarms each group has [groups]: each kind by the root of its columns and how it begins.

        With more columns there is more to find, but a hundred features mustn't drown out the loss. Columns of a kind have equal
        parts, whichever detector watches them.
        """
        columns = np.array(
            [
                len({self.signals[place].watched for place in np.flatnonzero(self.group == group)})
                for group in range(len(self.groups))
            ],
            np.float64,
        )
        kinds = [kind for _, kind in self.groups]
        of_kind = np.array([columns[[kind == other for other in kinds]].sum() for kind in kinds])
        begins = np.array([_BEGINS_SMALL.get(kind, 1.0) for kind in kinds])
        weights = begins * columns / np.sqrt(np.maximum(of_kind, 1.0))
        return weights / max(float(weights.sum()), 1.0)

    @property
    def handicaps(self) -> npt.NDArray[np.float64]:
        """How much more improbable (powers of ten) a signal must be for all others that are looked at with it [m].

        Within a group each column has an equal part of its false alarms, so that one of a hundred categories doesn't drown out
        one of three, and a column's signals share by weight. Source: Genovese, C. R., Roeder, K. and Wasserman, L. (2006),
        "False discovery control with p-value weighting", Biometrika 93, 509-524.
        """
        watched = [(group, signal.watched) for group, signal in zip(self.group.tolist(), self.signals, strict=True)]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(watched))}
        column = np.array([numbers[name] for name in watched], np.int64)
        weight = np.array([signal.weight for signal in self.signals], np.float64)
        of_column = np.bincount(column, weights=weight, minlength=len(numbers))
        columns = np.bincount(np.array([group for group, _ in numbers], np.int64), minlength=len(self.groups))
        return np.log10(of_column[column] / weight * (columns / np.maximum(self.parts, 1e-300))[self.group])


class Recorded(Panel):
    """A panel that has read a history, and gives what it read again: detectors can cost more than all that is made of it.

    Args:
        panel: whose signals they are; it may be closed.
        readings: what it read, by the begin of the bucket.
    """

    def __init__(self, panel: Panel, readings: Mapping[int, Readings]) -> None:
        self._detectors = {}
        self._readings = readings
        self.places, self.signals, self.groups, self.group = panel.places, panel.signals, panel.groups, panel.group

    def read(self, view: BucketView) -> Readings:
        """Return what was read of the bucket that begins then.

        Raises:
            KeyError: none was.
        """
        return self._readings[view.start_ms]

    def sketch(self, signal: int, views: Sequence[BucketView]) -> Sketch:
        """Show nothing: nobody asks the detectors any more."""
        del signal, views
        return Sketch({}, {})


def joined(found: Sequence[Readings]) -> Readings:
    """Put the readings of some detectors side by side."""
    if not found:
        return Readings(np.empty(0), np.empty(0), np.empty(0))
    return Readings(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
