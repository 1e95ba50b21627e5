"""What people ask of a model's metrics, measured of champion and challenger on the same rows.

Intervals are those of all goals together: of k goals each has one of 1 - 0.05 / k (Bonferroni), so that what they say holds of
all of them with 95 %. What can't be measured comes back with the reason, and is never taken for met.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit import measures
from skills._kit.frames import Booleans, Floats, Integers, floats, integers, pylist, row_blocks
from skills._kit.measures import Measured
from skills._kit.metrics import DRAWS, block_draws
from streams.contracts.bundle import Interval
from streams.contracts.errors import ContractError
from streams.contracts.schema import ModelSchema
from streams.contracts.slices import Condition, Slice
from streams.runtime.text import cleaned
from streams.statistics.slices import rows_of

ALPHA = 0.05
LEAST_ROWS = 100
"""Rows of a cohort below which nothing is measured: its intervals would say nothing, or too much."""

LEAST_CASES = 10
"""The same of the rows that a metric is counted among, such as those called positive for a precision."""

DRAWS_A_GOAL = 400
"""So that ten draws lie beyond each end of an interval, however many goals there are."""

MOST_DRAWS = 20_000
_LONGEST_REASON = 200


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far from the baseline: `points` of the metric's own unit, or a share of the baseline where it is `relative`."""

    by: float
    of: Literal["points", "relative"]


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the champion stood when a goal was approved.

    Measured of the bundle `champion` on `rows` rows by itself, or where that couldn't be done in time by the first comparison
    after the approval. `time_ms` is when (event time), None where it is this comparison's.
    """

    value: float
    low: float
    high: float
    rows: int
    champion: str
    measured: Literal["by_itself", "in_a_comparison"]
    time_ms: int | None = None


class Goal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One approved goal: to `hold` a metric within bounds, or within a change of the baseline, or to `improve` it from there.

    It is about the rows of [since_ms, until_ms) for which all conditions of the cohort hold. `over` is the stretch that a value
    was asked to be counted over; it is counted over the rows at hand. `objection` says why it can't be measured, if that is
    known.
    """

    id: str
    digest: str = ""
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


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one goal.

    `champion` and `challenger` have intervals at `level`, and so has `difference`, challenger less champion, higher is better.
    `cases` are the rows that the metric is counted among, of the model that has fewer. Who wasn't measured is null, for the
    `reason`. `floor` and `ceiling` are what it is held against, by the baseline where the goal is told from it.
    """

    goal: str
    digest: str
    metric: str
    rows: int = 0
    cases: int = 0
    level: float = 1 - ALPHA
    champion: Interval | None = None
    challenger: Interval | None = None
    difference: Interval | None = None
    floor: float | None = None
    ceiling: float | None = None
    baseline: Baseline | None = None
    over: str = ""
    reason: str = ""


class Side(NamedTuple):
    """One model: its digest, its threshold, and its scores [rows]."""

    digest: str
    threshold: float
    scores: Floats


class Rows(NamedTuple):
    """Rows in order of time, `label` and `time_ms` among their columns, with the scores of both models."""

    schema: ModelSchema
    table: pa.Table
    champion: Side
    challenger: Side


class _Look(NamedTuple):
    """One goal's rows, and the metric of both models on them, or why it isn't measured."""

    rows: int
    champion: Measured | None
    challenger: Measured | None
    reason: str


def reached(goals: tuple[Goal, ...], rows: Rows, seed: int) -> list[Reached]:
    """Measure every goal, in the given order."""
    looks = [_look(goal, rows) for goal in goals]
    number = max(1, sum(look.champion is not None or look.challenger is not None for look in looks))
    level, draws = 1 - ALPHA / number, min(MOST_DRAWS, max(DRAWS, DRAWS_A_GOAL * number))
    # Every goal has as many blocks, of its own rows, so one draw does for all.
    taken = block_draws(LEAST_ROWS, seed, draws)[1] if goals else np.zeros((0, 0), dtype=np.int64)
    return [_reached(goal, look, rows, level, taken) for goal, look in zip(goals, looks, strict=True)]


def _look(goal: Goal, rows: Rows) -> _Look:
    try:
        inside = _inside(goal, rows)
    except ContractError as error:
        return _Look(0, None, None, cleaned(str(error).removeprefix("slice 'cohort': "), _LONGEST_REASON))
    number = int(inside.sum())
    if number < LEAST_ROWS:
        reason = f"{number} rows are of its cohort and its days; at least {LEAST_ROWS} are needed"
        return _Look(number, None, None, reason)
    labels = floats(rows.table, "label")[inside]
    champion, of_champion = _measured(goal.metric, labels, rows.champion, inside)
    challenger, of_challenger = _measured(goal.metric, labels, rows.challenger, inside)
    if of_champion == of_challenger:
        return _Look(number, champion, challenger, of_champion)
    reasons = (("champion", of_champion), ("challenger", of_challenger))
    return _Look(number, champion, challenger, "; ".join(f"{name}: {reason}" for name, reason in reasons if reason))


def _inside(goal: Goal, rows: Rows) -> Booleans:
    """Return the rows that a goal is about and whose label is known [rows].

    Raises:
        ContractError: it can't be told, or nothing measures its metric.
    """
    _check(goal, rows)
    inside: Booleans = np.isfinite(floats(rows.table, "label"))
    if goal.cohort:
        kinds = {column.name: column.kind for column in rows.schema.columns}
        cohort = Slice(name="cohort", conditions=goal.cohort)
        inside &= rows_of(cohort, lambda name: pylist(rows.table, name, kinds[name]))
    time_ms = integers(rows.table, "time_ms")
    inside &= time_ms >= (goal.since_ms if goal.since_ms is not None else -math.inf)
    inside &= time_ms < (goal.until_ms if goal.until_ms is not None else math.inf)
    return inside


def _check(goal: Goal, rows: Rows) -> None:
    task = measures.TASKS.get(goal.metric)
    if goal.objection:
        raise ContractError(goal.objection)
    if goal.aim == "hold" and goal.change is None and goal.floor is None and goal.ceiling is None:
        raise ContractError("it has no bound")
    if goal.metric.startswith("latency_"):
        raise ContractError("the latency of answers isn't measured by comparing models on rows")
    if task is None:
        raise ContractError("nothing measures this metric")
    if task != rows.schema.task:
        raise ContractError(f"{goal.metric} is no metric of a {rows.schema.task} model")
    if goal.cohort:
        Slice(name="cohort", conditions=goal.cohort).check(rows.schema)
    for condition in goal.cohort:
        if condition.column not in rows.table.column_names:
            raise ContractError(f"the rows have no column {condition.column!r}")


def _measured(metric: str, labels: Floats, side: Side, inside: Booleans) -> tuple[Measured | None, str]:
    """Return the metric of one model, or why the rows don't tell it."""
    scores = side.scores[inside]
    unscored = int((~np.isfinite(scores)).sum())
    if unscored:
        # Left out they would count for who gave them: hard rows may be answered so.
        return None, f"{unscored} rows have a score that is no number"
    found = measures.measure(metric, labels, scores, side.threshold)
    if found.cases < LEAST_CASES:
        return None, f"{metric} is counted among {found.cases} of the rows; at least {LEAST_CASES} are needed"
    return (found, "") if math.isfinite(found.value) else (None, f"{metric} isn't defined on these rows")


