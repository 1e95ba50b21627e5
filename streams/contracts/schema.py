"""What one model's requests look like: its columns, their kinds and roles."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from streams.contracts.errors import ContractError

Kind = Literal["number", "category"]
Role = Literal["feature", "key", "ignored"]
Task = Literal["binary", "regression"]

OWN_FACTS = ("requests", "outcomes", "outcome")
"""What the model's own facts are called in the language of features, the last as in `outcome.label`."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One declared column of a request.

    A column of role `feature` feeds the model and may also be the key of a window; `key` only groups
    windows; `ignored` is logged and nothing else. `tags` are `pii`, `secret` or `free_text`. `unit` is what a number counts, for
    instance `EUR` or `km/h` (`streams/features/units.py`); None fits everything.
    """

    name: str
    kind: Kind
    role: Role = "feature"
    tags: tuple[str, ...] = ()
    unit: str | None = None


class SourceSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A registered source: facts from elsewhere, each with a time and columns, that windows look up by keys.

    Raises:
        ContractError: a name isn't an identifier, is declared twice, or is one of the model's own facts.
    """

    name: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        """Check names once."""
        _check_name("source", self.name)
        if self.name in OWN_FACTS:
            raise ContractError(f"a source can't be called {self.name!r}, that is a name of the model's own facts")
        _check_columns(self.columns)


class ModelSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a model's requests, the kind of its task, and the sources that are registered for it.

    Raises:
        ContractError: a name isn't an identifier, is declared twice, or no column is a feature.
    """

    columns: tuple[Column, ...]
    task: Task = "binary"
    sources: tuple[SourceSchema, ...] = ()

    def __post_init__(self) -> None:
        """Check names once, so that no later stage has to."""
        _check_columns(self.columns)
        names = [source.name for source in self.sources]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ContractError(f"source {min(doubled)!r} is registered twice")
        if not self.features:
            raise ContractError("no column has the role 'feature': a model needs at least one")

    @property
    def features(self) -> tuple[Column, ...]:
        """Columns the model reads, in declared order."""
        return tuple(column for column in self.columns if column.role == "feature")

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the numeric feature columns, in declared order."""
        return tuple(column.name for column in self.features if column.kind == "number")

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categorical feature columns, in declared order."""
        return tuple(column.name for column in self.features if column.kind == "category")

    def reads_like(self, other: ModelSchema) -> bool:
        """Say whether what is written for one can be read as the other.

        Units are for who writes features; sources that windows read are checked where windows are.
        """
        return self._plain() == other._plain()

    def _plain(self) -> ModelSchema:
        columns = tuple(msgspec.structs.replace(column, unit=None) for column in self.columns)
        return msgspec.structs.replace(self, columns=columns, sources=())

    def column(self, name: str) -> Column:
        """Return the column called `name`.

        Raises:
            ContractError: there is none.
        """
        return _column(self.columns, name)

    def columns_of(self, facts: str) -> tuple[Column, ...]:
        """Return the columns of facts: the model's own for `requests` and `outcomes`, else those of the source of that name.

        Raises:
            ContractError: no such source is registered.
        """
        if facts in OWN_FACTS:
            return self.columns
        for source in self.sources:
            if source.name == facts:
                return source.columns
        known = ", ".join([*OWN_FACTS[:2], *(source.name for source in self.sources)])
        raise ContractError(f"no source {facts!r} is registered; there are {known}")

    def column_of(self, facts: str, name: str) -> Column:
        """Return the column of facts that is called `name`; see `columns_of`.

        Raises:
            ContractError: there is none.
        """
        return _column(self.columns_of(facts), name)


def _column(columns: tuple[Column, ...], name: str) -> Column:
    for column in columns:
        if column.name == name:
            return column
    raise ContractError(f"no column {name!r}; declared are {', '.join(column.name for column in columns)}")


def _check_columns(columns: tuple[Column, ...]) -> None:
    seen: set[str] = set()
    for column in columns:
        _check_name("column", column.name)
        if column.name in seen:
            raise ContractError(f"column {column.name!r} is declared twice")
        seen.add(column.name)


def _check_name(what: str, name: str) -> None:
    if _IDENTIFIER.fullmatch(name) is None:
        raise ContractError(f"{what} name {name!r}: use letters, digits and underscores, not starting with a digit")
