"""Numbers by alibi-detect: the test of `feature_cvm`, for those who want that library."""

from __future__ import annotations

from collections.abc import Sequence

from streams.detectors._alibi import Alibi, number_samples, number_signals
from streams.detectors._alibi_worker import Question
from streams.detectors._bins import sketch_numbers
from streams.detectors._tested import of_criterion, readings
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch


class AlibiCvm(Alibi):
    """Asks about all numbers of each bucket at once.

    Raises:
        PluginError: alibi-detect isn't installed.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        super().__init__("alibi_cvm", "feature_cvm")
        self._setup = setup
        self.signals: Sequence[Signal] = number_signals(
            setup, "alibi-detect CVMDrift", "mean gap of the cumulative distributions"
        )

    def read(self, view: BucketView) -> Readings:
        """Test every number of the reference.

        Raises:
            StreamsError: the worker process died or doesn't answer.
        """
        samples = number_samples(self._setup, view)
        answers = self.ask(
            [
                Question(test="cramer_von_mises", before=before.tolist(), after=after.tolist())
                for before, after in samples.values()
            ]
        )
        found = {
            name: of_criterion(one.p_value, one.statistic, len(before), len(after))
            for (name, (before, after)), one in zip(samples.items(), answers, strict=True)
        }
        return readings([found.get(signal.watched) for signal in self.signals])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles."""
        name = self.signals[index].watched
        found = [view.inputs.numbers[name] for view in views if view.inputs is not None and name in view.inputs.numbers]
        return sketch_numbers(self._setup.profile.numbers[name], found)


def open_detector(setup: Setup) -> AlibiCvm:
    """Open it."""
    return AlibiCvm(setup)
