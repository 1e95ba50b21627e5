"""What a policy costs: what it lets through, and what it takes to run it, swept over the price of the one in the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skills._kit.frames import Floats, Integers
from tests.bench.closed_loop.metrics.scored import DAY_MS

FLAGGED_A_DAY = 100
"""How many rows a day people can look at (the card precision of the fraud handbook takes a hundred)."""

RATIOS: tuple[float, ...] = tuple(np.geomspace(0.1, 10_000, 51).tolist())
"""Prices of one retrain in units of the missed amount."""


class Bill(NamedTuple):
    """What a policy used up: bundles trained, the amount of fraud it missed, alerts that reached people, tokens."""

    retrains: int
    missed_amount: float
    alerts: int
    tokens: int


class Prices(NamedTuple):
    """What an alert and a million tokens cost, in retrains."""

    alert: float = 1.0
    million_tokens: float = 1.0


class CostCurve(NamedTuple):
    """`cost[i]`, in units of the missed amount, when a retrain costs `ratio[i]` of them."""

    ratio: tuple[float, ...]
    cost: tuple[float, ...]


def cost_curve(bill: Bill, ratios: tuple[float, ...] = RATIOS, prices: Prices | None = None) -> CostCurve:
    """Return missed amount + ratio x (retrains + alerts + tokens at their prices), for every ratio."""
    alert, million_tokens = prices or Prices()
    effort = bill.retrains + alert * bill.alerts + million_tokens * bill.tokens / 1e6
    return CostCurve(ratios, tuple(bill.missed_amount + ratio * effort for ratio in ratios))


def missed_amount(time_ms: Integers, label: Floats, score: Floats, amount: Floats, *, a_day: int = FLAGGED_A_DAY) -> float | None:
    """Return the amount of the frauds that aren't among the `a_day` highest scores of their UTC day.

    All columns are [rows], in any order. Rows that share the score at which the places of a day run out share these places
    equally. A row without a score is never looked at. Rows without a truth take places but miss nothing; frauds without an
    amount are left out. None when no row has a truth.
    """
    if not np.isfinite(label).any():
        return None
    missed = np.where((label > 0.5) & np.isfinite(amount), amount, 0.0)
    day = time_ms // DAY_MS
    return float(sum(missed[rows] @ (1 - _looked_at(score[rows], a_day)) for rows in (day == one for one in np.unique(day))))


def _looked_at(score: Floats, places: int) -> npt.NDArray[np.float64]:
    """Return the chance of each row to get one of the places [rows]."""
    given = np.where(np.isfinite(score), score, -np.inf)
    ordered = np.sort(given)
    better = len(given) - np.searchsorted(ordered, given, "right")
    equal = len(given) - np.searchsorted(ordered, given, "left") - better
    return np.where(np.isfinite(score), np.clip((places - better) / equal, 0.0, 1.0), 0.0)
