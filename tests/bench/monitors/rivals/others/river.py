"""River: detectors that are shown every row, of each number for the inputs and of the model's errors; asked once a bucket."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from river import drift

from tests.bench.monitors.rivals.others.base import Columns, Following
from tests.bench.monitors.rivals.scoring import ROWS, Flags
from tests.bench.monitors.rivals.worlds import errors

Make = Callable[[float | None], Any]


class Rows:
    """A detector of each series; an alarm is a drift that any detects in any row of a bucket.

    Args:
        series: gives the series of rows, by name.
        make: makes a detector.
        history: that they begin with.
    """

    def __init__(
        self, series: Callable[[pd.DataFrame], Mapping[str, Iterable[float]]], make: Callable[[], Any], history: pd.DataFrame
    ) -> None:
        self._series = series
        before = series(history)
        self._detectors = {name: make() for name in before}
        for name, values in before.items():
            update = self._detectors[name].update
            for value in values:
                update(value)

    def copy(self) -> Rows:
        """Return one that remembers the same."""
        return copy.deepcopy(self)

    def follow(self, rows: pd.DataFrame) -> Flags:
        """Take in consecutive buckets."""
        up = np.zeros(len(rows) // ROWS, bool)
        for name, values in self._series(rows).items():
            detector = self._detectors[name]
            for row, value in enumerate(values):
                detector.update(value)
                if detector.drift_detected:
                    up[row // ROWS] = True
        return up


def _numbers(make: Make) -> Callable[[Columns, pd.DataFrame, float | None], Rows]:
    """Follow each number in deviations from the history's mean, since thresholds are in its unit; missing ones are the mean."""

    def opened(columns: Columns, history: pd.DataFrame, setting: float | None) -> Rows:
        names = [*columns.numbers, "score"]
        mean, deviation = history[names].mean(), history[names].std()

        def series(rows: pd.DataFrame) -> Mapping[str, Iterable[float]]:
            scaled = ((rows[names] - mean) / deviation).fillna(0.0)
            return {name: scaled[name].tolist() for name in names}

        return Rows(series, lambda: make(setting), history)

    return opened


def _errors(make: Make, last: int | None = None) -> Callable[[Columns, pd.DataFrame, float | None], Rows]:
    """Follow the errors; `last` rows of the history are enough for one that forgets."""

    def opened(_: Columns, history: pd.DataFrame, setting: float | None) -> Rows:
        return Rows(
            lambda rows: {"error": errors(rows)}, lambda: make(setting), history if last is None else history.iloc[-last:]
        )

    return opened


def _made(kind: Any, name: str, **fixed: Any) -> Make:
    return lambda setting: kind(**fixed) if setting is None else kind(**{name: setting}, **fixed)


_adwin = _made(drift.ADWIN, "delta")
_page_hinkley = _made(drift.PageHinkley, "threshold")
_DELTAS = (0.9, 0.5, 0.2, 0.05, 0.01, 2e-3, 2e-4, 2e-5, 2e-7)
_THRESHOLDS = (50.0, 75.0, 110.0, 160.0, 240.0, 350.0, 500.0, 1_000.0)
_CONFIDENCES = (0.5, 0.2, 0.05, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10)


def _ddm(setting: float | None) -> Any:
    return drift.binary.DDM() if setting is None else drift.binary.DDM(drift_threshold=setting, warning_threshold=setting / 2)


def _eddm(setting: float | None) -> Any:
    """Make one. Its `beta` lies below 1, the more sensitive the nearer; here the setting is how far below."""
    return drift.binary.EDDM() if setting is None else drift.binary.EDDM(alpha=1.0, beta=1 - setting)


INPUTS = {
    "River, ADWIN": Following(_numbers(_adwin), _DELTAS, months=4),
    "River, Page-Hinkley": Following(_numbers(_page_hinkley), _THRESHOLDS),
}
OUTCOMES = {
    "River, ADWIN": Following(_errors(_adwin), _DELTAS),
    "River, Page-Hinkley": Following(_errors(_page_hinkley), (5.0, 10.0, 15.0, 22.0, 33.0, *_THRESHOLDS)),
    "River, DDM": Following(_errors(_ddm), (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)),
    "River, EDDM": Following(_errors(_eddm), (0.02, 0.04, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4, 0.5, 0.6, 0.8)),
    "River, HDDM_A": Following(_errors(_made(drift.binary.HDDM_A, "drift_confidence")), _CONFIDENCES, months=5),
    "River, HDDM_W": Following(_errors(_made(drift.binary.HDDM_W, "drift_confidence")), _CONFIDENCES, months=5),
    "River, KSWIN": Following(
        _errors(_made(drift.KSWIN, "alpha", seed=0), last=200), (5e-3, 5e-4, 5e-5, 5e-6), months=1, streams=8
    ),
}
