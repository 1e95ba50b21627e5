"""All detectors of one bundle as one row of signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from streams.detectors.base import BucketView, Detector, Readings, Setup, Signal, Sketch
from streams.runtime.plugins import load_kind

FAMILY = "streams.detectors"


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
        if not found:
            return Readings(np.empty(0), np.empty(0), np.empty(0))
        return Readings(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

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
        """How skewed each signal's rows are [m]."""
        return np.array([signal.skewness for signal in self.signals], np.float64)

    def close(self) -> None:
        """Close the detectors."""
        for detector in self._detectors.values():
            detector.close()

    @property
    def handicaps(self) -> npt.NDArray[np.float64]:
        """How much more improbable (powers of ten) a signal must be for all others that are looked at with it [m].

        Each group has an equal part of the false alarms, whatever the number of its signals, so that a hundred features don't
        drown out the loss.
        """
        sizes = np.bincount(self.group, minlength=len(self.groups))
        return np.log10(sizes[self.group] * float(max(len(self.groups), 1)))
