"""The labels of a classifier: is their mix another than in the reference? Fisher's exact test of each bucket.

It is exact for rare labels and few rows; `labels_mean` adds up buckets and finds small changes sooner.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.detectors._labels import label_signal, label_table, reference_counts, sketch_labels
from streams.detectors._tested import fisher, readings
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing


class LabelsFisher(Stateless):
    """Tests the labels that became known in a bucket against those of the reference."""

    def __init__(self, setup: Setup) -> None:
        self._before = reference_counts(setup.profile)
        signal = label_signal("Fisher's exact test", setup)
        self.signals: Sequence[Signal] = [signal] if setup.manifest.schema.task == "binary" else []

    def read(self, view: BucketView) -> Readings:
        """Count the labels."""
        table = label_table(self._before, view)
        if table is None or not self.signals:
            return nothing(len(self.signals))
        return readings([fisher(table)])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of positives."""
        del index  # there is one share
        return sketch_labels(self._before, views)


def open_detector(setup: Setup) -> LabelsFisher:
    """Open it."""
    return LabelsFisher(setup)
