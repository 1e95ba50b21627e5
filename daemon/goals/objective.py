"""A goal as data: what a sentence is compiled into, what a person approves, and how it is written.

The written form is plain values, so that the YAML a person reads, the JSON in the ledger and the digest that is approved are one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import yaml

from daemon.goals.metrics import Better
from daemon.ledger.ids import digest_of
from streams.contracts.errors import ContractError
from streams.contracts.slices import Condition
from streams.runtime.text import cleaned

Aim = Literal["hold", "improve", "predict"]
Currency = Literal["EUR", "USD", "GBP", "CHF"]
Every = Literal["retraining", "day", "week", "month", "quarter", "year"]

MOST_CONDITIONS = 20
MOST_VALUES = 100
LONGEST_VALUE = 200
_LONGEST_ERROR = 300
Name = Annotated[str, msgspec.Meta(max_length=LONGEST_VALUE)]
_UNITS = "hour|day|week|month|quarter|year"
Span = Annotated[str, msgspec.Meta(pattern=rf"^(1 ({_UNITS})|([2-9]|[1-9][0-9]{{1,3}}) ({_UNITS})s)$")]
"""A length of time as people count it: `30 days`, `1 week`. A month stays a month, since it isn't a number of days."""


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days of the calendar, both ends included."""

    first: dt.date
    last: dt.date


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far from where the champion stands when the goal is approved: to improve at least, or to lose at most.

    `by` is in the metric's own unit where it is `of` points (one point of a share is 0.01), else a share of the champion's value.
    """

    by: float
    of: Literal["points", "relative"]


class Cost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What reaching the goal may cost at most; in all, or in each of what `per` says."""

    money: float | None = None
    currency: Currency | None = None
    training_minutes: float | None = None
    gpu_minutes: float | None = None
    per: Every | None = None


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted of a model.

    To `hold` a metric at `floor` or above, at `ceiling` or below, or within `change` of where it stands; to `improve` it, by
    `change` where that is said; or to `predict` the column `target`, with what the metric must reach. Bounds are met at the
    number itself. `cohort` are the conditions of the requests that count, all requests when there are none. `horizon` says for
    which days the goal is, and of a prediction also how far ahead; `over` what stretch of time a value of the metric is counted
    over.
    """

    model: Name
    aim: Aim
    target: Name | None = None
    metric: Name | None = None
    direction: Better | None = None
    floor: float | None = None
    ceiling: float | None = None
    change: Change | None = None
    cohort: tuple[Condition, ...] = ()
    over: Span | None = None
    horizon: Period | Span | None = None
    cost: Cost | None = None

    @property
    def digest(self) -> str:
        """The objective's address, in hex; it is approved by this and nothing else."""
        return digest_of(written(self))


def written(objective: Objective) -> dict[str, Any]:
    """Return an objective as plain values: only what is said, conditions as a config writes those of slices."""
    plain: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(objective).items() if value is not None and name != "cohort"
    }
    cohort = {one.column: _condition(one) for one in sorted(objective.cohort, key=lambda one: one.column)}
    if cohort:
        plain["cohort"] = cohort
    order = [*Objective.__struct_fields__]
    return {name: _short(plain[name]) for name in sorted(plain, key=order.index)}


def read(values: object) -> Objective:
    """Read what `written` returns, or what a person wrote.

    Raises:
        ContractError: it isn't an objective; the message says where.
    """
    if not isinstance(values, Mapping):
        raise ContractError("a goal is a mapping of settings: aim, metric, floor and so on")
    plain = {str(name): _timeless(value) for name, value in values.items()}
    cohort = plain.pop("cohort", None) or {}
    if not isinstance(cohort, Mapping):
        raise ContractError("cohort: say columns and what they must be, {country: [FR, DE], age: {from: 18, below: 30}}")
    if len(cohort) > MOST_CONDITIONS:
        raise ContractError(f"cohort: at most {MOST_CONDITIONS} conditions, not {len(cohort)}")
    try:
        objective = msgspec.convert(plain, Objective)
        conditions = tuple(_read_condition(str(column), cohort[column]) for column in sorted(cohort, key=str))
    except msgspec.ValidationError as error:
        raise ContractError(f"goal: {cleaned(str(error), _LONGEST_ERROR)}") from None
    return msgspec.structs.replace(objective, cohort=conditions)


def yaml_text(objective: Objective) -> str:
    """Write an objective as YAML."""
    return yaml.safe_dump(written(objective), sort_keys=False, allow_unicode=True, width=120)


class _Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    low: float | None = msgspec.field(default=None, name="from")
    below: float | None = None


def _read_condition(column: str, wanted: object) -> Condition:
    if isinstance(wanted, Mapping):
        of_range = msgspec.convert(wanted, _Range)
        return Condition(column=column, low=of_range.low, high=of_range.below)
    if isinstance(wanted, list | tuple) and len(wanted) > MOST_VALUES:
        raise ContractError(f"{cleaned(column, LONGEST_VALUE)}: at most {MOST_VALUES} values, not {len(wanted)}")
    values = msgspec.convert(wanted, tuple[str, ...])
    return Condition(column=column, values=tuple(sorted(set(values))))


def _condition(condition: Condition) -> list[str] | dict[str, float]:
    if condition.values:
        return sorted(set(condition.values))
    ends = {"from": condition.low, "below": condition.high}
    return {name: _short(value) for name, value in ends.items() if value is not None}


def _short(value: Any) -> Any:
    """Write whole numbers without a point, however deep they lie."""
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items() if item is not None}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _timeless(value: object) -> object:
    """Turn days that YAML has read as such back into text; they lie no deeper than `horizon`, and nothing deeper is looked at."""
    if isinstance(value, Mapping):
        return {str(name): _without_day(item) for name, item in value.items()}
    return _without_day(value)


def _without_day(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else value
