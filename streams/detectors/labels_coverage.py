"""Which share of requests gets no label: of those whose label should be known by now."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from streams.contracts.summaries import InputSummary
from streams.detectors._contrasts import share_level
from streams.detectors._learnt import usual_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing
from streams.statistics.cohorts import awaited_ms, length_ms
from streams.statistics.scan import LENGTHS

KIND = "labels_coverage"
# Shares are told by how far they lie from this one, since there is no other: of few rows near 0 the level would be off.
_HALF = 0.5


class LabelsCoverage(Stateless):
    """Follows the share of a bucket's predictions without a label once nearly all labels that ever come should have come.

    The predictions of a bucket are a cohort, or those of several where labels take over a thousand buckets: it is looked at when
    as many whole buckets have passed as it takes nearly all labels to come (`Setup.label_delay_ms`), whatever the traffic was
    meanwhile, and only once. Rows that got no label independently of each other make its share binomial; what varies by more is
    learnt as unrest. No reference holds how many labels come, so nothing is said before that was learnt from a log with all
    requests (`driftwake calibrate`).

    Suspect requests are in no cohort, as their outcomes are in no loss, and neither are buckets with too few that are fit. A
    bundle that has just taken over says nothing before its own first cohort is due. A label that comes later than nearly all do
    is missing here, as one that never comes: `labels_delay` says whether those that come are late.
    """

    def __init__(self, setup: Setup) -> None:
        self._normal = setup.profile.normal
        self._bucket_ms = setup.bucket_ms
        # Whole buckets, rounded up: labels are counted in the bucket in which they became known.
        self._wait_ms = -(-setup.label_delay_ms // setup.bucket_ms) * setup.bucket_ms
        self._length_ms = awaited_ms(self._wait_ms, setup.bucket_ms)
        floor = setup.floors.share
        self.signals: Sequence[Signal] = [
            Signal("data_quality", "labels", "missing", "share of rows", floor, 0.0, share=_HALF, rises_only=True)
        ]
        # By begin, of cohorts that wait: predictions, and those of them that have a label.
        self._waiting: dict[int, tuple[int, int]] = {}
        # The same of the cohorts that were due, by the bucket that said so.
        self._due: dict[int, tuple[int, int]] = {}

    def read(self, view: BucketView) -> Readings:
        """Read the cohorts that are due at the end of the bucket: one, or several after a gap."""
        asked = self._asked(view)
        if not self._wait_ms or (view.inputs is None and view.losses is None and asked is None):
            return nothing(1)
        if asked is not None:
            rows, labelled = self._waiting.get(begin := self._cohort(view.start_ms), (0, 0))
            self._waiting[begin] = rows + asked, labelled
        self._label(view)
        due = [begin for begin in self._waiting if begin + self._length_ms + self._wait_ms <= view.end_ms]
        rows, labelled = (sum(counts) for counts in zip((0, 0), *(self._waiting.pop(begin) for begin in due), strict=True))
        if not rows:
            return nothing(1)
        # Predictions that came after their bucket was closed are in no cohort, but their labels are.
        labelled = min(labelled, rows)
        self._due[view.start_ms] = rows, labelled
        while len(self._due) > LENGTHS[-1]:
            del self._due[next(iter(self._due))]
        missing, whole = np.array([float(rows - labelled)]), np.array([float(rows)])
        return Readings(share_level(missing, whole, np.array([_HALF])), whole, missing / whole - _HALF)

    def _asked(self, view: BucketView) -> int | None:
        """Return how many predictions of a bucket wait for their labels, None where they are in no cohort.

        In a longer one a bucket with few predictions counts by all that are fit, since nobody can tell its labels from others'.
        """
        if view.requests is None:
            return None
        if view.inputs is not None:
            return _scored(view.inputs)
        return view.requests.rows - (view.requests.suspect or 0) if self._length_ms > self._bucket_ms else None

    def _cohort(self, time_ms: int) -> int:
        return time_ms // self._length_ms * self._length_ms

    def _label(self, view: BucketView) -> None:
        """Count the labels of cohorts that wait."""
        losses = view.losses
        if losses is None:
            return
        if losses.rows and not losses.cohorts:
            # Nobody counted of which requests these are, so those that wait will never be known whole.
            self._waiting.clear()
        waiting = list(self._waiting)  # in order of time, as the buckets come
        begins = np.array([begin for begin, _ in losses.cohorts], np.int64)
        lengths = length_ms(view.start_ms - begins, self._bucket_ms)
        ends = begins // lengths * lengths + lengths
        for (begin, labelled), end in zip(losses.cohorts, ends.tolist(), strict=True):
            cohort = self._cohort(begin) if begin <= view.start_ms else None
            if cohort is not None and cohort not in self._waiting:
                cohort = self._overdue(waiting, cohort, end, view.start_ms)
            if cohort is not None:
                rows, before = self._waiting[cohort]
                self._waiting[cohort] = rows, before + labelled

    def _overdue(self, waiting: Sequence[int], begin: int, end: int, now_ms: int) -> int | None:
        """Return the first cohort in a stretch that should have been read by now, but for a gap in which its labels came.

        They are counted in longer cohorts then, as those of the ones before it that were read in time.
        """
        place = bisect_left(waiting, begin)
        if place == len(waiting) or waiting[place] >= end:
            return None
        return waiting[place] if waiting[place] + self._length_ms + self._wait_ms <= now_ms else None

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of predictions with a label, how many predictions it is of, and the share that is usual then."""
        del index  # there is one
        found = [(view.start_ms, self._due[view.start_ms]) for view in views if view.start_ms in self._due]
        rows, labelled = (sum(counts) for counts in zip((0, 0), *(counts for _, counts in found), strict=True))
        name = self.signals[0].name
        expected = [level for start_ms, _ in found if (level := usual_level(self._normal, KIND, name, start_ms)) is not None]
        before = {"labelled": float(np.mean(np.cos(math.pi / 4 + np.array(expected) / 2) ** 2))} if expected else {}
        return Sketch(before, {"labelled": labelled / max(rows, 1), "rows": float(rows)})


def _scored(inputs: InputSummary) -> int:
    """Return how many predictions can have a loss: those that are fit and have a score."""
    return sum(inputs.score.bins)


def open_detector(setup: Setup) -> LabelsCoverage:
    """Open it."""
    return LabelsCoverage(setup)
