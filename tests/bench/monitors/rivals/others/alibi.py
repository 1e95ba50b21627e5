"""alibi-detect: its detector of drift in tables for the inputs, Fisher's exact test for the errors, each on a bucket."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from alibi_detect.cd import FETDrift, TabularDrift

from tests.bench.monitors.rivals.others.base import Columns, Judging, Said
from tests.bench.monitors.rivals.scoring import ROWS
from tests.bench.monitors.rivals.worlds import errors

# Beside 100 rows of a bucket more make no difference. Not 10,000 or fewer: there its test takes the exact distribution, slowly.
_REFERENCE = 20_000
_LEAST = 1e-300


class Tabular:
    """The least p-value of the columns, Bonferroni's correction as by default.

    It knows nothing of what is missing: numbers get the history's median, categories one of their own.
    """

    def __init__(self, columns: Columns, history: pd.DataFrame) -> None:
        reference = history.sample(min(len(history), _REFERENCE), random_state=0)
        self._numbers = [*columns.numbers, "score"]
        self._medians = history[self._numbers].median()
        self._codes = {
            name: {value: code for code, value in enumerate(sorted(history[name].dropna().unique()), 1)}
            for name in columns.categories
        }
        places = {len(self._numbers) + place: None for place in range(len(columns.categories))}
        self._detector = TabularDrift(self._encoded(reference), categories_per_feature=places or None)

    def say(self, rows: pd.DataFrame) -> Said:
        """Judge consecutive buckets."""
        found = [self._detector.predict(self._encoded(rows.iloc[at : at + ROWS]))["data"] for at in range(0, len(rows), ROWS)]
        # Float32 as they are, they have few distinct values near 0.
        value = np.array([-np.log10(max(float(one["p_val"].min()), _LEAST)) for one in found])
        return Said(value, np.array([bool(one["is_drift"]) for one in found]))

    def _encoded(self, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Unseen categories have a code of their own, missing ones 0."""
        numbers = rows[self._numbers].fillna(self._medians).to_numpy(np.float64)
        texts = [
            [float(codes.get(value, len(codes) + 1)) if isinstance(value, str) else 0.0 for value in rows[name]]
            for name, codes in self._codes.items()
        ]
        return np.column_stack([numbers, *texts])


class Errors:
    """Whether more answers of a bucket are wrong than of the history, by its test for binary data."""

    def __init__(self, _: Columns, history: pd.DataFrame) -> None:
        self._detector = FETDrift(np.array(errors(history)), alternative="greater")

    def say(self, rows: pd.DataFrame) -> Said:
        """Judge consecutive buckets."""
        wrong = np.array(errors(rows)).reshape(-1, ROWS)
        found = [self._detector.predict(one)["data"] for one in wrong]
        value = np.array([-np.log10(max(float(np.min(one["p_val"])), _LEAST)) for one in found])
        return Said(value, np.array([bool(one["is_drift"]) for one in found]))


INPUTS = {"alibi-detect, tabular": Judging(Tabular, streams=24)}
OUTCOMES = {"alibi-detect, Fisher": Judging(Errors)}
