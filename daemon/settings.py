"""The whole config: the data plane's part, and what people allow the control plane to do."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, Field, field_validator, model_validator

from daemon.ledger.records import Autonomy
from daemon.planners.policy import PolicyConfig
from daemon.triaging.config import TriagingConfig
from streams.runtime.config import Section, known_kind
from streams.runtime.durations import Duration
from streams.settings import ModelSettings, StreamsSettings


class LimitSettings(Section):
    """How much may be done to one model."""

    promotions_per_30d: int = Field(default=2, ge=0, le=1_000)
    """Challengers that may become champion in 30 days. Each swap is a risk, and labels must show what the last one did."""

    training_minutes_per_30d: float = Field(default=600.0, ge=0)
    """Machine time that searches and training may take in 30 days."""


class FreezeSettings(Section):
    """A stretch of time in which nothing is changed, for instance a sale or an audit."""

    since: AwareDatetime
    """Its begin, with a time zone."""

    until: AwareDatetime
    """Its end, with a time zone."""

    reason: str = Field(min_length=1, max_length=200)
    """Stands in the refusal of every plan in it."""

    @model_validator(mode="after")
    def _check(self) -> FreezeSettings:
        if self.until <= self.since:
            raise ValueError(f"until {self.until} must be after since {self.since}")
        return self


class GovernedModelSettings(ModelSettings):
    """One model, and what may be done to it without a person."""

    autonomy: Autonomy = "propose"
    """`observe` only reports, `propose` waits for approval of each plan, `act` carries plans out within the limits."""

    limits: LimitSettings = LimitSettings()
    """How much may be done to it."""

    freezes: tuple[FreezeSettings, ...] = ()
    """When nothing is changed. `driftwake freeze` does the same at once."""

    triaging: TriagingConfig = TriagingConfig()
    """When an event becomes an incident."""


class LedgerSettings(Section):
    """Where the durable truth is kept."""

    url: str | None = None
    """A SQLAlchemy URL, for instance of PostgreSQL. None keeps a SQLite file under `data_dir`."""


class SkillSettings(Section):
    """What a skill's process may take. It is ended when it takes more, and the step is repaired or given up."""

    memory_mib: int = Field(default=1_536, ge=128)
    """Address space that it may use beyond what the interpreter maps at its start."""

    deadline: Duration = Duration.of("30m")
    """Wall time of one step."""

    threads: int = Field(default=1, ge=1, le=256)
    """Threads of training. More than one on a busy machine can be a hundred times slower."""


class MlflowSettings(Section):
    """Where runs and models are registered."""

    url: str | None = None
    """Tracking URL of an MLflow server. None keeps a SQLite file and artifacts under `data_dir`."""


class DaemonSettings(StreamsSettings):
    """Everything driftwake needs to know."""

    models: tuple[GovernedModelSettings, ...] = Field(min_length=1)
    """The models to look after."""

    planner: str = "policy"
    """How plans are made; a kind of `daemon/planners`."""

    policy: PolicyConfig = PolicyConfig()
    """What the policy planner weighs."""

    ledger: LedgerSettings = LedgerSettings()
    """Where the durable truth is kept."""

    skills: SkillSettings = SkillSettings()
    """What a skill's process may take."""

    mlflow: MlflowSettings = MlflowSettings()
    """Where runs and models are registered."""

    @field_validator("planner")
    @classmethod
    def _check_planner(cls, kind: str) -> str:
        return known_kind("daemon.planners", kind)

    @property
    def ledger_place(self) -> str | Path:
        """The ledger's URL, or the path of its SQLite file."""
        return self.ledger.url or self.data_dir / "ledger.sqlite"

    @property
    def mlflow_url(self) -> str:
        """The tracking URL."""
        return self.mlflow.url or f"sqlite:///{(self.data_dir / 'mlflow.sqlite').resolve()}"

    @property
    def mlflow_artifacts(self) -> Path:
        """The folder of MLflow's artifacts when no server keeps them."""
        return self.data_dir / "mlruns"
