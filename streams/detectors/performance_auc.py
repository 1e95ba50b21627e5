"""The champion's quality over a trailing window: has it fallen below what was validated when the bundle was made?"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from scipy import stats

from streams.contracts.bundle import Interval
from streams.contracts.summaries import LossSummary
from streams.detectors._measures import Measured, auc, rmse
from streams.detectors.base import BucketView, Finding, Setup

KINDS = ("performance",)
LEVELLED = True

# Half the width of a 95 % interval of a normal variable, in standard errors.
_HALF_WIDTH = 1.959964
_LEAST_ERROR = 1e-12


class _Fall(NamedTuple):
    """How far quality fell short of what was validated, and the least fall that matters; both in the metric's unit."""

    size: float
    floor: float


class PerformanceAuc:
    """Area under the ROC curve for `binary`, root mean squared error for `regression`, over `window_ms` of known outcomes.

    A fall is significant when the one-sided interval of the difference to the validated value, at the setup's level, lies wholly
    beyond the floor. The validated value's own interval counts too: it was measured on finite data. Normal approximation;
    Hanley and McNeil (1982) for the area. Neighbouring windows share outcomes, so their verdicts come in runs.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._metric = "auc" if setup.task == "binary" else "rmse"
        self._floor = setup.floors.auc if setup.task == "binary" else setup.floors.rmse_share
        self._held: deque[LossSummary] = deque()

    def look(self, view: BucketView) -> list[Finding]:
        """Add the bucket's outcomes and test the window; nothing to say when no outcome came or the window holds too few."""
        while self._held and self._held[0].bucket_start_ms < view.end_ms - self._setup.window_ms:
            self._held.popleft()
        if view.losses is None:
            return []
        self._held.append(view.losses)
        validated = view.manifest.metrics.get(self._metric)
        now = self._measured()
        if validated is None or now is None or now.rows < self._setup.min_rows:
            return []
        return [self._finding(validated, now)]

    def close(self) -> None:
        """Forget the window."""
        self._held.clear()

    def _measured(self) -> Measured | None:
        if self._metric == "rmse":
            return rmse(self._held)
        positives = np.sum([summary.positives for summary in self._held], axis=0)
        negatives = np.sum([summary.negatives for summary in self._held], axis=0)
        return auc(positives, negatives)

    def _finding(self, validated: Interval, now: Measured) -> Finding:
        fall = self._fall(validated.value, now.value)
        error = math.hypot(now.error, (validated.high - validated.low) / (2 * _HALF_WIDTH))
        # An error of 0 (every loss alike) leaves nothing to chance.
        p_value = float(stats.norm.sf((fall.size - fall.floor) / max(error, _LEAST_ERROR)))
        return Finding(
            kind=KINDS[0],
            watched=self._metric,
            method="Hanley-McNeil interval" if self._metric == "auc" else "normal interval",
            p_value=p_value,
            effect=fall.size,
            floor=fall.floor,
            effect_unit="AUC" if self._metric == "auc" else "RMSE",
            before={"validated": validated.value, "low": validated.low, "high": validated.high},
            after={"value": now.value, "standard_error": now.error, "rows": float(now.rows)},
            level=self._setup.level,
        )

    def _fall(self, validated: float, now: float) -> _Fall:
        if self._metric == "auc":
            return _Fall(validated - now, self._floor)
        return _Fall(now - validated, self._floor * validated)


def open_detector(setup: Setup) -> PerformanceAuc:
    """Open it."""
    return PerformanceAuc(setup)
