"""The data plane's part of the config: the broker, the models on it and where their data lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from streams.archiving.config import ArchivingConfig
from streams.calling.config import CallingConfig
from streams.contracts.errors import ConfigError, ContractError
from streams.contracts.features import LABEL
from streams.contracts.schema import Column, Kind, ModelSchema, Role, Task
from streams.contracts.topics import topic_name
from streams.dialects.base import Limits
from streams.joining.config import LONGEST_HORIZON, JoinedModel, JoiningConfig
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.runtime.config import Section, known_kind
from streams.runtime.durations import Duration
from streams.runtime.logging import Level
from streams.runtime.plugins import load_kind
from streams.runtime.signing import Verifier, public_key, verifier_of
from streams.runtime.telemetry import LOOPBACK
from streams.serving.config import ServedModel, ServingConfig

ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
Folder = Literal["broker", "lake", "registry", "work", "logs", "keys"]

_LONGEST_BUCKETS = 10_000
_SHORTEST_SESSION, _LONGEST_SESSION = Duration.of("6s"), Duration.of("30m")


class BrokerSettings(Section):
    """Which Kafka to work on."""

    bootstrap: str | None = None
    """`host:port` of your cluster, several with commas. None starts an embedded broker with its data under `data_dir`."""

    port: int = Field(default=0, ge=0, le=65_535)
    """Port of the embedded broker on loopback; 0 takes a free one, so that two projects never collide."""

    session: Duration = Duration.of("10s")
    """How long a worker may say nothing until others take over what it did. Kafka's own limits are 6s and 30m."""

    @field_validator("session")
    @classmethod
    def _check_session(cls, session: Duration) -> Duration:
        if not _SHORTEST_SESSION <= session <= _LONGEST_SESSION:
            raise ValueError(f"must be between {_SHORTEST_SESSION} and {_LONGEST_SESSION}, not {session}")
        return session


class MetricsSettings(Section):
    """Where `/metrics` is shown."""

    host: str = LOOPBACK
    """Loopback, because the page has no login; open it only behind something that has."""

    port: int = Field(default=0, ge=0, le=65_535)
    """Port of the first process, the next ones take those above it; 0 takes free ones, which the log names."""


class LogSettings(Section):
    """What is logged."""

    level: Level = "info"
    """The least that is written. At `info` nothing is written per record, so the size goes with time and not with traffic."""


