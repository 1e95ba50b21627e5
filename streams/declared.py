"""What a config declares of columns: those of a model's requests, and those of registered sources."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL
from streams.contracts.schema import DEFAULTS, Column, Kind, ModelSchema, Protect, Role, Tag, Task, strictest
from streams.contracts.slices import Condition, Slice
from streams.features.units import units_of
from streams.runtime.config import Section, known_kind
from streams.runtime.durations import Duration
from streams.sources.registered import Registered

TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")]


class ColumnSettings(Section):
    """One column of a model's requests."""

    name: str
    """Its key in a request's `features`."""

    kind: Kind
    """`number` or `category`."""

    role: Role = "feature"
    """`feature` feeds the model, `key` only groups windows, `ignored` is logged and nothing else."""

    tags: tuple[Tag, ...] = ()
    """What its values are. A tagged column groups windows at most, until it is granted."""

    protect: Protect | None = None
    """What becomes of its values where a request is decoded, before anything else sees them: `keep`, `hash` (of a category, by
    the installation's key: what is equal stays equal) or `drop`. Unless said, `pii` is hashed, `secret` and `free_text` are
    dropped."""

    granted: bool = False
    """Whoever may decide it has decided: though it is tagged, it may feed the model, and windows may sum and filter it."""

    unit: str | None = None
    """What a number counts, `EUR` or `km/h` for instance: features that add or compare different units are refused."""

    @model_validator(mode="after")
    def _check(self) -> ColumnSettings:
        protect, tags = self.protection, " and ".join(self.tags)
        said = f"{self.name}: `protect: {protect}`" + (f" (tagged {tags})" if self.protect is None else "")
        if protect == "hash" and self.kind == "number":
            raise ValueError(f"{said}, but a number can't be hashed; say `protect: drop` or `keep`, or declare a category")
        if protect == "drop" and self.role != "ignored":
            raise ValueError(f"{said}, but a {self.role} needs values; say `role: ignored`, or `protect: hash` or `keep`")
        if self.role == "feature" and self.tags and not self.granted:
            raise ValueError(
                f"{self.name}: tagged {tags}, so it is no feature; say `role: key` or `role: ignored`, or `granted: true` once "
                "whoever may decide that has decided it"
            )
        if self.granted and not self.tags:
            raise ValueError(f"{self.name}: granted, but it has no tags; leave `granted` out")
        return self

    @property
    def protection(self) -> Protect:
        """What becomes of its values."""
        return self.protect if self.protect is not None else strictest(DEFAULTS[tag] for tag in self.tags)

    def contract(self) -> Column:
        """Return it as the rest of the data plane knows it: what isn't touched at all says so by None."""
        is_said = bool(self.tags) or self.protect is not None
        return Column(
            name=self.name,
            kind=self.kind,
            role=self.role,
            tags=self.tags,
            unit=self.unit,
            protect=self.protection if is_said else None,
            granted=self.granted,
        )


class RangeSettings(Section):
    """Numbers of a slice; either end may be open."""

    low: float | None = Field(default=None, alias="from")
    """The smallest that belongs to it."""

    below: float | None = None
    """The smallest above it."""


SliceSettings = dict[str, Annotated[tuple[str, ...], Field(min_length=1)] | RangeSettings]
"""What a request must be, column by column: one of some values, or a number of a range."""


def slice_of(name: str, settings: SliceSettings) -> Slice:
    """Return a slice as the rest of the product knows it."""
    return Slice(name=name, conditions=tuple(_condition(column, wanted) for column, wanted in settings.items()))


def _condition(column: str, wanted: tuple[str, ...] | RangeSettings) -> Condition:
    if isinstance(wanted, RangeSettings):
        return Condition(column=column, low=wanted.low, high=wanted.below)
    return Condition(column=column, values=wanted)


class SchemaSettings(Section):
    """What a model's requests look like."""

    task: Task = "binary"
    """`binary` scores a probability, `regression` a value."""

    columns: tuple[ColumnSettings, ...] = Field(min_length=1)
    """The columns that matter. What isn't declared here is dropped, so that nothing slips into the lake."""

    @model_validator(mode="after")
    def _check(self) -> SchemaSettings:
        try:
            units_of(self.contract())
        except ContractError as error:
            raise ValueError(str(error)) from None
        if any(column.name == LABEL for column in self.columns):
            raise ValueError(f"a column can't be called {LABEL!r}, that is the name of the truth; rename it")
        return self

    def contract(self) -> ModelSchema:
        """Return it as the rest of the data plane knows it."""
        return ModelSchema(columns=tuple(column.contract() for column in self.columns), task=self.task)


class SourceSettings(Section):
    """Facts from elsewhere, such as weather or a customer's master data, that windows look up by keys."""

    topic: TopicName
    """Where its records come from. Each has an id, a time and columns, and is a fact from its time on."""

    columns: tuple[ColumnSettings, ...] = Field(min_length=1)
    """The columns that matter. Those that windows group by are called as in the requests, and have the same kind."""

    dialect: str = "native"
    """How its records are written on the wire; a kind of `streams/dialects`."""

    dialect_options: dict[str, Any] = Field(default_factory=dict)
    """What the dialect wants to know, for instance where `mapped_json` finds the columns."""

    ahead: Duration = Duration.of("7d")
    """How far a record's time may lie after its timestamp, for what is told before it is so. Those further ahead go to
    quarantine: they would be held in memory until then. The timestamp is when the broker got the record if the topic's
    `message.timestamp.type` is `LogAppendTime`, else what the producer says."""

    @field_validator("dialect")
    @classmethod
    def _check_dialect(cls, kind: str) -> str:
        return known_kind("streams.dialects", kind)

    @field_validator("topic")
    @classmethod
    def _check_topic(cls, topic: str) -> str:
        if topic.startswith("driftwake."):
            raise ValueError(f"{topic!r} is a name that driftwake keeps for its own topics; take one without that prefix")
        return topic

    def registered(self, name: str, key: bytes | None, *, is_replay: bool) -> Registered:
        """Return the source as the rest of the data plane knows it; `key` is that of protected columns.

        A replay's records are written now, whenever they were.
        """
        columns = tuple(column.contract() for column in self.columns)
        is_protected = any(column.protect in {"hash", "drop"} for column in columns)
        ahead_ms = None if is_replay else self.ahead.ms
        own_key = key if is_protected else None
        return Registered(name, self.topic, columns, self.dialect, self.dialect_options, ahead_ms, own_key)
