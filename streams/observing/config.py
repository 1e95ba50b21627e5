"""Settings of observing a model that is served elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints, field_validator

from streams.contracts.errors import ContractError
from streams.contracts.schema import ModelSchema
from streams.dialects.base import Limits
from streams.runtime.config import Section, known_kind
from streams.runtime.durations import Duration
from streams.runtime.plugins import load_kind
from streams.runtime.protection import Protection

LONGEST_PATIENCE = Duration.of("1d")
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ObservingConfig(Section):
    """How the answers of another server are read."""

    responses: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")] | None = None
    """The topic of the answers, which may be that of the requests. None: a request's record also holds its answer."""

    dialect: str | None = None
    """How answers are written on the wire; the requests' dialect unless given."""

    dialect_options: dict[str, Any] = Field(default_factory=dict)
    """What the dialect wants to know, for instance `output` and `position` of the number that is the score."""

    patience: Duration = Duration.of("10m")
    """How long a request waits for its answer, and an answer for its request, by the broker's time."""

    most_waiting: int = Field(default=200_000, ge=1)
    """Requests and answers remembered per partition; beyond it the oldest are shed."""

    versions: dict[str, Digest] = Field(default_factory=dict)
    """Which bundle a version is, as the server logs it. One that is a bundle's digest, or at least its first 12 digits, needn't
    stand here; an answer that names no version is taken for that of the champion of its time."""

    webhook: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{1,2000}$")] | None = None
    """Is told by POST which bundle ought to be served; see `streams/observing/README.md`. None: nobody is told."""

    @field_validator("dialect")
    @classmethod
    def _check_dialect(cls, kind: str | None) -> str | None:
        return None if kind is None else known_kind("streams.dialects", kind)

    @field_validator("patience")
    @classmethod
    def _check_patience(cls, patience: Duration) -> Duration:
        if not 0 < patience.ms <= LONGEST_PATIENCE.ms:
            raise ValueError(f"must be above 0 and at most {LONGEST_PATIENCE}, not {patience}")
        return patience

    def check(self, requests: str) -> None:
        """Check what depends on the requests' dialect.

        Raises:
            ContractError: the dialect has no answers, or its options make no sense.
        """
        kind = self.dialect or requests
        module = load_kind("streams.dialects", kind)
        if not hasattr(module, "open_answers"):
            raise ContractError(f"the dialect {kind} has no answers; name another under sidecar.dialect")
        module.open_answers(Limits(), self.dialect_options)


class ObservedModel(NamedTuple):
    """The model that is observed.

    `requests` and `answered` have `partitions` partitions, as `paired` has, which is used where answers have a topic of their
    own; that has `response_partitions`. `note_state` needs a partition for each partition of requests and responses together,
    `pair_state` one for each of `partitions`. A request's time may lie `ahead_ms` after the broker got it. `protection`
    protects requests before they are written anywhere; None: nothing is to be protected.
    """

    name: str
    schema: ModelSchema
    requests: str
    responses: str | None
    answered: str
    paired: str
    note_state: str
    pair_state: str
    partitions: int
    response_partitions: int
    dialect: str
    dialect_options: Mapping[str, Any]
    answer_dialect: str
    answer_options: Mapping[str, Any]
    ahead_ms: int = 3_600_000
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    protection: Protection | None = None
