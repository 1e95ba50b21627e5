"""Evidently: the columns' drift scores of its data drift preset, each bucket against the history.

The preset's own report takes most of a second a bucket. Here its tests are called as it calls them; that they say what the
report says is checked on a bucket whenever one is opened.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset

from tests.bench.monitors.rivals.others.base import Columns, Judging, Said
from tests.bench.monitors.rivals.scoring import ROWS

# Beside 100 rows of a bucket more make no difference, and its tests sort the reference each time.
_REFERENCE = 10_000
# The preset's `drift_share`: with so many columns drifted, the data set has.
_SHARE = 0.5


class Drift:
    """The `wanted`-th largest of the columns' scores, each in parts of the threshold that it has by default.

    The scores are distances: the history is far longer than the 1,000 rows up to which the preset tests by p-values.
    """

    def __init__(self, columns: Columns, history: pd.DataFrame, wanted: int) -> None:
        self._reference = history.sample(min(len(history), _REFERENCE), random_state=0)[columns.watched]
        self._wanted = wanted
        first = history.iloc[:ROWS][columns.watched]
        kinds = dict.fromkeys(columns.watched, ColumnType.Numerical) | dict.fromkeys(columns.categories, ColumnType.Categorical)
        self._known = {name: self._reference[name].dropna() for name in columns.watched}
        self._kinds = kinds
        self._tests = {name: get_stattest(self._known[name], first[name].dropna(), kind, None) for name, kind in kinds.items()}
        self._check(columns, first)

    def say(self, rows: pd.DataFrame) -> Said:
        """Judge consecutive buckets."""
        scores = [self._scores(rows.iloc[start : start + ROWS]) for start in range(0, len(rows), ROWS)]
        value = np.sort(np.array(scores), axis=1)[:, -self._wanted]
        return Said(value, value >= 1)

    def _scores(self, rows: pd.DataFrame) -> list[float]:
        found = []
        for name, test in self._tests.items():
            known = rows[name].dropna()
            score = test(self._known[name], known, self._kinds[name], None).drift_score if len(known) else np.nan
            found.append(float(score / test.default_threshold))
        return found

    def _check(self, columns: Columns, rows: pd.DataFrame) -> None:
        definition = DataDefinition(numerical_columns=[*columns.numbers, "score"], categorical_columns=list(columns.categories))
        report = Report([DataDriftPreset(drift_share=_SHARE)], include_tests=True)
        datasets = [Dataset.from_pandas(one, definition) for one in (rows, self._reference)]
        said = report.run(*datasets).dict()
        failed = {test["name"] for test in said["tests"] if test["status"].value == "FAIL"}
        drifted = {name for name, score in zip(self._tests, self._scores(rows), strict=True) if score >= 1}
        expected = {f"Value Drift for column {name}" for name in drifted}
        if len(drifted) >= _SHARE * len(self._tests):
            expected.add("Share of Drifted Columns: Less 0.500")
        if failed != expected:
            raise RuntimeError(f"Evidently's report fails {sorted(failed)}, its tests {sorted(expected)}")


def _any(columns: Columns, history: pd.DataFrame) -> Drift:
    return Drift(columns, history, 1)


def _half(columns: Columns, history: pd.DataFrame) -> Drift:
    return Drift(columns, history, int(np.ceil(_SHARE * len(columns.watched))))


# Its own suite of tests fails when any column has drifted, or when half of them have: the first is its verdict by default.
INPUTS = {
    "Evidently, any column": Judging(_any, streams=24),
    "Evidently, half the columns": Judging(_half, months=2, streams=8),
}