class TrustSettings(Section):
    """Who is believed."""

    deployment_keys: tuple[str, ...] = ()
    """Public keys of daemons whose deployments are followed; `driftwake key` shows one. None named: the one in `data_dir`."""

    @field_validator("deployment_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            try:
                public_key(key)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return keys


class ColumnSettings(Section):
    """One column of a model's requests."""

    name: str
    """Its key in a request's `features`."""

    kind: Kind
    """`number` or `category`."""

    role: Role = "feature"
    """`feature` feeds the model, `key` only groups windows, `ignored` is logged and nothing else."""

    tags: tuple[Literal["pii", "secret", "free_text"], ...] = ()
    """What must be protected. A tagged column is no feature unless somebody with the grant asks for it."""


class SchemaSettings(Section):
    """What a model's requests look like."""

    task: Task = "binary"
    """`binary` scores a probability, `regression` a value."""

    columns: tuple[ColumnSettings, ...] = Field(min_length=1)
    """The columns that matter. What isn't declared here is dropped, so that nothing slips into the lake."""

    @model_validator(mode="after")
    def _check(self) -> SchemaSettings:
        try:
            self.contract()
        except ContractError as error:
            raise ValueError(str(error)) from None
        if any(column.name == LABEL for column in self.columns):
            raise ValueError(f"a column can't be called {LABEL!r}, that is the name of the truth; rename it")
        return self

    def contract(self) -> ModelSchema:
        """Return it as the rest of the data plane knows it."""
        columns = (Column(name=one.name, kind=one.kind, role=one.role, tags=one.tags) for one in self.columns)
        return ModelSchema(columns=tuple(columns), task=self.task)


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

    replay: bool = False
    """Take time from the source's watermarks only and wait for the daemon at each; for recorded streams, never for live ones."""

    serving: ServingConfig = ServingConfig()
    """How requests are answered."""

    joining: JoiningConfig = JoiningConfig()
    """How predictions meet their labels."""

    measuring: MeasuringConfig = MeasuringConfig()
    """How predictions and outcomes are summed up."""

    monitoring: MonitoringConfig = MonitoringConfig()
    """What is watched, and how many false alarms are accepted."""

    archiving: ArchivingConfig = ArchivingConfig()
    """When predictions and outcomes move to the lake."""

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
        if self.bucket.ms < 1_000:
            raise ValueError(f"bucket must be at least 1s, not {self.bucket}")
        if self.label_horizon > LONGEST_HORIZON:
            raise ValueError(f"label_horizon must be at most {LONGEST_HORIZON}, not {self.label_horizon}")
        if self.label_horizon.ms > self.bucket.ms * _LONGEST_BUCKETS:
            raise ValueError(f"label_horizon {self.label_horizon} is over {_LONGEST_BUCKETS} buckets: lengthen bucket")
        return self

    def schema_contract(self) -> ModelSchema:
        """Return the schema as the rest of the data plane knows it."""
        return self.declared.contract()

    def served(self) -> ServedModel:
        """Return what the serving stage needs to know of the model."""
        return ServedModel(
            name=self.name,
            schema=self.schema_contract(),
            requests=self.topic("requests"),
            predictions=self.topic("predictions"),
            outcomes=self.topic("outcomes"),
            state=self.topic("state", "serving"),
            partitions=self.partitions,
            skew_ms=self.skew.ms,
            lateness_ms=self.lateness.ms,
            replay=self.replay,
            dialect=self.dialect,
            dialect_options=self.dialect_options,
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

    def topic(self, kind: str, stage: str = "") -> str:
        """Name one of the model's topics.

        Raises:
            KeyError: there is no topic of that kind.
        """
        given: str | None = getattr(self.topics, kind, None)
        return given or topic_name(kind, self.name, stage)


class StreamsSettings(Section):
    """Everything the data plane needs to know."""

    data_dir: Path = Path(".driftwake")
    """Broker, lake, registry, ledger and logs live under it. Relative to where the command runs."""

    broker: BrokerSettings = BrokerSettings()
    """Which Kafka to work on."""

    models: tuple[ModelSettings, ...] = Field(min_length=1)
    """The models to look after."""

    metrics: MetricsSettings = MetricsSettings()
    """Where `/metrics` is shown."""

    log: LogSettings = LogSettings()
    """What is logged."""

    trust: TrustSettings = TrustSettings()
    """Who is believed."""

    door: CallingConfig | None = None
    """Answers callers over HTTP; `{}` opens it with its defaults."""

    workers: int = Field(default=1, ge=1, le=256)
    """Processes of the data plane that `driftwake up` starts here. They, and those on other machines, share the partitions."""

    @model_validator(mode="after")
    def _check_models(self) -> StreamsSettings:
        if self.workers > 1 and any(model.replay for model in self.models):
            raise ValueError("workers: a replay is one worker's alone; leave it at 1")
        if self.door is not None and any(model.replay for model in self.models):
            raise ValueError("door: nobody can call into a replay; leave it out")
        names = [model.name for model in self.models]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise ValueError(f"models: two are called {double!r}; give each its own name")
        topics = [model.topic(kind) for model in self.models for kind in ("predictions", "outcomes")]
        double = next((name for name in topics if topics.count(name) > 1), None)
        if double is not None:
            raise ValueError(f"models: two write to the topic {double!r}; give each its own")
        return self

    def folder(self, name: Folder) -> Path:
        """Return a folder of the data directory."""
        return self.data_dir / name

    def verifier(self) -> Verifier:
        """Return what tells whose deployments are followed.

        Raises:
            ConfigError: no public key is named, and there is none in `data_dir`.
        """
        return verifier_of(self.folder("keys"), self.trust.deployment_keys)

    def model(self, name: str) -> ModelSettings:
        """Return the model called `name`.

        Raises:
            KeyError: there is none; the message lists those there are.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(f"no model {name!r}; there are: {', '.join(model.name for model in self.models)}")
