"""One model's part of the config: its requests, its topics, how time is understood, and its stages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, StringConstraints, field_validator, model_validator

from streams.archiving.config import ArchivingConfig
from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL
from streams.contracts.schema import ModelSchema, SourceSchema
from streams.contracts.slices import Slice
from streams.contracts.topics import topic_name
from streams.declared import SchemaSettings, SliceSettings, SourceSettings, TopicName, slice_of
from streams.dialects.base import Limits
from streams.features.units import units_of_columns
from streams.joining.config import LONGEST_HORIZON, JoinedModel, JoiningConfig
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.monitoring.config import CLOCK, COVERAGE, DUPLICATES, LATENCY, OF_SERVING, MonitoredModel, MonitoringConfig
from streams.observing.config import ObservedModel, ObservingConfig
from streams.runtime.config import Section, known_kind
from streams.runtime.durations import Duration
from streams.runtime.plugins import load_kind
from streams.runtime.protection import Protection
from streams.serving.config import ServedModel, ServingConfig
from streams.sources.registered import Registered

ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]

_LONGEST_BUCKETS = 10_000
NOT_IN_SOURCES = frozenset({"id", "partition", "offset", "time_ms", "known_ms", "date", "row", LABEL})
"""What tables of records and windows need themselves."""


class TopicSettings(Section):
    """Your own topics, where they have other names than ours."""

    requests: TopicName | None = None
    """Where requests come from; `{model}.requests` unless given."""

    labels: TopicName | None = None
    """Where the truth comes from; `{model}.labels` unless given. Its key and partitions may differ from the requests'."""

    predictions: TopicName | None = None
    """Where answers go; `{model}.predictions` unless given."""

    outcomes: TopicName | None = None
    """Where predictions go once joined with their label; `{model}.outcomes` unless given."""

    @model_validator(mode="after")
    def _check(self) -> TopicSettings:
        given = [name for name in (self.requests, self.labels, self.predictions, self.outcomes) if name is not None]
        ours = [name for name in given if name.startswith("driftwake.")]
        if ours:
            raise ValueError(f"{ours[0]!r} is a name that driftwake keeps for its own topics; take one without that prefix")
        if len(set(given)) != len(given):
            raise ValueError("two of them have the same name; give each its own topic")
        return self


