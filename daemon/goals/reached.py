"""What comparisons have measured of goals, read from their answers in the ledger."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import msgspec

from daemon.gates.base import GoalReached
from daemon.ledger.records import Step
from streams.contracts.bundle import Interval

COMPARES: Final = "compare_models"
"""The skill that measures."""

_ALONE: Final = "goals/"

Where = Literal["by_itself", "sealed", "shadow", "probation"]


class Baseline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the champion stood when a goal was approved, or as soon after as that could be measured.

    Of the bundle `champion` on `rows` rows, by itself or in a comparison, which ended at `time_ms` (event time).
    """

    value: float
    low: float
    high: float
    rows: int
    champion: str
    measured: Literal["by_itself", "in_a_comparison"]
    time_ms: int | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One goal in one comparison: where and when that was (event time), of which bundles, and what was reached.

    Measured by itself, the champion is both. After a promotion the challenger is the new champion, and the champion the
    previous one.
    """

    goal: str
    time_ms: int
    where: Where
    subject: str
    champion: str
    challenger: str
    reached: GoalReached

    @property
    def baseline_now(self) -> Baseline | None:
        """What the champion's value is as a baseline; None where it wasn't measured."""
        value = self.reached.champion
        if value is None:
            return None
        return Baseline(
            value=value.value, low=value.low, high=value.high, rows=self.reached.rows, champion=self.champion,
            measured="by_itself" if self.where == "by_itself" else "in_a_comparison", time_ms=self.time_ms,
        )  # fmt: skip

    def of(self, digest: str) -> Interval | None:
        """Return the value of a bundle, None where it isn't one of the two, or wasn't measured."""
        if digest == self.challenger and self.reached.challenger is not None:
            return self.reached.challenger
        return self.reached.champion if digest == self.champion else None


def subject_of(model: str) -> str:
    """Name whose steps measure a model's champion by itself."""
    return f"{_ALONE}{model}"


def measured_in(step: Step) -> list[Measured]:
    """Read what a finished comparison measured of goals; what can't be read isn't there."""
    arguments, goals = step.payload.get("arguments"), step.result.get("goals")
    if not isinstance(arguments, dict) or not isinstance(goals, list):
        return []
    champion, challenger = (str(arguments.get(name, "")) for name in ("champion", "challenger"))
    return [
        Measured(
            goal=one.goal, time_ms=step.ended_ms or 0, where=_where(step), subject=step.subject, champion=champion,
            challenger=challenger, reached=one,
        )
        for one in map(_reached, goals)
        if one is not None
    ]  # fmt: skip


def _reached(told: Any) -> GoalReached | None:
    try:
        found = msgspec.convert(told, GoalReached, strict=False)
    except (msgspec.ValidationError, RecursionError):
        return None
    ends = [end for one in (found.champion, found.challenger) if one is not None for end in (one.value, one.low, one.high)]
    return found if all(map(math.isfinite, ends)) else None


def _where(step: Step) -> Where:
    if step.subject.startswith(_ALONE):
        return "by_itself"
    if step.key.startswith("compare_shadowing"):
        return "shadow"
    return "probation" if step.key.startswith("compare_probation") else "sealed"
