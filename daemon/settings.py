"""The whole config: the data plane's part, and what people allow the control plane to do."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from daemon.deploying.config import DeployingConfig
from daemon.executing.config import ExecutingConfig
from daemon.judging.config import JudgingConfig
from daemon.planners.policy import PolicyConfig
from daemon.planning.config import PlanningConfig
from daemon.replay.config import LogConfig
from daemon.triaging.config import TriagingConfig
from streams.lake.place import CREDENTIALS, folder_of
from streams.model import ModelSettings
from streams.runtime.config import Section, environment, known_kind
from streams.runtime.durations import Duration
from streams.settings import StreamsSettings


class GovernedModelSettings(ModelSettings):
    """One model, and what may be done to it without a person."""

    triaging: TriagingConfig = TriagingConfig()
    """When an event becomes an incident."""

    planning: PlanningConfig = PlanningConfig()
    """Autonomy, limits, freezes, and the data that plans use."""

    policy: PolicyConfig = PolicyConfig()
    """What the policy planner weighs."""

    judging: JudgingConfig = JudgingConfig()
    """What a challenger must prove, where and for how long."""

    deploying: DeployingConfig = DeployingConfig()
    """How long the data plane may take to follow."""

    log: LogConfig = LogConfig()
    """Which columns of a recorded log hold what, for `driftwake replay`."""

    def planning_config(self) -> PlanningConfig:
        """Return planning's settings, with the shadow's length as judging has it."""
        return self.planning.model_copy(update={"shadow": self.judging.shadow})

    def deploying_config(self) -> DeployingConfig:
        """Return deploying's settings, with the model's partitions."""
        return self.deploying.model_copy(update={"partitions": self.partitions})

    @model_validator(mode="after")
    def _check_kinds(self) -> GovernedModelSettings:
        known_kind("daemon.planners", self.planning.planner)
        for gate in (*self.judging.sealed_gates, *self.judging.shadow_gates):
            known_kind("daemon.gates", gate)
        kept = self.archiving.keep_rows
        if kept is not None and kept < self.planning.train:
            raise ValueError(f"archiving.keep_rows must be at least planning.train ({self.planning.train}), not {kept}")
        return self


class LedgerSettings(Section):
    """Where the durable truth is kept."""

    url: str | None = None
    """A SQLAlchemy URL, for instance of PostgreSQL. None keeps a SQLite file under `data_dir`."""


class SkillSettings(Section):
    """What a skill's process may take. It is ended when it takes more, and the step is repaired or given up."""

    memory_mb: int = Field(default=4_096, ge=64)
    """Most memory for data, in MB."""

    deadline: Duration = Duration.of("30m")
    """Wall time after which a skill and all its children are ended."""

    threads: int = Field(default=1, ge=1, le=64)
    """Threads of numeric libraries. Two on a busy machine can be a hundred times slower than one."""

    attempts: int = Field(default=2, ge=1, le=10)
    """How often a skill that died without an answer is started before its step fails."""


class MlflowSettings(Section):
    """Where runs and models are registered."""

    url: str | None = None
    """Tracking URL of an MLflow server. None keeps a SQLite file and artifacts under `data_dir`."""


class DaemonSettings(StreamsSettings):
    """Everything driftwake needs to know."""

    models: tuple[GovernedModelSettings, ...] = Field(min_length=1)
    """The models to look after."""

    ledger: LedgerSettings = LedgerSettings()
    """Where the durable truth is kept."""

    skills: SkillSettings = SkillSettings()
    """What a skill's process may take."""

    mlflow: MlflowSettings = MlflowSettings()
    """Where runs and models are registered."""

    def executing_config(self) -> ExecutingConfig:
        """Return executing's settings, with the work folder under the data directory; in a replay, skills are warm.

        Skills see what opens the lake where that is an object store.
        """
        given = {name: value for name, value in environment().items() if name.startswith(CREDENTIALS)}
        shared = given if folder_of(self.lake_place) is None else {}
        place = {"work": self.folder("work").resolve(), "warm": self.is_replay, "environment": shared}
        return ExecutingConfig(**{**place, **dict(self.skills)})

    @property
    def is_replay(self) -> bool:
        """Whether all that runs is a replay, which ends in minutes."""
        return bool(self.models) and all(model.replay for model in self.models)

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