def _reached(goal: Goal, look: _Look, rows: Rows, level: float, taken: Integers) -> Reached:
    block = row_blocks(look.rows, taken.shape[1])
    champion, challenger, difference = measures.compared(goal.metric, look.champion, look.challenger, block, taken, level=level)
    baseline = goal.baseline
    if baseline is None and _is_told_from_baseline(goal) and champion is not None:
        baseline = Baseline(
            value=champion.value, low=champion.low, high=champion.high, rows=look.rows, champion=rows.champion.digest,
            measured="in_a_comparison",
        )  # fmt: skip
    floor, ceiling = _bounds(goal, baseline)
    cases = [one.cases for one in (look.champion, look.challenger) if one is not None]
    reason = look.reason or ("" if champion is not None or challenger is not None else "too few draws gave a number")
    return Reached(
        goal=goal.id, digest=goal.digest, metric=goal.metric, rows=look.rows, cases=min(cases, default=0), level=level,
        champion=champion, challenger=challenger, difference=difference, floor=floor, ceiling=ceiling, baseline=baseline,
        over=goal.over, reason=reason,
    )  # fmt: skip


def _is_told_from_baseline(goal: Goal) -> bool:
    return goal.change is not None or (goal.floor is None and goal.ceiling is None)


def _bounds(goal: Goal, baseline: Baseline | None) -> tuple[float | None, float | None]:
    """Return floor and ceiling, of a goal that is told from the baseline as far as that is known."""
    if not _is_told_from_baseline(goal):
        return goal.floor, goal.ceiling
    if baseline is None:
        return None, None
    is_higher = measures.better(goal.metric) == "higher"
    way = 1.0 if is_higher else -1.0
    if goal.change is None:
        # To improve is to be beyond the baseline, and not at it.
        bound = math.nextafter(baseline.value, way * math.inf)
    else:
        by = goal.change.by * (abs(baseline.value) if goal.change.of == "relative" else 1.0)
        bound = baseline.value + way * (by if goal.aim == "improve" else -by)
    return (bound, None) if is_higher else (None, bound)
