"""A classifier's labels by alibi-detect: the test of `labels_fisher`, for those who want that library."""

from __future__ import annotations

from collections.abc import Sequence

from streams.detectors._alibi import Alibi
from streams.detectors._alibi_worker import Question
from streams.detectors._labels import label_signal, label_table, reference_counts, sketch_labels
from streams.detectors._tested import of_shares, readings
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, nothing

# The library takes rows, not counts; a larger reference shrinks to so many.
MOST_ROWS = 200_000


class AlibiFisher(Alibi):
    """Asks about each bucket's labels.

    Raises:
        PluginError: alibi-detect isn't installed.
    """

    reads_sample = False

    def __init__(self, setup: Setup) -> None:
        super().__init__("alibi_fisher", "labels_fisher")
        positives, negatives = reference_counts(setup.profile)
        larger = max((positives + negatives) / MOST_ROWS, 1.0)
        self._before = round(positives / larger), round(negatives / larger)
        is_binary = setup.manifest.schema.task == "binary"
        self.signals: Sequence[Signal] = [label_signal("alibi-detect FETDrift", setup)] if is_binary else []

    def read(self, view: BucketView) -> Readings:
        """Test the labels.

        Raises:
            StreamsError: the worker process died or doesn't answer.
        """
        table = label_table(self._before, view)
        if table is None or not self.signals:
            return nothing(len(self.signals))
        (answer,) = self.ask([Question(test="fisher", before=table[0].tolist(), after=table[1].tolist())])
        return readings([of_shares(answer.p_value, table)])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of positives."""
        del index  # there is one share
        return sketch_labels(self._before, views)


def open_detector(setup: Setup) -> AlibiFisher:
    """Open it."""
    return AlibiFisher(setup)
