"""An objective in plain words: a paragraph for who approves it, and the one sentence that the grammar compiles back to it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from daemon.goals.metrics import METRICS, Metric
from daemon.goals.objective import Cost, Objective, Period
from streams.contracts.slices import Condition


def tell(objective: Objective) -> str:
    """Say what was understood, in one paragraph. Values come from whoever asked: clean them before a terminal shows them."""
    said = [f"For the model {objective.model}: {_wanted(objective)}."]
    if objective.cohort:
        said.append(f"Only requests count where {_all(map(_condition, objective.cohort))}.")
    else:
        said.append("All requests count.")
    said += [*_times(objective), *_costs(objective.cost)]
    return " ".join(said)


def phrase(objective: Objective) -> str:
    """Write an objective as the sentence that is compiled to it again."""
    parts = [_asked(objective)]
    if objective.cohort:
        parts.append("where " + " and ".join(map(_condition, objective.cohort)))
    if objective.over is not None:
        parts.append(f"over any {objective.over}")
    if isinstance(objective.horizon, Period):
        parts.append(f"from {objective.horizon.first} to {objective.horizon.last}")
    elif objective.horizon is not None:
        parts.append(f"within {objective.horizon}")
    per = f" per {objective.cost.per}" if objective.cost is not None and objective.cost.per else ""
    per = per or (" in all" if objective.over is not None else "")  # which could be how often it is spent
    return ", ".join([" ".join(parts), *(f"{cap}{per}" for cap in _caps(objective.cost))])


def number_text(value: float) -> str:
    """Write a number without an exponent, however small or large, and so that no point can be taken for one between thousands."""
    text = format(Decimal(repr(float(value))), "f")
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{short}0" if len(short.partition(".")[2]) == 3 else short


def _asked(objective: Objective) -> str:
    metric = METRICS.get(objective.metric or "")
    bound = "" if metric is None else f"{metric.said[0]}{_bound(objective, metric)}"
    if objective.aim == "predict":
        return f"predict {objective.target}" + (f" with {bound}" if bound else "")
    verb = "keep" if objective.aim == "hold" else "improve"
    return f"{verb} {bound}{_moved(objective, metric)}"


def _wanted(objective: Objective) -> str:
    metric = METRICS.get(objective.metric or "")
    name = "" if metric is None else metric.said[0]
    bound = "" if metric is None else f"{name} is to be{_bound(objective, metric)}{_as_shares(objective, metric)}"
    if objective.aim == "predict":
        return f"a model is to predict {objective.target}" + (f", and its {bound}" if bound else "")
    if objective.change is not None:
        least = "get better by at least" if objective.aim == "improve" else "get worse by at most"
        return f"{name} is to {least}{_by(objective, metric)}, from what it is when this is approved"
    return bound if objective.aim == "hold" else f"{name} is to become better ({objective.direction} is better)"


def _bound(objective: Objective, metric: Metric) -> str:
    floor, ceiling = (None if end is None else _value(end, metric) for end in (objective.floor, objective.ceiling))
    if floor is not None and ceiling is not None:
        return f" between {floor} and {ceiling}"
    return f" at least {floor}" if floor is not None else f" at most {ceiling}" if ceiling is not None else ""


def _value(value: float, metric: Metric) -> str:
    if metric.counted == "ms":
        return f"{number_text(value)} ms"
    return "100 %" if metric.counted == "share" and value == 1 else number_text(value)


def _as_shares(objective: Objective, metric: Metric) -> str:
    """Repeat shares in per cent, for who reads those."""
    ends = [one for one in (objective.floor, objective.ceiling) if one is not None and one < 1]
    return f" ({' and '.join(f'{one * 100:.6g} %' for one in ends)})" if metric.counted == "share" and ends else ""


def _moved(objective: Objective, metric: Metric | None) -> str:
    if objective.change is None:
        return ""
    by = _by(objective, metric)
    return f" by{by}" if objective.aim == "improve" else f" within{by} of today's value"


def _by(objective: Objective, metric: Metric | None) -> str:
    change = objective.change
    if change is None or metric is None:
        return ""
    if change.of == "relative":
        return f" {_hundredfold(change.by)} %" + (" relative" if metric.counted == "share" else "")
    if metric.counted == "share":
        return f" {_hundredfold(change.by)} points"
    return f" {_value(change.by, metric)}"


def _hundredfold(value: float) -> str:
    return number_text(float(Decimal(repr(float(value))) * 100))


def _condition(condition: Condition) -> str:
    if condition.values:
        return f"{condition.column} is " + " or ".join(f'"{value}"' for value in condition.values)
    low = None if condition.low is None else number_text(condition.low)
    high = None if condition.high is None else number_text(condition.high)
    if low is not None and high is not None:
        return f"{condition.column} is from {low} and below {high}"
    return f"{condition.column} is at least {low}" if low is not None else f"{condition.column} is below {high}"


def _times(objective: Objective) -> Iterator[str]:
    if objective.over is not None:
        yield f"A value is counted over {objective.over} at a time."
    if isinstance(objective.horizon, Period):
        yield f"It is for the days from {objective.horizon.first} to {objective.horizon.last}, both included."
    elif objective.horizon is not None:
        yield f"Each prediction looks {objective.horizon} ahead."
    else:
        yield "It is for no particular time."


def _costs(cost: Cost | None) -> Iterator[str]:
    if cost is None:
        yield "No limit of its cost was said."
    else:
        per = f" for each {cost.per}" if cost.per else " in all"
        yield f"It may cost{per}: {_all(cap.removeprefix('spend ') for cap in _caps(cost))}."


def _caps(cost: Cost | None) -> Iterator[str]:
    if cost is None:
        return
    if cost.money is not None:
        yield f"spend at most {number_text(cost.money)} {cost.currency}"
    if cost.training_minutes is not None:
        yield f"at most {number_text(cost.training_minutes)} minutes of training"
    if cost.gpu_minutes is not None:
        yield f"at most {number_text(cost.gpu_minutes)} gpu minutes"


def _all(parts: Iterator[str] | map[str]) -> str:
    return " and ".join(parts)
