"""What one model's requests look like: its columns, their kinds and roles."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from streams.contracts.errors import ContractError

Kind = Literal["number", "category"]
Role = Literal["feature", "key", "ignored"]
Task = Literal["binary", "regression"]

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


class ModelSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a model's requests and the kind of its task.

    Raises:
        ContractError: a name isn't an identifier, is declared twice, or no column is a feature.
    """

    columns: tuple[Column, ...]
    task: Task = "binary"

    def __post_init__(self) -> None:
        """Check names once, so that no later stage has to."""
        seen: set[str] = set()
        for column in self.columns:
            if _IDENTIFIER.fullmatch(column.name) is None:
                raise ContractError(
                    f"column name {column.name!r}: use letters, digits and underscores, not starting with a digit"
                )
            if column.name in seen:
                raise ContractError(f"column {column.name!r} is declared twice")
            seen.add(column.name)
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
        """Say whether what is written for one can be read as the other; units are for who writes features."""
        return self._plain() == other._plain()

    def _plain(self) -> ModelSchema:
        columns = tuple(msgspec.structs.replace(column, unit=None) for column in self.columns)
        return msgspec.structs.replace(self, columns=columns)

    def column(self, name: str) -> Column:
        """Return the column called `name`.

        Raises:
            ContractError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"no column {name!r}; declared are {', '.join(column.name for column in self.columns)}")
