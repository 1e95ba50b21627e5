"""NannyML: its calculators with a bucket as a chunk, beside thresholds of three deviations over the history's chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nannyml
import numpy as np
import pandas as pd

from tests.bench.monitors.rivals.others.base import Columns, Judging, Said
from tests.bench.monitors.rivals.scoring import ROWS


class Chunks:
    """How many deviations a calculator's values lie from their mean over the history: the greatest of all that it follows.

    Args:
        calculator: fitted on the history.
        side: 1 where only a rise alarms, -1 where only a fall, 0 for both.
        prepare: what is done to rows before.
    """

    def __init__(self, calculator: Any, side: int, prepare: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        self._calculator, self._side, self._prepare = calculator, side, prepare
        before = _level(calculator.result.filter(period="reference").to_df(), "value")
        self._mean, self._deviation = np.nanmean(before, axis=0), np.maximum(np.nanstd(before, axis=0), 1e-12)

    def say(self, rows: pd.DataFrame) -> Said:
        """Judge consecutive buckets."""
        table = self._calculator.calculate(self._prepare(rows)).filter(period="analysis").to_df()
        off = (_level(table, "value") - self._mean) / self._deviation
        value = np.nanmax(np.abs(off) if self._side == 0 else self._side * off, axis=1, initial=-np.inf)
        return Said(value, _level(table, "alert").astype(bool).any(axis=1))


def _level(table: pd.DataFrame, name: str) -> Any:
    chosen = [column for column in table.columns if column[-1] == name and column[0] != "chunk"]
    return table[chosen].to_numpy(dtype=np.float64)


def _features(columns: Columns) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows[columns.watched].reset_index(drop=True)


def _univariate(columns: Columns, history: pd.DataFrame) -> Chunks:
    prepare = _features(columns)
    calculator = nannyml.UnivariateDriftCalculator(column_names=columns.watched, chunk_size=ROWS)
    return Chunks(calculator.fit(prepare(history)), 1, prepare)


def _reconstruction(columns: Columns, history: pd.DataFrame) -> Chunks:
    prepare = _features(columns)
    calculator = nannyml.DataReconstructionDriftCalculator(column_names=columns.watched, chunk_size=ROWS)
    return Chunks(calculator.fit(prepare(history)), 0, prepare)


def _missing(columns: Columns, history: pd.DataFrame) -> Chunks:
    prepare = _features(columns)
    calculator = nannyml.MissingValuesCalculator(column_names=columns.watched, chunk_size=ROWS)
    return Chunks(calculator.fit(prepare(history)), 1, prepare)


def _performance(metric: str) -> Callable[[Columns, pd.DataFrame], Chunks]:
    def opened(_: Columns, history: pd.DataFrame) -> Chunks:
        calculator = nannyml.PerformanceCalculator(
            metrics=[metric],
            y_true="label",
            y_pred="answer",
            y_pred_proba="score",
            problem_type="classification_binary",
            chunk_size=ROWS,
        )
        return Chunks(calculator.fit(_answers(history)), -1, _answers)

    return opened


def _answers(rows: pd.DataFrame) -> pd.DataFrame:
    answers = (rows["score"] >= 0.5).astype(int)
    return pd.DataFrame({"label": rows["label"].astype(int), "score": rows["score"], "answer": answers}).reset_index(drop=True)


INPUTS = {
    "NannyML, univariate": Judging(_univariate),
    "NannyML, reconstruction": Judging(_reconstruction, months=5, streams=24),
}
MISSING = {"NannyML, missing values": Judging(_missing, months=5)}
OUTCOMES = {
    "NannyML, accuracy": Judging(_performance("accuracy")),
    "NannyML, ROC AUC": Judging(_performance("roc_auc")),
}
