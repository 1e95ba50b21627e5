"""The whole config: the data plane's part, and what people allow the control plane to do."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator

from daemon.access.config import AccessConfig
from daemon.access.roles import Role
from daemon.deploying.config import DeployingConfig
from daemon.executing.config import ExecutingConfig
from daemon.goals.config import GoalsConfig
from daemon.goals.vocabulary import Vocabulary, vocabulary_of
from daemon.judging.config import JudgingConfig
from daemon.ledger.chain import Key
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners.policy import PolicyConfig
from daemon.planning.config import PlanningConfig
from daemon.replay.config import LogConfig
from daemon.triaging.config import TriagingConfig
from streams.contracts.errors import ConfigError, ContractError
from streams.lake.place import CREDENTIALS, folder_of
from streams.model import ModelSettings
from streams.runtime.config import Section, environment, known_kind
from streams.runtime.durations import Duration
from streams.settings import StreamsSettings

_KEY = re.compile(r"[0-9a-f]{64}")


class GovernedModelSettings(ModelSettings):
    """One model, and what may be done to it without a person."""

    triaging: TriagingConfig = TriagingConfig()
    """When an event becomes an incident."""

    planning: PlanningConfig = PlanningConfig()
    """Autonomy, limits, freezes, and the data that plans use."""

    policy: PolicyConfig = PolicyConfig()
    """What the policy planner weighs."""

    claude: ClaudeConfig = ClaudeConfig()
    """How Claude is asked, where `planning.planner` is `claude`, and what that may cost."""

    judging: JudgingConfig = JudgingConfig()
    """What a challenger must prove, where and for how long."""

    deploying: DeployingConfig = DeployingConfig()
    """How long the data plane may take to follow."""

    log: LogConfig = LogConfig()
    """Which columns of a recorded log hold what, for `driftwake replay`."""

    goals: GoalsConfig = GoalsConfig()
    """Words that `driftwake ask` understands besides the columns and slices."""

    def planning_config(self) -> PlanningConfig:
        """Return planning's settings, with the shadow's length as judging has it."""
        planner = self.repeatable_planner if self.replay else self.planning.planner
        return self.planning.model_copy(update={"shadow": self.judging.shadow, "planner": planner})

    @property
    def repeatable_planner(self) -> str:
        """The planner where the same is decided once more: a language model costs money, and answers differently each time."""
        return "policy" if self.planning.planner == "claude" else self.planning.planner

    def planner_section(self, kind: str) -> Section | None:
        """Return the settings of a kind of planner; one of another distribution has none here."""
        sections: dict[str, Section] = {"policy": self.policy, "claude": self.claude}
        return sections.get(kind)

    def deploying_config(self) -> DeployingConfig:
        """Return deploying's settings, with the model's partitions."""
        return self.deploying.model_copy(update={"partitions": self.partitions})

    def vocabulary(self, today: dt.date, models: tuple[str, ...] = ()) -> Vocabulary:
        """Return what a goal for the model can speak of; `models` are the names of all models.

        Raises:
            ContractError: cohorts, values or targets name what isn't declared, or two of them have the same name.
        """
        others = tuple(name for name in models if name != self.name)
        return vocabulary_of(self.name, self.schema_contract(), self.sliced(), self.goals, today=today, others=others)

    @model_validator(mode="after")
    def _check_kinds(self) -> GovernedModelSettings:
        known_kind("daemon.planners", self.planning.planner)
        for gate in (*self.judging.sealed_gates, *self.judging.shadow_gates):
            known_kind("daemon.gates", gate)
        try:
            self.vocabulary(dt.date.min)
        except ContractError as error:
            raise ValueError(f"goals: {error}") from error
        kept = self.archiving.keep_rows
        if kept is not None and kept < self.planning.train:
            raise ValueError(f"archiving.keep_rows must be at least planning.train ({self.planning.train}), not {kept}")
        return self


class LedgerSettings(Section):
    """Where the durable truth is kept, and what seals its audit."""

    url: str | None = None
    """A PostgreSQL database, for instance postgresql://driftwake@db.example/driftwake: it must exist, and the role must own it or
    be allowed to create tables in it. Its password is best left to PGPASSFILE. Daemons with different models can share it; one
    daemon a model can write, and of other daemons' models only tokens that list them, and an admin's without one, see anything.
    None keeps a SQLite file under `data_dir`."""

    audit_key_file: Path | None = None
    """File of a key (64 hex digits) that seals the records of the audit: nobody without it can write a chain that passes for
    ours. None: records are chained by their hashes alone."""

    audit_key: SecretStr | None = None
    """The same key itself, for the environment (DRIFTWAKE__LEDGER__AUDIT_KEY)."""

    @field_validator("audit_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and _KEY.fullmatch(key.get_secret_value()) is None:
            raise ValueError("a key is 64 lower-case hex digits")
        return key

    @model_validator(mode="after")
    def _check_one(self) -> LedgerSettings:
        if self.audit_key is not None and self.audit_key_file is not None:
            raise ValueError("give audit_key or audit_key_file, not both")
        return self


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


class PlannersSettings(Section):
    """How planners other than `policy` are asked: beside the loops, which wait for none of them."""

    at_once: int = Field(default=4, ge=1, le=64)
    """About how many incidents, of all models, planners are asked at the same time; others wait, diagnosed, for their turn."""

    deadline: Duration = Duration.of("10m")
    """Wall time after which a planner is given up that hasn't answered about an incident, whatever deadline it has itself."""


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

    planners: PlannersSettings = PlannersSettings()
    """How planners other than `policy` are asked."""

    mlflow: MlflowSettings = MlflowSettings()
    """Where runs and models are registered."""

    access: AccessConfig = AccessConfig()
    """Who may look on and give orders over HTTP."""

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
    def topic_role(self) -> Role:
        """What commands may that come over Kafka: in a replay, whose broker is its own and which has no other way in, all."""
        return "admin" if self.is_replay else self.access.topic_role

    @property
    def own_models(self) -> frozenset[str] | None:
        """The models, where other daemons may keep theirs in the same ledger; None where all that is there is this daemon's."""
        return None if self.ledger.url is None else frozenset(model.name for model in self.models)

    @property
    def ledger_place(self) -> str | Path:
        """The ledger's URL, or the path of its SQLite file."""
        return self.ledger.url or self.data_dir / "ledger.sqlite"

    def audit_key(self) -> Key | None:
        """Return what seals the audit, None when nothing does.

        Raises:
            ConfigError: the file can't be read, or holds no key. The text never holds what was in it.
        """
        if self.ledger.audit_key is not None:
            return Key(bytes.fromhex(self.ledger.audit_key.get_secret_value()))
        return _key_in(self.ledger.audit_key_file) if self.ledger.audit_key_file is not None else None

    @property
    def mlflow_url(self) -> str:
        """The tracking URL."""
        return self.mlflow.url or f"sqlite:///{(self.data_dir / 'mlflow.sqlite').resolve()}"

    @property
    def mlflow_artifacts(self) -> Path:
        """The folder of MLflow's artifacts when no server keeps them."""
        return self.data_dir / "mlruns"


def _key_in(file: Path) -> Key:
    try:
        text = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"ledger.audit_key_file: {file} can't be read: {type(error).__name__}"]) from None
    if _KEY.fullmatch(text) is None:
        raise ConfigError([f"ledger.audit_key_file: {file} isn't a key: it must hold 64 lower-case hex digits"])
    return Key(bytes.fromhex(text))
