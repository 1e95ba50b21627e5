"""What a sentence can speak of: one model's columns, values, cohorts, targets and metrics, and what day it is."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping

import msgspec

from daemon.goals.config import GoalsConfig
from daemon.goals.metrics import Metric, metrics_of
from daemon.goals.words import COUNTED_IN
from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL
from streams.contracts.schema import ModelSchema
from streams.contracts.slices import Slice
from streams.declared import slice_of


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared of one model.

    `others` are the other models of the config; `cohorts` the slices, and what the config calls cohorts, by their names; `values`
    the values of categories as far as they are known; `targets` columns by what people call them. `closed` says of which columns
    all values are declared, so that another one is a mistake.
    """

    model: str
    schema: ModelSchema
    today: dt.date
    others: tuple[str, ...] = ()
    cohorts: tuple[Slice, ...] = ()
    values: Mapping[str, tuple[str, ...]] = {}
    closed: frozenset[str] = frozenset()
    targets: Mapping[str, str] = {}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that make sense for the model."""
        return metrics_of(self.schema.task)

    @property
    def known_targets(self) -> dict[str, str]:
        """Columns that can be predicted, by every name: their own, and what the config says."""
        own = {column.name: column.name for column in self.schema.columns if not column.is_closed}
        return {**own, LABEL: LABEL, **self.targets}

    @property
    def own_units(self) -> frozenset[str]:
        """What people say behind an error of a regression: the unit of its only target, declared or part of its name."""
        columns = set(self.targets.values())
        if self.schema.task != "regression" or len(columns) != 1 or columns == {LABEL}:
            return frozenset()
        column = self.schema.column(columns.pop())
        words = {column.unit.casefold()} if column.unit is not None else set(column.name.casefold().split("_"))
        declared = words if column.unit is not None else set()
        return frozenset(declared.union(*(family for family in COUNTED_IN if family & words)))

    def known_values(self) -> Iterator[tuple[str, str]]:
        """Give columns and their values, declared ones and those that cohorts name."""
        for column, values in self.values.items():
            yield from ((column, value) for value in values)
        for cohort in self.cohorts:
            for condition in cohort.conditions:
                yield from ((condition.column, value) for value in condition.values)


def vocabulary_of(
    model: str,
    schema: ModelSchema,
    slices: tuple[Slice, ...],
    config: GoalsConfig,
    *,
    today: dt.date,
    others: tuple[str, ...] = (),
) -> Vocabulary:
    """Put together what the config declares.

    Raises:
        ContractError: cohorts, values or targets name what isn't declared, or two of them have the same name.
    """
    cohorts = (*slices, *(slice_of(name, settings) for name, settings in config.cohorts.items()))
    for name, settings in config.cohorts.items():
        msgspec.structs.replace(slice_of(name, settings), name="cohort").check(schema)
    _refuse_doubled("cohort", [cohort.name for cohort in cohorts])
    _refuse_doubled("target", list(config.targets))
    for column, values in config.values.items():
        if schema.column(column).kind != "category" or schema.column(column).is_closed or not values:
            raise ContractError(f"values: {column!r} must be a category that isn't tagged, with at least one value")
    for target in config.targets.values():
        if target != LABEL and schema.column(target).is_closed:
            raise ContractError(f"targets: column {target!r} is tagged, so no model predicts it")
    return Vocabulary(
        model=model, schema=schema, today=today, others=others, cohorts=cohorts, values=dict(config.values),
        closed=frozenset(config.values), targets=dict(config.targets),
    )  # fmt: skip


def _refuse_doubled(what: str, names: list[str]) -> None:
    """Refuse names that nobody could tell apart in a sentence."""
    plain = [re.sub(r"[ _-]+", " ", name).casefold() for name in names]
    doubled = {name for name in plain if plain.count(name) > 1}
    if doubled:
        raise ContractError(f"two are called {min(doubled)!r}: give each {what} or slice its own name")
