"""The goals that count now, as a comparison of two models is asked about them.

To hold or improve a metric is asked of every comparison; what is to be predicted by a model that is yet to be made, of none. A
goal that can't be asked about, whatever its objective has become in the ledger, is handed on with the reason, so that the judge
says so instead of passing over it.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, Final, Literal

import msgspec

from daemon.goals.objective import Aim, Change, Objective, Period, read
from daemon.goals.reached import COMPARES, Baseline, measured_in
from daemon.ledger.canonical import plain
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Goal
from daemon.places import Places
from streams.contracts.errors import ContractError
from streams.contracts.slices import Condition
from streams.runtime.text import cleaned

MOST_GOALS: Final = 50
"""How many goals of a model can be in force: each is measured by every comparison, and makes all of them less sure."""

_EPOCH: Final = dt.date(1970, 1, 1).toordinal()
_DAY_MS: Final = 86_400_000
_MOST_COMPARISONS: Final = 1_000
_LONGEST_REASON: Final = 200
_UNREADABLE: Final = (ContractError, ValueError, TypeError, OverflowError, RecursionError)


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One goal, as `compare_models` takes it: the rows of [since_ms, until_ms) count, or all."""

    id: str
    digest: str
    aim: Literal["hold", "improve"] = "hold"
    metric: str = ""
    floor: float | None = None
    ceiling: float | None = None
    change: Change | None = None
    baseline: Baseline | None = None
    cohort: tuple[Condition, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    over: str = ""
    objection: str = ""

    @property
    def needs_baseline(self) -> bool:
        """Whether it is told from where the champion stood when it was approved."""
        return self.change is not None or (self.aim == "improve" and self.floor is None and self.ceiling is None)


class InForce:
    """One model's approved goals.

    Args:
        ledger: where they are kept, and what was measured of them.
        places: whose, and what the config declares of its columns by now.
    """

    def __init__(self, ledger: Ledger, places: Places) -> None:
        self._ledger = ledger
        self._places = places

    def during(self, since_ms: int, until_ms: int) -> tuple[Asked, ...]:
        """Return the goals of which some days lie in [since_ms, until_ms), oldest first, without their baselines."""
        sound, altered = self._ledger.goals_in_force(self._places.model)
        asked = [one for goal in sound if (one := self._asked(goal)) is not None]
        asked += [_refused(goal, "its objective isn't what was approved") for goal in altered]
        there = (one for one in asked if _overlaps(one, since_ms, until_ms))
        return tuple(sorted(there, key=lambda one: one.id))[:MOST_GOALS]

    def compared(self, since_ms: int, until_ms: int) -> tuple[Asked, ...]:
        """Return the same with their baselines, as far as they are known: what a comparison of rows of that time is asked."""
        return self.with_baselines(self.during(since_ms, until_ms))

    def with_baselines(self, asked: tuple[Asked, ...]) -> tuple[Asked, ...]:
        """Add where the champion stood: what was measured first after the approval, of it alone or in a comparison."""
        approved = {str(goal.id): goal.approved_ms for goal in self._ledger.goals_in_force(self._places.model)[0]}
        return tuple(
            msgspec.structs.replace(one, baseline=self._baseline(one.id, approved.get(one.id))) if one.needs_baseline else one
            for one in asked
        )

    def _baseline(self, goal: str, approved_ms: int | None) -> Baseline | None:
        return None if approved_ms is None else baseline_of(self._ledger, self._places.model, goal, approved_ms)

    def _asked(self, goal: Goal) -> Asked | None:
        """Return what is to be measured, None of a goal that no comparison is asked about."""
        try:
            objective = read(goal.objective)
            if objective.aim == "predict":
                return None
            self._check(objective)
            return _of(goal, objective, objective.aim)
        except _UNREADABLE as error:
            reason = str(error) if isinstance(error, ContractError) else f"its objective can't be read: {type(error).__name__}"
            return _refused(goal, reason)

    def _check(self, objective: Objective) -> None:
        """Look once more at what was checked when it was approved: the ledger or the config may have changed since.

        Raises:
            ContractError: it can't be measured.
        """
        by = None if objective.change is None else objective.change.by
        ends = [objective.floor, objective.ceiling, by, *(end for one in objective.cohort for end in (one.low, one.high))]
        if not all(end is None or math.isfinite(end) for end in ends) or (by is not None and by <= 0):
            raise ContractError("its numbers have no meaning")
        if objective.model != self._places.model:
            raise ContractError("its objective is for another model")
        if self._places.schema is not None:
            self._places.schema.check_granted((one.column for one in objective.cohort), "its cohort")


def argument_of(asked: tuple[Asked, ...]) -> dict[str, Any]:
    """Return the argument of a comparison; none without goals, so that it is the same question as ever."""
    return {"goals": [plain(one) for one in asked]} if asked else {}


def baseline_of(ledger: Ledger, model: str, goal: str, approved_ms: int) -> Baseline | None:
    """Return where the champion stood when a goal was approved, as what was measured first since then; None before that."""
    for step in ledger.finished(model, COMPARES, since_ms=approved_ms, limit=_MOST_COMPARISONS):
        for one in measured_in(step):
            if one.goal == goal and one.baseline_now is not None:
                return one.baseline_now
    return None


def _of(goal: Goal, objective: Objective, aim: Aim) -> Asked:
    period = objective.horizon if isinstance(objective.horizon, Period) else None
    return Asked(
        id=goal.id,
        digest=goal.digest,
        aim="improve" if aim == "improve" else "hold",
        metric=objective.metric or "",
        floor=objective.floor,
        ceiling=objective.ceiling,
        change=objective.change,
        cohort=objective.cohort,
        since_ms=None if period is None else (period.first.toordinal() - _EPOCH) * _DAY_MS,
        until_ms=None if period is None else (period.last.toordinal() + 1 - _EPOCH) * _DAY_MS,
        over=objective.over or "",
    )


def _refused(goal: Goal, reason: str) -> Asked:
    return Asked(id=goal.id, digest=goal.digest, objection=cleaned(reason, _LONGEST_REASON))


def _overlaps(one: Asked, since_ms: int, until_ms: int) -> bool:
    begins = one.since_ms is None or one.since_ms < until_ms
    return begins and (one.until_ms is None or one.until_ms > since_ms)
