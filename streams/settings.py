"""The data plane's part of the config: the broker, the models on it and where their data lies."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from streams.calling.config import CallingConfig
from streams.contracts.errors import ConfigError
from streams.lake.place import checked, folder_of
from streams.model import ModelSettings
from streams.runtime.config import Section
from streams.runtime.durations import Duration
from streams.runtime.logging import Level
from streams.runtime.protection import KEY_FILE, Protection, make_key, read_key
from streams.runtime.signing import Verifier, public_key, verifier_of
from streams.runtime.telemetry import LOOPBACK

Folder = Literal["broker", "registry", "work", "logs", "keys"]

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


class ProtectionSettings(Section):
    """How columns are hashed."""

    key_file: Path | None = None
    """File of the key (64 hex digits), the same for all workers of an installation. None: `keys/columns.key` under `data_dir`,
    which is made when it is first needed. Keep a copy: without it nothing that comes groups with what was hashed before."""


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


class StreamsSettings(Section):
    """Everything the data plane needs to know."""

    data_dir: Path = Path(".driftwake")
    """Broker, registry, ledger, logs and, unless it is elsewhere, the lake live under it. Relative to where the command runs."""

    lake: str | None = None
    """Folder or URL (`s3://`, `gs://`, `az://`, `abfss://`, `file:///`) of the lake's tables; none: under `data_dir`. What opens
    a URL is taken from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`), which skills get too."""

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

    protection: ProtectionSettings = ProtectionSettings()
    """How columns are hashed."""

    door: CallingConfig | None = None
    """Answers callers over HTTP; `{}` opens it with its defaults."""

    workers: int = Field(default=1, ge=1, le=256)
    """Processes of the data plane that `driftwake up` starts here. They, and those on other machines, share the partitions."""

    @field_validator("lake")
    @classmethod
    def _check_lake(cls, lake: str | None) -> str | None:
        return checked(lake) if lake is not None else None

    @model_validator(mode="after")
    def _check_models(self) -> StreamsSettings:
        if self.workers > 1 and any(model.replay for model in self.models):
            raise ValueError("workers: a replay is one worker's alone; leave it at 1")
        if self.lake is not None and any(model.replay for model in self.models):
            raise ValueError("lake: a replay has a lake of its own, under data_dir; leave it out")
        if self.door is not None and any(model.replay for model in self.models):
            raise ValueError("door: nobody can call into a replay; leave it out")
        if self.door is not None and all(model.sidecar is not None for model in self.models):
            raise ValueError("door: every model is served elsewhere, so that nobody could be answered; leave it out")
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

    @property
    def lake_place(self) -> str:
        """The absolute folder or the URL of the lake."""
        folder = folder_of(self.lake if self.lake is not None else self.data_dir / "lake")
        return str(folder.resolve()) if folder is not None else str(self.lake)

    def verifier(self) -> Verifier:
        """Return what tells whose deployments are followed.

        Raises:
            ConfigError: no public key is named, and there is none in `data_dir`.
        """
        return verifier_of(self.folder("keys"), self.trust.deployment_keys)

    @property
    def hash_key_file(self) -> Path:
        """Where the key lies that columns are hashed with."""
        return self.protection.key_file or self.folder("keys") / KEY_FILE

    def make_hash_key(self) -> None:
        """Make the key where a model needs one and there is none yet; one that the config names is never made, only looked at.

        Raises:
            ConfigError: the one that is named isn't there, or what is there isn't a key.
        """
        if any(model.schema_contract().needs_key for model in self.models):
            if self.protection.key_file is None:
                make_key(self.hash_key_file)
            read_key(self.hash_key_file)

    def protection_of(self, model: ModelSettings) -> Protection | None:
        """Return what protects a model's rows, None where nothing is to be protected.

        Raises:
            ConfigError: there is no key.
        """
        schema = model.schema_contract()
        return Protection(schema, read_key(self.hash_key_file)) if schema.protected else None

    def key_of(self, model: ModelSettings) -> bytes | None:
        """Return the key that protects columns of a model's sources, None where nothing in them is to be protected.

        Raises:
            ConfigError: there is no key.
        """
        return read_key(self.hash_key_file) if model.schema_contract().protects_sources else None

    def model(self, name: str) -> ModelSettings:
        """Return the model called `name`.

        Raises:
            KeyError: there is none; the message lists those there are.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(f"no model {name!r}; there are: {', '.join(model.name for model in self.models)}")
