"""What must hold of an objective before it is shown to anybody, whoever made it: a grammar, a language model, a person."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple

from daemon.goals.metrics import METRICS, Metric
from daemon.goals.objective import LONGEST_VALUE, MOST_CONDITIONS, MOST_VALUES, Objective, Period
from daemon.goals.vocabulary import Vocabulary
from streams.contracts.errors import ContractError
from streams.contracts.slices import Condition, Slice
from streams.runtime.text import cleaned

Code = Literal[
    "too_long", "empty", "control_character", "unknown_words", "negation", "bad_number", "unit", "out_of_range", "two_numbers",
    "no_number", "wrong_way", "no_metric", "two_metrics", "unknown_metric", "ambiguous_metric", "metric_of_other_task", "no_aim",
    "two_aims", "ambiguous_cohort", "cohort_bound", "closed_column", "unknown_value", "no_target", "two_targets",
    "unknown_target",
    "ambiguous_time", "past", "cost_unit", "two_costs", "other_model", "form",
]  # fmt: skip
MOST_FINDINGS = 20
_LONGEST_NAME = 80


class Finding(NamedTuple):
    """One reason why something is no goal: a word for programs, a sentence for people."""

    code: Code
    text: str


def objections(objective: Objective, vocabulary: Vocabulary) -> tuple[Finding, ...]:
    """Return what is wrong with an objective, nothing when it can be shown and approved; the first findings of very many."""
    parts = (_of_model, _of_aim, _of_metric, _of_change, _of_cohort, _of_target, _of_horizon, _of_cost)
    return tuple(islice((finding for part in parts for finding in part(objective, vocabulary)), MOST_FINDINGS))


def _of_model(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    if objective.model != vocabulary.model:
        yield Finding("other_model", f"the goal is for another model than {vocabulary.model}")


def _of_aim(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    is_bounded = objective.floor is not None or objective.ceiling is not None
    if objective.aim == "hold" and is_bounded == (objective.change is not None):
        yield Finding(
            "no_aim", "what is held has a bound (floor, ceiling or both) or a change that it may lose at most, not both"
        )
    if objective.aim == "improve" and is_bounded:
        yield Finding("two_aims", "what is improved has no bound; to reach one is to hold it")
    if objective.aim == "predict" and objective.change is not None:
        yield Finding("two_aims", "a model that is yet to be made has no champion that a change could be told from")
    if objective.aim == "predict" and (objective.metric is not None) != is_bounded:
        yield Finding("no_aim", "of a prediction say both which metric and what it must reach, or neither")
    if objective.aim != "predict" and objective.metric is None:
        yield Finding("no_metric", f"which metric? There are {_names(vocabulary)}")
    if objective.aim == "predict" and objective.over is not None:
        yield Finding("ambiguous_time", "say of a prediction how far ahead it looks, as in `within 30 days`")


def _of_metric(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    if objective.metric is None:
        if (objective.floor, objective.ceiling, objective.direction) != (None, None, None):
            yield Finding("no_metric", "a bound and a direction are those of a metric; say which")
        return
    metric = METRICS.get(objective.metric)
    if metric is None:
        yield Finding("unknown_metric", f"no such metric; there are {_names(vocabulary)}")
    elif metric not in vocabulary.metrics:
        yield of_other_task(metric, vocabulary)
    else:
        if objective.direction != metric.better:
            yield Finding("wrong_way", f"direction: of {metric.said[0]}, {metric.better} is better")
        yield from _of_bounds(objective, metric)


def of_other_task(metric: Metric, vocabulary: Vocabulary) -> Finding:
    """Say that a metric makes no sense for the model."""
    task = vocabulary.schema.task
    return Finding("metric_of_other_task", f"{metric.said[0]} is no metric of a {task} model; there are {_names(vocabulary)}")


def _of_bounds(objective: Objective, metric: Metric) -> Iterator[Finding]:
    floor, ceiling = objective.floor, objective.ceiling
    for bound in (floor, ceiling):
        if bound is not None and not (bound >= 0 and bound < float("inf") and (metric.most is None or bound <= metric.most)):
            most = "" if metric.most is None else f" and at most {metric.most:g}"
            yield Finding("out_of_range", f"{metric.said[0]} is at least 0{most}")
    if floor is not None and ceiling is not None and not floor < ceiling:
        yield Finding("out_of_range", "the floor must be below the ceiling")
    alone = (floor is None) != (ceiling is None)
    if alone and (floor is None) == (metric.better == "higher"):
        wanted, given = ("floor", "ceiling") if metric.better == "higher" else ("ceiling", "floor")
        yield Finding(
            "wrong_way",
            f"{metric.said[0]} is better when it is {metric.better}: a goal has a {wanted} on it, not a {given} alone",
        )
    if floor == 0 or (metric.most is not None and ceiling == metric.most):
        yield Finding("out_of_range", "that always holds, so it is no goal")


def _of_change(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    change = objective.change
    if change is None:
        return
    metric = METRICS.get(objective.metric or "")
    if not 0 < change.by < float("inf"):
        yield Finding("out_of_range", "a change is above 0")
    elif change.of == "relative" and change.by >= 1 and (objective.aim == "hold" or objective.direction == "lower"):
        yield Finding("out_of_range", "a change of 100 % or more leaves nothing")
    elif metric is not None and metric.most is not None and change.of == "points" and change.by >= metric.most:
        yield Finding("out_of_range", f"{metric.said[0]} can't change by so much")


def _of_cohort(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Check conditions, as many as a cohort may have: whoever sends more of them gets no longer answer, and no more work done."""
    columns = [condition.column for condition in objective.cohort[: MOST_CONDITIONS + 1]]
    if len(columns) > MOST_CONDITIONS or len(set(columns)) != len(columns):
        yield Finding("ambiguous_cohort", f"a cohort has one condition a column, and at most {MOST_CONDITIONS}")
    for condition in objective.cohort[:MOST_CONDITIONS]:
        try:
            Slice(name="cohort", conditions=(condition,)).check(vocabulary.schema)
        except ContractError as error:
            is_closed = any(one.is_closed and one.name == condition.column for one in vocabulary.schema.columns)
            said = cleaned(str(error).removeprefix("slice 'cohort': "), _LONGEST_NAME * 2)
            yield Finding("closed_column" if is_closed else "ambiguous_cohort", said)
        yield from _of_values(condition, vocabulary)


