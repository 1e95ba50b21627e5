"""What a dialect is: how the requests of a model look on the wire, and the answers of a server that isn't ours.

Serving opens one dialect per model and calls `decode` for every record of the requests topic. A `Row` is scored; a
`Refusal` sends the record to quarantine with its reason and position. A dialect never raises: what comes is hostile.
One record is one row, because each record has one answer; a record that holds several is refused.

Where a model is served elsewhere, observing opens the dialect's requests and its answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec

from streams.contracts.schema import Column, ModelSchema

Reason = Literal[
    "not_json",
    "missing_field",
    "missing_column",
    "wrong_type",
    "not_finite",
    "absurd_time",
    "too_large",
    "bad_id",
    "several_rows",
    "not_a_request",
    "not_an_answer",
    "bad_score",
]

# 1980 and 2100: seconds or microseconds given as milliseconds fall outside.
EARLIEST_MS = 315_532_800_000
LATEST_MS = 4_102_444_800_000
FLOAT32_MAX = 3.4028234663852886e38


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a single request may take.

    `record_bytes` bounds the whole value, `text_length` a category in characters, `id_length` the id; event times lie in
    [`earliest_ms`, `latest_ms`]. Numbers must fit float32, which is what models read.
    """

    record_bytes: int = 256 * 1024
    text_length: int = 1_024
    id_length: int = 256
    earliest_ms: int = EARLIEST_MS
    latest_ms: int = LATEST_MS


class Message(Protocol):
    """A record as it came: `headers` are (name, value), `timestamp_ms` is when the broker got it."""

    @property
    def value(self) -> bytes | None:
        """The payload; None is a tombstone."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names may come more than once."""
        ...

    @property
    def timestamp_ms(self) -> int:
        """Not event time, but what comes nearest to it where nothing else is told."""
        ...


class Written(msgspec.Struct, frozen=True):
    """A record as a caller writes it."""

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0


class Row(Protocol):
    """A decoded request. `features` is a struct with one field per declared column, in declared order; None is missing."""

    @property
    def id(self) -> str:
        """The caller's id, 1 to `id_length` characters."""
        ...

    @property
    def time_ms(self) -> int:
        """Event time."""
        ...

    @property
    def features(self) -> Any:
        """The columns, as a struct."""
        ...


class AnsweredRow(Row, Protocol):
    """A request that another server answered: where the request stood, its score, and the version that gave it, where known."""

    @property
    def partition(self) -> int:
        """Of the request."""
        ...

    @property
    def offset(self) -> int:
        """Of the request."""
        ...

    @property
    def score(self) -> float:
        """The answer."""
        ...

    @property
    def version(self) -> str | None:
        """As the server calls it."""
        ...


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a server answered: the id of the request, the score, and which version of the model gave it, where that is said."""

    id: str
    score: float
    version: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    """Why a record can't be used. `detail` names fields and types, never values."""

    reason: Reason
    detail: str


Options = Mapping[str, Any]
"""What a kind lets a user say of his records; most have nothing to say."""


class Dialect(Protocol):
    """Decodes the requests of one model."""

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        ...


class AnswerDialect(Protocol):
    """Decodes the answers of one model."""

    def decode(self, message: Message) -> Answer | Refusal:
        """Decode one record; never raises."""
        ...


def row_type(schema: ModelSchema, limits: Limits) -> type[Any]:
    """Build the struct that rows of this schema decode into: `id`, `time_ms`, `features`.

    Every bound is part of the types, so that one pass of the decoder checks them all. Unknown fields are dropped.
    """
    features = msgspec.defstruct("Features", [(column.name, _column_type(column, limits)) for column in schema.columns], gc=False)
    return msgspec.defstruct(
        "Row",
        [
            ("id", Annotated[str, msgspec.Meta(min_length=1, max_length=limits.id_length)]),
            ("time_ms", Annotated[int, msgspec.Meta(ge=limits.earliest_ms, le=limits.latest_ms)]),
            ("features", features),
        ],
        gc=False,
    )


def answered_type(schema: ModelSchema, limits: Limits) -> type[Any]:
    """Build the struct of an `AnsweredRow` of this schema, as observing writes it and serving reads it."""
    return msgspec.defstruct(
        "Answered",
        [("partition", int), ("offset", int), ("score", float), ("version", str | None)],
        bases=(row_type(schema, limits),),
        gc=False,
    )


def _column_type(column: Column, limits: Limits) -> Any:
    if column.kind == "number":
        return Annotated[float, msgspec.Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)] | None
    return Annotated[str, msgspec.Meta(max_length=limits.text_length)] | None
