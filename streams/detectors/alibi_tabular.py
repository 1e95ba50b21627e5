"""Numbers and categories by alibi-detect: the tests of `feature_ks` and `feature_chisquare`, for those who want that library."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streams.contracts.bundle import Profile
from streams.detectors._alibi import Alibi, category_signals, number_samples, number_signals
from streams.detectors._alibi_worker import Question
from streams.detectors._bins import sketch_numbers
from streams.detectors._tables import Counts, sketch_shares, two_samples
from streams.detectors._tested import Tested, readings
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch

# The library takes rows, not counts; more of them than this would only cost time. Both rows of a table shrink alike.
MOST_ROWS = 200_000


class AlibiTabular(Alibi):
    """Asks about all columns of each bucket at once.

    Raises:
        PluginError: alibi-detect isn't installed.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        super().__init__("alibi_tabular", "feature_ks with feature_chisquare")
        self._setup = setup
        self.signals: Sequence[Signal] = [
            *number_signals(setup, "alibi-detect KSDrift", "KS distance"),
            *category_signals(setup, "alibi-detect TabularDrift", "Cramér's V"),
        ]

    def read(self, view: BucketView) -> Readings:
        """Test every number and category of the reference.

        Raises:
            StreamsError: the worker process died or doesn't answer.
        """
        numbers, categories = number_samples(self._setup, view), _categories(self._setup.profile, view)
        questions = [
            *(
                Question(test="kolmogorov_smirnov", before=before.tolist(), after=after.tolist())
                for before, after in numbers.values()
            ),
            *(Question(test="chisquare", before=table[0].tolist(), after=table[1].tolist()) for table in categories.values()),
        ]
        answers = dict(zip([*numbers, *categories], self.ask(questions), strict=True))
        found = {name: Tested(answers[name].p_value, answers[name].statistic) for name in numbers}
        for name, table in categories.items():
            found[name] = Tested(answers[name].p_value, math.sqrt(answers[name].statistic / float(table.sum())))
        return readings([found.get(signal.watched) for signal in self.signals])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles, or the shares that moved most."""
        name, profile = self.signals[index].watched, self._setup.profile
        inputs = [view.inputs for view in views if view.inputs is not None]
        if name in profile.numbers:
            return sketch_numbers(profile.numbers[name], [one.numbers[name] for one in inputs if name in one.numbers])
        return sketch_shares(profile.categories[name], [one.categories[name] for one in inputs if name in one.categories])


def _categories(profile: Profile, view: BucketView) -> dict[str, Counts]:
    found = {}
    for name, category in profile.categories.items():
        now = view.inputs.categories.get(name) if view.inputs is not None else None
        table = two_samples(category, profile.rows, now) if now is not None else None
        if table is not None:
            found[name] = _bounded(table)
    return found


def _bounded(table: Counts) -> Counts:
    largest = int(table.sum(axis=1).max())
    return table if largest <= MOST_ROWS else np.maximum(table * MOST_ROWS // largest, 1)


def open_detector(setup: Setup) -> AlibiTabular:
    """Open it."""
    return AlibiTabular(setup)
