"""What one model's requests look like: its columns, their kinds and roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from streams.contracts.errors import ContractError

Kind = Literal["number", "category"]
Role = Literal["feature", "key", "ignored"]
Task = Literal["binary", "regression"]
Tag = Literal["pii", "secret", "free_text"]
Protect = Literal["keep", "hash", "drop"]

DEFAULTS: Final[Mapping[Tag, Protect]] = {"pii": "hash", "secret": "drop", "free_text": "drop"}
"""What becomes of a tagged column whose owner says nothing else; of several tags the strictest counts."""

STRICTEST: Final[tuple[Protect, ...]] = ("drop", "hash", "keep")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One declared column of a request.

    A column of role `feature` feeds the model and may also be the key of a window; `key` only groups
    windows; `ignored` is logged and nothing else. `unit` is what a number counts, for instance `EUR` or `km/h`
    (`streams/features/units.py`); None fits everything.

    `tags` are `pii`, `secret` or `free_text`. `protect` is what is done to its values before anything else sees them: kept,
    hashed with the installation's key, or dropped; None: nothing is, as in schemas of before there were protections. A tagged
    column that isn't `granted` may group windows, and is neither a feature nor a window's value or filter.
    """

    name: str
    kind: Kind
    role: Role = "feature"
    tags: tuple[str, ...] = ()
    unit: str | None = None
    protect: Protect | None = None
    granted: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether it is tagged and nobody has granted it."""
        return bool(self.tags) and not self.granted

    @property
    def is_hidden(self) -> bool:
        """Whether its values are nobody's to see: it is closed, and they are as they came."""
        return self.is_closed and self.protect in {None, "keep"}


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

    @property
    def protected(self) -> tuple[Column, ...]:
        """Columns whose values are hashed or dropped, in declared order."""
        return tuple(column for column in self.columns if column.protect in {"hash", "drop"})

    @property
    def hidden(self) -> frozenset[str]:
        """Names of the columns whose values are nobody's to see."""
        return frozenset(column.name for column in self.columns if column.is_hidden)

    def reads_like(self, other: ModelSchema) -> bool:
        """Say whether what is written for one can be read as the other.

        Units, tags and grants are for who writes features. A protection counts only in a feature, whose values the model knows:
        of a key it knows nothing but which rows have the same, and that a hash keeps. A bundle of before there were protections
        was trained on values as they came, so it fits a feature that is kept.
        """
        return self._plain() == other._plain()

    def check_granted(self, names: Iterable[str], what: str) -> None:
        """Refuse what reads values of tagged columns that nobody has granted.

        Args:
            names: of columns it reads, others among them.
            what: it is, for the error.

        Raises:
            ContractError: one of them is such a column.
        """
        closed = {column.name: column for column in self.columns if column.is_closed}
        for name in sorted(closed.keys() & set(names)):
            tags = " and ".join(closed[name].tags)
            raise ContractError(
                f"{what}: column {name!r} is tagged {tags}, so that it may only group windows; leave it out, or have whoever may "
                "decide that say `granted: true` of it in the config"
            )

    def _plain(self) -> ModelSchema:
        return msgspec.structs.replace(self, columns=tuple(map(_plain, self.columns)))

    def column(self, name: str) -> Column:
        """Return the column called `name`.

        Raises:
            ContractError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"no column {name!r}; declared are {', '.join(column.name for column in self.columns)}")


def strictest(protections: Iterable[Protect]) -> Protect:
    """Return the strictest protection, `keep` of none."""
    given = set(protections)
    return next((one for one in STRICTEST if one in given), "keep")


def _plain(column: Column) -> Column:
    protect = column.protect or "keep" if column.role == "feature" else None
    return Column(name=column.name, kind=column.kind, role=column.role, protect=protect)
