"""Retrain whenever the loss has risen: what a team gets that wires a change detector on labels to its training, with a gate."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from river.drift import ADWIN

from tests.bench.closed_loop.policies.base import Moment, Retrain, World
from tests.bench.closed_loop.policies.trailing import trailing

# The loss of a row is capped here, so that divided by its cap it lies in [0, 1], as ADWIN's bound assumes.
SMALLEST = 1e-3


class LossAlarm:
    """Feeds ADWIN the loss of every matured row that this policy's slot had scored; only a rise is an alarm.

    At an alarm it asks for a retrain, and once more when the gate's span has gone by: the first one can't be trained on the
    rows that raised the alarm, because the gate compares on them. Loss: log loss with probabilities at least 0.001 away from
    0 and 1, or the absolute error as a share of the range of the champion's training labels. ADWIN has River's defaults.
    Source: Bifet, A. and Gavaldà, R. (2007), "Learning from time-changing data with adaptive windowing", SIAM International
    Conference on Data Mining, 443-448.

    Args:
        world: what it plays in.

    Raises:
        ValueError: a regression's training labels have no range to measure errors by.
    """

    name = "loss_alarm"
    who = "retrains when ADWIN sees the loss of labelled rows rise, and again a gate's span later; both through a gate"

    def __init__(self, world: World) -> None:
        self._world = world
        self._adwin = ADWIN()
        self._again_ms: int | None = None
        self._scale = _range(world.champion_rows) if world.schema.task == "regression" else 0.0

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask at an alarm, and once more later."""
        if self._rose(moment.matured):
            self._again_ms = moment.time_ms + self._world.gate_ms
            return self._ask(moment.time_ms, "the loss has risen")
        if self._again_ms is not None and moment.time_ms >= self._again_ms:
            self._again_ms = None
            return self._ask(moment.time_ms, "the loss had risen; the rows that showed it can be trained on now")
        return None

    def _ask(self, now_ms: int, why: str) -> Retrain | None:
        return trailing(self._world, now_ms, why, held_out_ms=self._world.gate_ms, gate=True)

    def _rose(self, matured: pd.DataFrame) -> bool:
        rows = matured.sort_values(["known_ms", "id"], kind="stable")
        label, score = (rows[name].to_numpy(np.float64) for name in ("label", "score"))
        known = np.isfinite(label) & np.isfinite(score)
        rose = False
        for loss in self._losses(label[known], score[known]):
            before = self._adwin.estimation
            self._adwin.update(loss)
            rose |= self._adwin.drift_detected and self._adwin.estimation > before
        return rose

    def _losses(self, label: npt.NDArray[np.float64], score: npt.NDArray[np.float64]) -> list[float]:
        if self._scale:
            shares = np.abs(score - label) / self._scale
        else:
            chance = np.where(label == 1, score, 1 - score)
            shares = np.log(np.clip(chance, SMALLEST, 1 - SMALLEST)) / math.log(SMALLEST)
        losses: list[float] = np.minimum(shares, 1.0).tolist()
        return losses


def _range(rows: pd.DataFrame) -> float:
    spread = float(rows["label"].max() - rows["label"].min())
    if not spread > 0:
        raise ValueError("loss_alarm: the champion's training labels have no range, so there is no unit for errors")
    return spread