def _of_values(condition: Condition, vocabulary: Vocabulary) -> Iterator[Finding]:
    column = cleaned(condition.column, _LONGEST_NAME)
    values = condition.values[:MOST_VALUES]
    if any(end is not None and not abs(end) < float("inf") for end in (condition.low, condition.high)):
        yield Finding("ambiguous_cohort", f"{column}: a range ends at a number")
    if len(condition.values) > MOST_VALUES:
        yield Finding("unknown_value", f"{column}: at most {MOST_VALUES} values; declare fewer, or a column that groups them")
    if not all(map(_is_plain, values)):
        yield Finding("unknown_value", f"{column}: a value has quotes or characters that can't be seen, or is too long")
    elif condition.column in vocabulary.closed and not set(values) <= set(vocabulary.values[condition.column]):
        yield Finding("unknown_value", f"{column}: there are {', '.join(vocabulary.values[condition.column])}")


def _is_plain(value: str) -> bool:
    return len(value) <= LONGEST_VALUE and '"' not in value and not any(unicodedata.category(one) in UNSEEN for one in value)


UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of characters that can't be seen or stand for nothing."""


def _of_target(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    if objective.aim == "predict" and objective.target is None:
        yield Finding("no_target", f"predict what? There are {', '.join(vocabulary.known_targets)}")
    elif objective.aim != "predict" and objective.target is not None:
        yield Finding("two_aims", "only a prediction has a target")
    elif objective.target is not None and objective.target not in set(vocabulary.known_targets.values()):
        yield Finding("unknown_target", f"no such column to predict; there are {', '.join(vocabulary.known_targets)}")
    elif objective.target is not None and objective.target in {condition.column for condition in objective.cohort}:
        yield Finding("ambiguous_cohort", "what is to be predicted isn't known of the requests of a cohort")


def _of_horizon(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    horizon = objective.horizon
    if isinstance(horizon, Period):
        if horizon.last < vocabulary.today:
            yield Finding("past", f"horizon: {horizon.last} is over")
        elif horizon.last < horizon.first:
            yield Finding("ambiguous_time", "horizon: the last day is before the first")
    elif horizon is not None and objective.aim != "predict":
        yield Finding("ambiguous_time", "horizon: say from which day to which, {first: 2027-01-01, last: 2027-03-31}")


def _of_cost(objective: Objective, vocabulary: Vocabulary) -> Iterator[Finding]:
    cost = objective.cost
    if cost is None:
        return
    amounts = [one for one in (cost.money, cost.training_minutes, cost.gpu_minutes) if one is not None]
    if (cost.money is None) != (cost.currency is None):
        yield Finding("cost_unit", "cost: money has a currency")
    if not amounts or any(not 0 < one < float("inf") for one in amounts):
        yield Finding("out_of_range", "cost: say money, training_minutes or gpu_minutes, above 0")


def _names(vocabulary: Vocabulary) -> str:
    return ", ".join(metric.name for metric in vocabulary.metrics)
