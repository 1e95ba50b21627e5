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

OWN_FACTS = ("requests", "outcomes")
"""What the model's own facts are called in the language of features."""

_NOT_A_SOURCE = (*OWN_FACTS, "outcome")  # as in `outcome.label`

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
        if self.name in _NOT_A_SOURCE:
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

    @property
    def protected(self) -> tuple[Column, ...]:
        """Columns whose values are hashed or dropped, in declared order."""
        return tuple(column for column in self.columns if column.protect in {"hash", "drop"})

    @property
    def protects_sources(self) -> bool:
        """Whether a source has columns whose values are hashed or dropped."""
        return any(column.protect in {"hash", "drop"} for source in self.sources for column in source.columns)

    @property
    def needs_key(self) -> bool:
        """Whether anything is hashed or dropped where it comes in."""
        return bool(self.protected) or self.protects_sources

    def reads_like(self, other: ModelSchema) -> bool:
        """Say whether what is written for one can be read as the other.

        Units, tags and grants are for who writes features; sources that windows read are checked where windows are. A protection
        counts only in a feature, whose values the model knows: of a key it knows nothing but which rows have the same, and that a
        hash keeps. A bundle of before there were protections was trained on values as they came, so it fits a feature that is
        kept.
        """
        return self._plain() == other._plain()

    def check_granted(self, names: Iterable[str], what: str, facts: str = "requests") -> None:
        """Refuse what reads values of tagged columns that nobody has granted.

        Args:
            names: of columns it reads, others among them.
            what: it is, for the error.
            facts: whose columns they are; see `columns_of`.

        Raises:
            ContractError: one of them is such a column.
        """
        closed = {column.name: column for column in self.columns_of(facts) if column.is_closed}
        for name in sorted(closed.keys() & set(names)):
            tags = " and ".join(closed[name].tags)
            raise ContractError(
                f"{what}: column {name!r} is tagged {tags}, so that it may only group windows; leave it out, or have whoever may "
                "decide that say `granted: true` of it in the config"
            )

    def _plain(self) -> ModelSchema:
        return msgspec.structs.replace(self, columns=tuple(map(_plain, self.columns)), sources=())

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
        known = ", ".join([*OWN_FACTS, *(source.name for source in self.sources)])
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


def strictest(protections: Iterable[Protect]) -> Protect:
    """Return the strictest protection, `keep` of none."""
    given = set(protections)
    return next((one for one in STRICTEST if one in given), "keep")


def _plain(column: Column) -> Column:
    protect = column.protect or "keep" if column.role == "feature" else None
    return Column(name=column.name, kind=column.kind, role=column.role, protect=protect)