class ModelSettings(Section):
    """One model: its requests, its topics and how time is understood."""

    name: ModelName
    """Names the model everywhere: topics, tables, metrics, incidents."""

    declared: SchemaSettings = Field(alias="schema")
    """What a request looks like. A record that doesn't is quarantined."""

    dialect: str = "native"
    """How requests are written on the wire; a kind of `streams/dialects`."""

    dialect_options: dict[str, Any] = Field(default_factory=dict)
    """What the dialect wants to know, for instance where `mapped_json` finds the columns."""

    topics: TopicSettings = TopicSettings()
    """Names of existing topics."""

    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    """Registered sources by name: `last(weather.wind) by origin over 6h` reads the source `weather`."""

    partitions: int = Field(default=2, ge=1, le=1_024)
    """Partitions of the requests topic when driftwake makes it; it must equal those of one that exists."""

    bundle: str | None = None
    """Digest in the registry, or folder, of the first champion. Until one is named here requests wait, unanswered."""

    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """Exactly once costs a transaction a micro-batch, and a few milliseconds with it."""

    skew: Duration = Duration.of("1h")
    """How far partitions may run apart. A window shows facts this much later, online and in training alike, so both agree."""

    lateness: Duration = Duration.of("5s")
    """How long a live stage waits for stragglers before it calls a moment over."""

    label_horizon: Duration = Duration.of("30d")
    """How long a prediction waits for its label; memory grows with it."""

    bucket: Duration = Duration.of("1d")
    """Length of event time that one summary covers. Shorter finds drift sooner, longer finds less of it by chance."""

    slices: dict[str, SliceSettings] = Field(default_factory=dict)
    """Requests whose loss is watched by itself, however few they are, by a name of yours:
    `new_customers: {tenure: {below: 6}}`, `abroad: {country: [FR, DE], amount: {from: 100}}`. They hold for bundles that are
    made from then on."""

    replay: bool = False
    """Take time from the source's watermarks only and wait for the daemon at each; for recorded streams, never for live ones."""

    sidecar: ObservingConfig | None = None
    """For a model that is served elsewhere: its answers come on a topic too, and nothing is answered here."""

    serving: ServingConfig = ServingConfig()
    """How requests are answered."""

    joining: JoiningConfig = JoiningConfig()
    """How predictions meet their labels."""

    measuring: MeasuringConfig = MeasuringConfig()
    """How predictions and outcomes are summed up."""

    monitoring: MonitoringConfig = MonitoringConfig()
    """What is watched, and how many false alarms are accepted."""

    archiving: ArchivingConfig = ArchivingConfig()
    """When predictions, outcomes and labels move to the lake."""

    @field_validator("dialect")
    @classmethod
    def _check_dialect(cls, kind: str) -> str:
        return known_kind("streams.dialects", kind)

    @model_validator(mode="after")
    def _check(self) -> ModelSettings:
        try:
            load_kind("streams.dialects", self.dialect).open_dialect(self.schema_contract(), Limits(), self.dialect_options)
        except ContractError as error:
            raise ValueError(str(error)) from error
        if self.sidecar is not None:
            self._check_sidecar(self.sidecar)
        self._check_sources()
        self._check_slices()
        if self.bucket.ms < 1_000:
            raise ValueError(f"bucket must be at least 1s, not {self.bucket}")
        if self.label_horizon > LONGEST_HORIZON:
            raise ValueError(f"label_horizon must be at most {LONGEST_HORIZON}, not {self.label_horizon}")
        kept = self.archiving.keep_rows
        if kept is not None and kept < self.label_horizon:
            raise ValueError(f"archiving.keep_rows must be at least label_horizon ({self.label_horizon}), not {kept}")
        if self.label_horizon.ms > self.bucket.ms * _LONGEST_BUCKETS:
            raise ValueError(f"label_horizon {self.label_horizon} is over {_LONGEST_BUCKETS} buckets: lengthen bucket")
        return self

    def _check_slices(self) -> None:
        try:
            for one in self.sliced():
                one.check(self.declared.contract())
        except ContractError as error:
            raise ValueError(str(error)) from error

    def sliced(self) -> tuple[Slice, ...]:
        """Return the declared slices, in their order."""
        return tuple(slice_of(name, settings) for name, settings in self.slices.items())

    def _check_sources(self) -> None:
        taken = {self.topic(kind) for kind in ("requests", "labels", "predictions", "outcomes")}
        for source in self.registered(None):
            if source.topic in taken:
                raise ValueError(f"sources.{source.name}: {source.topic!r} is another topic of the model; a source has its own")
            taken.add(source.topic)
            self._check_columns(source)
            if not any(column.role == "feature" for column in source.columns):
                raise ValueError(f"sources.{source.name}: no column has the role 'feature', so there is nothing to look up")
            try:
                source.open()
            except ContractError as error:
                raise ValueError(f"sources.{source.name}: {error}") from error

    def _check_columns(self, source: Registered) -> None:
        own = {column.name: column for column in self.declared.contract().columns}
        for column in source.columns:
            if column.name in NOT_IN_SOURCES:
                raise ValueError(f"sources.{source.name}: the name {column.name} is driftwake's own; map the column to another")
            same = own.get(column.name)
            if same is not None and (same.protect == "hash") != (column.protect == "hash"):
                raise ValueError(
                    f"sources.{source.name}: {column.name} is hashed here or in the requests, not in both, so that they would "
                    "never be equal; give both the same tags"
                )
        try:
            units_of_columns(source.columns)
        except ContractError as error:
            raise ValueError(f"sources.{source.name}: {error}") from error

    def _check_sidecar(self, sidecar: ObservingConfig) -> None:
        if self.replay:
            raise ValueError("sidecar: a replay answers its requests itself; leave it out")
        try:
            sidecar.check(self.dialect)
        except ContractError as error:
            raise ValueError(f"sidecar: {error}") from error
        if sidecar.responses in {self.topic(kind) for kind in ("labels", "predictions", "outcomes")}:
            raise ValueError(f"sidecar.responses: {sidecar.responses!r} is another topic of the model; answers have their own")
        if sidecar.responses is not None and sidecar.responses.startswith("driftwake."):
            raise ValueError("sidecar.responses: names that begin with `driftwake.` are kept for driftwake's own topics")
        for kind in OF_SERVING:
            if kind in self.monitoring.detectors:
                raise ValueError(f"sidecar: {kind} tells of requests that are answered here; leave it out of the detectors")

    def schema_contract(self) -> ModelSchema:
        """Return the schema as the rest of the data plane knows it."""
        sources = tuple(SourceSchema(name=one.name, columns=one.columns) for one in self.registered(None))
        return msgspec.structs.replace(self.declared.contract(), sources=sources)

    def registered(self, key: bytes | None) -> tuple[Registered, ...]:
        """Return the registered sources; `key` is that of protected columns."""
        return tuple(source.registered(name, key, is_replay=self.replay) for name, source in self.sources.items())

    def served(self, protection: Protection | None, key: bytes | None = None) -> ServedModel:
        """Return what the serving stage needs to know of the model; where another stage decodes requests, that one protects.

        Args:
            protection: of requests.
            key: that of protected columns in sources.
        """
        sidecar = self.sidecar
        # What another server has answered comes in the order of the answers.
        late_ms = sidecar.patience.ms if sidecar is not None and sidecar.responses is not None else 0
        return ServedModel(
            name=self.name,
            schema=self.schema_contract(),
            requests=self.topic("requests" if sidecar is None else "answered"),
            predictions=self.topic("predictions"),
            outcomes=self.topic("outcomes"),
            state=self.topic("state", "serving"),
            partitions=self.partitions,
            skew_ms=self.skew.ms,
            lateness_ms=self.lateness.ms + late_ms,
            replay=self.replay,
            dialect=self.dialect,
            dialect_options=self.dialect_options,
            is_observed=sidecar is not None,
            versions=sidecar.versions if sidecar is not None else {},
            protection=protection if sidecar is None else None,
            sources=self.registered(key),
            delivery=self.delivery,
            # In a replay it would be when the replay wrote them, years after their event times.
            notes_receipt=not self.replay and bool({CLOCK, LATENCY} & set(self.monitoring.detectors)),
        )

    def observed(self, sidecar: ObservingConfig, response_partitions: int, protection: Protection | None) -> ObservedModel:
        """Return what the observing stage needs to know of the model, given how many partitions its answers' topic has."""
        return ObservedModel(
            name=self.name,
            schema=self.schema_contract(),
            requests=self.topic("requests"),
            responses=sidecar.responses,
            answered=self.topic("answered"),
            paired=self.topic("paired"),
            note_state=self.topic("state", "noting"),
            pair_state=self.topic("state", "observing"),
            partitions=self.partitions,
            response_partitions=response_partitions,
            dialect=self.dialect,
            dialect_options=self.dialect_options,
            answer_dialect=sidecar.dialect or self.dialect,
            answer_options=sidecar.dialect_options,
            protection=protection,
            ahead_ms=self.serving.ahead_ms,
            delivery=self.delivery,
        )

    def joined(self, label_partitions: int) -> JoinedModel:
        """Return what the joining stage needs to know of the model, given how many partitions its labels topic has."""
        return JoinedModel(
            name=self.name,
            task=self.declared.task,
            predictions=self.topic("predictions"),
            labels=self.topic("labels"),
            join_predictions=self.topic("join_predictions"),
            join_labels=self.topic("join_labels"),
            outcomes=self.topic("outcomes"),
            rekey_state=self.topic("state", "rekeying"),
            match_state=self.topic("state", "joining"),
            partitions=self.partitions,
            label_partitions=label_partitions,
            horizon_ms=self.label_horizon.ms,
            lateness_ms=self.lateness.ms,
            replay=self.replay,
            delivery=self.delivery,
        )

    def measured(self) -> MeasuredModel:
        """Return what the measuring stage needs to know of the model."""
        return MeasuredModel(
            name=self.name,
            schema=self.schema_contract(),
            predictions=self.topic("predictions"),
            outcomes=self.topic("outcomes"),
            summaries=self.topic("summaries"),
            state=self.topic("state", "measuring"),
            partitions=self.partitions,
            bucket_ms=self.bucket.ms,
            delivery=self.delivery,
            counts_contents=DUPLICATES in self.monitoring.detectors,
            counts_waits=LATENCY in self.monitoring.detectors,
            counts_arrivals=CLOCK in self.monitoring.detectors,
            counts_cohorts=COVERAGE in self.monitoring.detectors,
        )

    def monitored(self) -> MonitoredModel:
        """Return what the monitoring stage needs to know of the model."""
        return MonitoredModel(
            name=self.name,
            task=self.declared.task,
            summaries=self.topic("summaries"),
            state=self.topic("state", "monitoring"),
            events=self.topic("events"),
            writers=self.partitions,
            bucket_ms=self.bucket.ms,
            delivery=self.delivery,
        )

    def watch(self) -> dict[str, Any]:
        """Return how the model is watched, as skills that make bundles take it."""
        return {
            "bucket_ms": self.bucket.ms,
            "detectors": list(self.monitoring.detectors),
            "confirm_after": self.monitoring.confirm_after,
            "clear_after": self.monitoring.clear_after,
            "alarm_rate": self.monitoring.alarm_rate(self.bucket.ms),
            "min_rows": self.monitoring.min_rows,
            "slices": msgspec.to_builtins(self.sliced()),
            "timezone": self.monitoring.timezone,
        }

    def topic(self, kind: str, stage: str = "") -> str:
        """Name one of the model's topics.

        Raises:
            KeyError: there is no topic of that kind.
        """
        given: str | None = getattr(self.topics, kind, None)
        return given or topic_name(kind, self.name, stage)
